//! Binary PBM, PGM, PPM (`P4` to `P6`) and PAM (`P7`), as Netpbm describes them: the header says how long the pixels are.

use image::{DynamicImage, GrayImage, ImageBuffer, Luma, Rgb, RgbImage};

/// Longest header, in bytes.
const MAX_HEADER: usize = 4096;
/// Most lines of a PAM's header: debris of short lines is passed over quickly.
const MAX_LINES: usize = 64;
/// Largest side of a frame, in pixels.
const MAX_SIDE: u64 = 16_384;
/// Most pixels of a frame.
const MAX_PIXELS: u64 = 1 << 26;
/// Most bytes of a frame's pixels.
const MAX_BYTES: u64 = 1 << 28;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The digit behind the `P`.
    kind: u8,
    width: u64,
    height: u64,
    /// Samples of a pixel.
    depth: u64,
    /// The largest value of a sample.
    largest: u64,
}

/// Whether a header is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Not before there are more bytes.
    More,
    /// No.
    No,
    /// Yes, with so many bytes.
    Header(Header, usize),
}

impl Header {
    /// Bytes of the pixels.
    pub(super) fn length(&self) -> u64 {
        let row = match self.kind {
            b'4' => self.width.div_ceil(8),
            _ => self.width.saturating_mul(self.depth).saturating_mul(if self.largest > 255 { 2 } else { 1 }),
        };
        row.saturating_mul(self.height)
    }

    /// What a frame of this kind is called.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            b'4' => "PBM",
            b'5' => "PGM",
            b'6' => "PPM",
            _ => "PAM",
        }
    }

    /// Why its pixels are not read.
    pub(super) fn problem(&self) -> Option<String> {
        let Self { width, height, depth, largest, .. } = *self;
        let sides = 1..=MAX_SIDE;
        let fits = sides.contains(&width) && sides.contains(&height) && width * height <= MAX_PIXELS;
        let is_read = fits && depth > 0 && (1..=65_535).contains(&largest) && self.length() <= MAX_BYTES;
        (!is_read).then(|| {
            format!(
                "a {} of {width} × {height} pixels with {depth} samples up to {largest}, expected sides of 1 to {MAX_SIDE}, \
                 {MAX_PIXELS} pixels, samples up to 65535 and {MAX_BYTES} bytes at most",
                self.name()
            )
        })
    }

    /// The picture of its pixels; alpha is left out, and of more than three channels the first three are taken.
    pub(super) fn decode(&self, pixels: &[u8]) -> Option<DynamicImage> {
        let (width, height, depth) = (self.width as u32, self.height as u32, self.depth as usize);
        let is_colour = depth >= 3;
        let kept = if is_colour { 3 } else { 1 };
        if self.kind == b'4' {
            let row = self.width.div_ceil(8) as usize;
            let is_black = |x: u32, y: u32| pixels[y as usize * row + x as usize / 8] >> (7 - x % 8) & 1 == 1;
            return Some(GrayImage::from_fn(width, height, |x, y| Luma([if is_black(x, y) { 0 } else { 255 }])).into());
        }
        if self.largest > 255 {
            let word = |pair: &[u8]| u16::from_be_bytes([pair[0], pair[1]]);
            let pixel = |pixel: &[u8]| pixel.chunks_exact(2).take(kept).map(word).collect::<Vec<u16>>();
            let values: Vec<u16> = pixels.chunks_exact(2 * depth).flat_map(pixel).collect();
            return if is_colour {
                ImageBuffer::<Rgb<u16>, _>::from_raw(width, height, values).map(DynamicImage::ImageRgb16)
            } else {
                ImageBuffer::<Luma<u16>, _>::from_raw(width, height, values).map(DynamicImage::ImageLuma16)
            };
        }
        let largest = self.largest as u32;
        let scale = |value: &u8| ((u32::from(*value).min(largest) * 255 + largest / 2) / largest) as u8;
        let values: Vec<u8> = pixels.chunks_exact(depth).flat_map(|pixel| pixel[..kept].iter().map(scale)).collect();
        if is_colour {
            RgbImage::from_raw(width, height, values).map(DynamicImage::ImageRgb8)
        } else {
            GrayImage::from_raw(width, height, values).map(DynamicImage::ImageLuma8)
        }
    }
}

/// Looks for a header at the first byte.
pub(super) fn header(bytes: &[u8]) -> Found {
    let kind = match bytes {
        [] | [b'P'] | [b'P', b'4'..=b'7'] => return Found::More,
        [b'P', kind @ b'4'..=b'7', next, ..] if next.is_ascii_whitespace() || *next == b'#' => *kind,
        _ => return Found::No,
    };
    let within = &bytes[..bytes.len().min(MAX_HEADER)];
    let found = if kind == b'7' { pam(within) } else { numbers(kind, within) };
    match found {
        Found::More if bytes.len() >= MAX_HEADER => Found::No,
        found => found,
    }
}

