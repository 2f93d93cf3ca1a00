//! Group 4 faxes (CCITT T.6), as scanners write them: one bit a pixel.

use super::Window;
use crate::error::DecodeError;
use fax::Color;
use fax::decoder::{decode_g4, pels};
use tiff_reader::Ifd;
use tiff_reader::source::TiffSource;

/// Tag 266 where each byte's lowest bit comes first.
const LOWEST_FIRST: u16 = 2;
/// Most bytes of a strip.
const MAX_STRIP: u64 = 1 << 28;

/// The pixels of a window, 1 where the fax is black.
pub(super) fn read(source: &dyn TiffSource, ifd: &Ifd, window: Window) -> Result<Vec<u8>, DecodeError> {
    let odd = |problem: &str| DecodeError::Inconsistent(format!("the fax {problem}"));
    let (offsets, lengths) = (ifd.strip_offsets(), ifd.strip_byte_counts());
    let (Some(offsets), Some(lengths)) = (offsets, lengths) else { return Err(odd("has no strips")) };
    let width = u16::try_from(ifd.width()).map_err(|_| odd("is more than 65,535 pixels wide"))?;
    let rows = ifd.rows_per_strip().clamp(1, ifd.height());
    let mut pixels = Vec::with_capacity(window.width as usize * window.height as usize);
    for strip in window.y / rows..=(window.y + window.height - 1) / rows {
        let first = strip * rows;
        let height = u16::try_from(rows.min(ifd.height() - first)).map_err(|_| odd("has more than 65,535 rows"))?;
        let at = |list: &[u64]| list.get(strip as usize).copied().ok_or_else(|| odd("has too few strips"));
        let (offset, length) = (at(&offsets)?, at(&lengths)?);
        if length > MAX_STRIP {
            return Err(DecodeError::Piece { bytes: length, most: MAX_STRIP });
        }
        let mut bytes = source.read_exact_at(offset, length as usize)?;
        if ifd.fill_order() == LOWEST_FIRST {
            bytes.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
        }
        let mut row = first;
        let whole = decode_g4(bytes.into_iter(), width, Some(height), |changes| {
            if (window.y..window.y + window.height).contains(&row) {
                let line = pels(changes, width).map(|colour| u8::from(colour == Color::Black));
                pixels.extend(line.skip(window.x as usize).take(window.width as usize));
            }
            row += 1;
        });
        whole.ok_or_else(|| odd(&format!("is damaged in strip {strip}")))?;
    }
    Ok(pixels)
}
