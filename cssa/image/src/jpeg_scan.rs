//! Whether the coded pixels of a sequential JPEG are whole: every block is decoded for its length alone (ITU-T T.81, annex F.2.2). Bytes that
//! were lost or overwritten shift all that follows, so that blocks are missing at the end or bytes are left over; libjpeg warns then, the
//! decoder does not. Progressive images, and those with restarts, which begin anew behind damage, are not checked.

use crate::error::DecodeError;
use std::sync::Arc;

/// Codes of 16 bits: the length in the upper byte, 0 for none, and the symbol.
type Table = Box<[u16]>;
/// Bytes behind the last block that are passed over: some writers fill up.
const MAX_LEFT: usize = 4;

/// The Huffman tables that stand at a time, for means and for the rest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables([[Option<Arc<Table>>; 4]; 2]);

impl Tables {
    /// A segment of Huffman tables.
    pub(crate) fn take(&mut self, mut segment: &[u8]) {
        while let Some((&[class_and_table, ref counts @ ..], rest)) = segment.split_first_chunk::<17>() {
            let symbols: usize = counts.iter().map(|count| usize::from(*count)).sum();
            let Some((symbols, behind)) = rest.split_at_checked(symbols) else { return };
            let (class, table) = (usize::from(class_and_table >> 4 & 1), usize::from(class_and_table & 3));
            self.0[class][table] = table_of(counts, symbols).map(Arc::new);
            segment = behind;
        }
    }
}

fn table_of(counts: &[u8], symbols: &[u8]) -> Option<Table> {
    let mut table = vec![0u16; 1 << 16].into_boxed_slice();
    let (mut begin, mut symbols) = (0usize, symbols.iter());
    for (length, count) in (1u16..).zip(counts) {
        for symbol in symbols.by_ref().take(usize::from(*count)) {
            let end = begin + (1 << (16 - length));
            table.get_mut(begin..end)?.fill(length << 8 | u16::from(*symbol));
            begin = end;
        }
    }
    Some(table)
}

/// A component of the frame.
#[derive(Clone, Copy, Debug)]
struct Component {
    name: u8,
    across: u32,
    down: u32,
}

/// The frame, as far as blocks are counted by it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame(Vec<Component>);

impl Frame {
    /// A frame header.
    pub(crate) fn of(segment: &[u8]) -> Self {
        let components = segment.get(6..).unwrap_or_default().chunks_exact(3);
        let component = |c: &[u8]| Component { name: c[0], across: (c[1] >> 4).into(), down: (c[1] & 15).into() };
        Self(components.map(component).collect())
    }
}

/// A scan to check when the image's size is known.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    /// Its header.
    pub(crate) header: &'a [u8],
    /// Its coded pixels, without restarts.
    pub(crate) coded: &'a [u8],
    /// The tables that stood when it began.
    pub(crate) tables: Tables,
}

impl Scan<'_> {
    /// Whether it has the blocks of an image of this size, and nothing else. What cannot be counted, without tables for example, is not checked.
    pub(crate) fn check(&self, frame: &Frame, size: (u32, u32)) -> Result<(), DecodeError> {
        let Some((units, blocks)) = self.units(frame, size) else { return Ok(()) };
        let mut bits = Bits { coded: self.coded, at: 0, held: 0, count: 0, is_over: false };
        for unit in 0..units.0 * units.1 {
            let is_whole = blocks.iter().all(|(means, rest)| bits.block(means, rest).is_some());
            // Some writers leave out the last bits.
            if !is_whole && unit + 1 < units.0 * units.1 {
                let part = unit / units.0 * 100 / units.1;
                return Err(DecodeError::Jpeg(format!("its pixels are no more to be read after {part} % of the rows")));
            }
        }
        let left = bits.left();
        let is_filling = left.iter().all(|byte| Some(byte) == left.first());
        if left.len() <= MAX_LEFT || is_filling {
            return Ok(());
        }
        Err(DecodeError::Jpeg(format!("{} bytes are left over behind its pixels, some before are damaged", left.len())))
    }

    /// Units across and down, and the tables of a unit's blocks.
    #[expect(clippy::type_complexity, reason = "two pairs")]
    fn units(&self, frame: &Frame, (width, height): (u32, u32)) -> Option<((u32, u32), Vec<(&Table, &Table)>)> {
        let count = usize::from(*self.header.first()?);
        let widest = frame.0.iter().map(|component| component.across).max().filter(|most| *most > 0)?;
        let highest = frame.0.iter().map(|component| component.down).max().filter(|most| *most > 0)?;
        let mut blocks = Vec::new();
        let mut units = (width.div_ceil(8 * widest), height.div_ceil(8 * highest));
        for selector in self.header.get(1..1 + 2 * count)?.chunks_exact(2) {
            let component = frame.0.iter().find(|component| component.name == selector[0])?;
            let means = self.tables.0[0][usize::from(selector[1] >> 4 & 3)].as_deref()?;
            let rest = self.tables.0[1][usize::from(selector[1] & 3)].as_deref()?;
            let together = if count == 1 { 1 } else { component.across * component.down };
            blocks.extend((0..together).map(|_| (means, rest)));
            if count == 1 {
                // Alone, a component has the blocks of its own pixels.
                let own = |length: u32, share: u32, most: u32| (length * share).div_ceil(most).div_ceil(8);
                units = (own(width, component.across, widest), own(height, component.down, highest));
            }
        }
        Some((units, blocks))
    }
}