/// Width, height and, but for bitmaps, the largest value; white space and comments stand before each, one white space behind the last.
fn numbers(kind: u8, bytes: &[u8]) -> Found {
    let mut numbers = [0, 0, 1];
    let mut at = 2;
    let wanted = if kind == b'4' { 2 } else { 3 };
    for number in &mut numbers[..wanted] {
        loop {
            match bytes.get(at) {
                // Where there is none, it is soon known: debris may have as many beginnings as bytes.
                Some(b'#') if !bytes[at..].contains(&b'\n') => return Found::More,
                Some(b'#') => at += bytes[at..].iter().take_while(|&&byte| byte != b'\n').count(),
                Some(space) if space.is_ascii_whitespace() => at += 1,
                Some(b'0'..=b'9') => break,
                Some(_) => return Found::No,
                None => return Found::More,
            }
        }
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        *number = decimal(&bytes[at..at + digits]);
        at += digits;
        match bytes.get(at) {
            None => return Found::More,
            Some(b'#') => {}
            Some(space) if space.is_ascii_whitespace() => {}
            Some(_) => return Found::No,
        }
    }
    let [width, height, largest] = numbers;
    let depth = if kind == b'6' { 3 } else { 1 };
    Found::Header(Header { kind, width, height, depth, largest }, at + 1)
}

/// Lines of a word and its value, up to `ENDHDR`.
fn pam(bytes: &[u8]) -> Found {
    let [mut width, mut height, mut depth, mut largest] = [0; 4];
    let (mut at, mut is_first) = (0, true);
    for _ in 0..MAX_LINES {
        let Some(end) = bytes[at..].iter().position(|&byte| byte == b'\n') else {
            return if is_text(&bytes[at..]) { Found::More } else { Found::No };
        };
        // As soon as a byte is none of a header, however many are at hand.
        if !is_text(&bytes[at..at + end]) {
            return Found::No;
        }
        let line = bytes[at..at + end].trim_ascii();
        at += end + 1;
        let (word, value) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let value = value.trim_ascii();
        let field = match word {
            b"ENDHDR" => return Found::Header(Header { kind: b'7', width, height, depth, largest }, at),
            b"WIDTH" => &mut width,
            b"HEIGHT" => &mut height,
            b"DEPTH" => &mut depth,
            b"MAXVAL" => &mut largest,
            b"P7" if is_first => {
                is_first = false;
                continue;
            }
            b"TUPLTYPE" | b"" => continue,
            comment if comment.starts_with(b"#") => continue,
            _ => return Found::No,
        };
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Found::No;
        }
        *field = decimal(value);
    }
    Found::No
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

fn decimal(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<DynamicImage> {
        match header(bytes) {
            Found::Header(header, length) if header.problem().is_none() => header.decode(&bytes[length..]),
            _ => None,
        }
    }

    #[test]
    fn samples_of_each_kind_and_depth() {
        let rgb = |bytes: &[u8]| decoded(bytes).map(|image| image.to_rgb8().into_raw());
        assert_eq!(rgb(b"P4 # two\n2 1\n\x40"), Some(vec![255, 255, 255, 0, 0, 0]));
        assert_eq!(rgb(b"P5\n2 1\n100\n\x00\x32"), Some(vec![0, 0, 0, 128, 128, 128]));
        assert_eq!(rgb(b"P6 1 1 255\n\x01\x02\x03"), Some(vec![1, 2, 3]));
        let pam = |depth, samples: &[u8]| {
            let header = format!("P7\n# a comment\nWIDTH 1\nHEIGHT 1\nDEPTH {depth}\nMAXVAL 255\nENDHDR\n");
            rgb(&[header.as_bytes(), samples].concat())
        };
        assert_eq!(pam(2, &[7, 99]), Some(vec![7, 7, 7]));
        assert_eq!(pam(4, &[1, 2, 3, 99]), Some(vec![1, 2, 3]));
        let words = decoded(b"P6 1 1 1023\n\x00\x01\x02\x03\x03\xff").map(|image| image.to_rgb16().into_raw());
        assert_eq!(words, Some(vec![1, 0x203, 0x3FF]));
        assert_eq!(decoded(b"P5 1 1 65535\n\x01\x02").map(|image| image.to_luma16().into_raw()), Some(vec![0x102]));
    }

    #[test]
    fn a_header_is_whole_or_none() {
        let whole = b"P6 # a comment\r\n 12\t34\n65535\n";
        for length in 0..whole.len() {
            assert_eq!(header(&whole[..length]), Found::More, "{length}");
        }
        assert!(matches!(header(whole), Found::Header(found, 29) if found.length() == 12 * 34 * 6));
        for none in [&b"P6x"[..], b"P3 1 1 255\n", b"P6 1 x", b"P7\nWIDE 3\n", b"P7\nWIDTH -3\n", b"P5 1 1 255x"] {
            assert_eq!(header(none), Found::No, "{none:?}");
        }
        assert_eq!(header(&[b"P6".as_slice(), &[b' '; 5000]].concat()), Found::No);
        for binary in [b"P7\n# \xff".as_slice(), b"P7\nTUPLTYPE \x00", b"P7\nWIDTH 1\nP7"] {
            assert_eq!(header(&[binary, b"\nENDHDR\n"].concat()), Found::No, "{}", binary.escape_ascii());
        }
        let problem = |bytes: &[u8]| matches!(header(bytes), Found::Header(header, _) if header.problem().is_some());
        assert!(problem(b"P6 99999 1 255\n") && problem(b"P6 0 1 255\n") && problem(b"P6 1 1 65536\n"));
        assert!(problem(b"P6 99999999999999999999 99999999999999999999 255\n"));
    }
}