/// Bits of coded pixels.
struct Bits<'a> {
    coded: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    /// More bits were asked for than there are.
    is_over: bool,
}

impl<'a> Bits<'a> {
    /// Passes over a block; nothing where it is none.
    fn block(&mut self, means: &Table, rest: &Table) -> Option<()> {
        let size = self.symbol(means)?;
        self.skip(u32::from(size).min(16));
        let mut at = 1;
        while at < 64 {
            let symbol = self.symbol(rest)?;
            let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match (run, size) {
                (15, 0) => at += 16,
                (_, 0) => break,
                _ => at += run + 1,
            }
            self.skip(size);
        }
        (at <= 64 && !self.is_over).then_some(())
    }

    fn symbol(&mut self, table: &Table) -> Option<u8> {
        self.fill();
        let next = (self.held << 16 >> self.count) as usize & 0xFFFF;
        let [length, symbol] = table[next].to_be_bytes();
        self.skip(length.into());
        (length > 0).then_some(symbol)
    }

    fn skip(&mut self, bits: u32) {
        self.fill();
        self.is_over |= bits > self.count;
        self.count = self.count.saturating_sub(bits);
        self.held &= (1 << self.count) - 1;
    }

    /// Holds 16 bits or more, where there are.
    fn fill(&mut self) {
        while self.count <= 32 {
            let Some(&byte) = self.coded.get(self.at) else { return };
            if byte == 0xFF && self.coded.get(self.at + 1) != Some(&0) {
                self.at = self.coded.len();
                return;
            }
            self.at += if byte == 0xFF { 2 } else { 1 };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    /// Whole bytes that nothing was read of.
    fn left(&self) -> &'a [u8] {
        let held = self.count as usize / 8;
        self.coded.get(self.at.saturating_sub(held)..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use crate::decode;
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, RgbImage};

    /// A camera's image: rich in detail, as `image` writes it, in colours or grey.
    fn jpeg(side: u32, is_grey: bool) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let pixels = RgbImage::from_fn(side, side, |x, y| {
            let value = x.wrapping_mul(31) ^ y.wrapping_mul(17) ^ (x * y / 7);
            image::Rgb([value as u8, (value >> 2) as u8, (x + y) as u8])
        });
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 85);
        if is_grey {
            let grey = image::DynamicImage::ImageRgb8(pixels).into_luma8();
            encoder.encode(&grey, side, side, ExtendedColorType::L8)?;
        } else {
            encoder.encode(&pixels, side, side, ExtendedColorType::Rgb8)?;
        }
        Ok(bytes)
    }

    #[test]
    fn pixels_that_were_overwritten_are_not_read() -> anyhow::Result<()> {
        let (mut zeros, mut others) = (0, 0);
        for (side, is_grey) in [(200, false), (203, true), (97, false)] {
            let whole = jpeg(side, is_grey)?;
            assert!(decode(&whole).is_ok());
            let middle = whole.len() / 2;
            for (begin, bytes) in [(middle, 400), (middle / 2 * 3, 200), (middle, 1000)] {
                for fill in [Some(0u8), Some(0xAA), None] {
                    let mut damaged = whole.clone();
                    match fill {
                        Some(fill) => damaged[begin..begin + bytes].fill(fill),
                        None => drop(damaged.drain(begin..begin + bytes)),
                    }
                    let refused = if fill == Some(0) { &mut zeros } else { &mut others };
                    *refused += usize::from(decode(&damaged).is_err());
                }
            }
        }
        // What happens to be as many blocks as stood there shifts nothing, and is not seen.
        assert!(zeros == 9 && others >= 14, "{zeros} of 9, {others} of 18");
        Ok(())
    }

    /// What stands behind the pixels is not theirs.
    #[test]
    fn filling_behind_the_pixels_does_no_harm() -> anyhow::Result<()> {
        let whole = jpeg(100, false)?;
        let end = whole.len() - 2;
        for filling in [vec![0; 300], vec![0xFF; 40], vec![1, 2, 3]] {
            let filled = [&whole[..end], &filling, &whole[end..]].concat();
            assert_eq!(decode(&filled)?, decode(&whole)?);
        }
        Ok(())
    }
}
