//! JPEG as libjpeg takes it. The file is written anew for the decoder: only what pixels need, each segment right behind the
//! last, so that bytes between segments, unreadable metadata, a height that stands behind the pixels (DNL) and missing Huffman
//! tables (cameras that write MJPEG) do no harm. A file whose pixels end before its end marker is refused.

use crate::error::DecodeError;
use crate::jpeg_restarts::Coding;
use crate::orientation::of_exif;
use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

const START: u8 = 0xD8;
const END: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;
const LINES: u8 = 0xDC;
const HUFFMAN: u8 = 0xC4;
const PROGRESSIVE: u8 = 0xC2;
/// Tells the decoder to take Annex K's tables where a file has none.
const MOTION_JPEG: [u8; 9] = [0xFF, 0xE0, 0, 7, b'A', b'V', b'I', b'1', 0];

/// A JPEG, ready for the decoder.
#[derive(Debug)]
pub(crate) struct Jpeg {
    stream: Vec<u8>,
    /// Columns and rows as the file has them.
    pub(crate) size: (u32, u32),
    pub(crate) orientation: Orientation,
}

impl Jpeg {
    /// Goes through the segments.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let stream = Vec::with_capacity(bytes.len());
        let mut jpeg =
            Rewriter { stream, frame: None, exif: None, scans: 0, coded: 0, least_bits: 1, coding: Coding::default() };
        jpeg.stream.extend([0xFF, START]);
        jpeg.stream.extend(MOTION_JPEG);
        jpeg.walk(bytes)?;
        let (at, width, height) = jpeg.frame.ok_or(DecodeError::Jpeg("it has no frame header".into()))?;
        if width == 0 || height == 0 {
            return Err(DecodeError::Jpeg(format!("it is {width} pixels wide and {height} high")));
        }
        let blocks = u64::from(width).div_ceil(8) * u64::from(height).div_ceil(8);
        if jpeg.coded * 8 < blocks * jpeg.least_bits {
            return Err(DecodeError::CutOff("it has fewer bits than its size takes"));
        }
        jpeg.stream[at..at + 2].copy_from_slice(&height.to_be_bytes());
        let orientation = jpeg.exif.map_or(Orientation::NoTransforms, of_exif);
        Ok(Self { stream: jpeg.stream, size: (width.into(), height.into()), orientation })
    }

    /// The pixels, in RGB or grey as the file has them, and how many samples a pixel has.
    pub(crate) fn pixels(&self) -> Result<(Vec<u8>, usize), DecodeError> {
        let options = DecoderOptions::default().set_strict_mode(false).set_max_width(1 << 16).set_max_height(1 << 16);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(self.stream.as_slice()), options);
        let damaged = |error: zune_jpeg::errors::DecodeErrors| DecodeError::Jpeg(error.to_string());
        decoder.decode_headers().map_err(damaged)?;
        let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
        let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
        decoder.set_options(options.jpeg_set_out_colorspace(colours));
        Ok((decoder.decode().map_err(damaged)?, colours.num_components()))
    }
}

struct Rewriter<'a> {
    stream: Vec<u8>,
    /// Where the frame's height stands in the stream; its width and height.
    frame: Option<(usize, u16, u16)>,
    exif: Option<&'a [u8]>,
    scans: usize,
    /// Bytes of coded pixels.
    coded: u64,
    /// Bits that 8 × 8 pixels take at least: a code for their mean and, if not progressive, one for their end.
    least_bits: u64,
    coding: Coding,
}

impl<'a> Rewriter<'a> {
    fn walk(&mut self, bytes: &'a [u8]) -> Result<(), DecodeError> {
        let mut at = 2;
        loop {
            let Some((marker, behind)) = next_marker(bytes, at) else {
                return Err(DecodeError::CutOff("it has no end marker"));
            };
            at = behind;
            match marker {
                END if self.scans > 0 => {
                    self.stream.extend([0xFF, END]);
                    return Ok(());
                }
                END => return Err(DecodeError::CutOff("it ends before its pixels")),
                START => return Err(DecodeError::CutOff("another image begins before its end")),
                0x01 | 0xD0..=0xD7 => continue,
                _ => {}
            }
            let body = segment(bytes, at).ok_or(DecodeError::CutOff("it ends in a segment"))?;
            at += 2 + body.len();
            self.take(marker, body)?;
            if marker == START_OF_SCAN {
                self.scans += 1;
                let end = scan_end(bytes, at).ok_or(DecodeError::CutOff("it has no end marker"))?;
                if self.coding.interval > 0 && self.least_bits > 1 {
                    self.stream.extend(self.coding.resynchronized(body, &bytes[at..end]));
                } else {
                    self.stream.extend_from_slice(&bytes[at..end]);
                }
                self.coded += (end - at) as u64;
                at = end;
            }
        }
    }

    fn take(&mut self, marker: u8, body: &'a [u8]) -> Result<(), DecodeError> {
        match (marker, body) {
            (HUFFMAN, tables) => self.coding.tables(tables),
            (0xDD, &[high, low]) => self.coding.interval = u16::from_be_bytes([high, low]).into(),
            (0xC0..=0xC2, frame) => self.coding.frame(frame),
            _ => {}
        }
        match marker {
            0xE1 if self.exif.is_none() => self.exif = body.strip_prefix(b"Exif\0").and_then(|exif| exif.get(1..)),
            // Adobe's segment says how colours are to be taken; what other applications write is not for the decoder.
            0xEE if body.starts_with(b"Adobe") && body.len() >= 12 => self.copy(marker, body),
            0xE0..=0xFE => {}
            LINES => {
                if let (Some((_, _, height @ 0)), &[high, low]) = (&mut self.frame, body) {
                    *height = u16::from_be_bytes([high, low]);
                }
            }
            0xC0..=0xC2 => {
                let &[bits, high, low, wide, narrow, ..] = body else {
                    return Err(DecodeError::Jpeg("its frame header is too short".into()));
                };
                if bits != 8 {
                    return Err(DecodeError::Unsupported(format!("JPEG of {bits} bits a sample")));
                }
                self.least_bits = if marker == PROGRESSIVE { 1 } else { 2 };
                let height_at = self.stream.len() + 5;
                self.frame = Some((height_at, u16::from_be_bytes([wide, narrow]), u16::from_be_bytes([high, low])));
                self.copy(marker, body);
            }
            0xC3 => return Err(DecodeError::Unsupported("lossless JPEG".into())),
            0xC5..=0xC7 | 0xCD..=0xCF => return Err(DecodeError::Unsupported("hierarchical JPEG".into())),
            0xC9..=0xCC => return Err(DecodeError::Unsupported("arithmetic coding in JPEG".into())),
            START_OF_SCAN | HUFFMAN | 0xDB | 0xDD => self.copy(marker, body),
            _ => {}
        }
        Ok(())
    }

    fn copy(&mut self, marker: u8, body: &[u8]) {
        let length = (body.len() as u16 + 2).to_be_bytes();
        self.stream.extend([0xFF, marker, length[0], length[1]]);
        self.stream.extend_from_slice(body);
    }
}

/// The next marker, whatever stands before it, and where what follows it begins.
fn next_marker(bytes: &[u8], from: usize) -> Option<(u8, usize)> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
        while *bytes.get(at)? == 0xFF {
            at += 1;
        }
        if bytes[at] != 0 {
            return Some((bytes[at], at + 1));
        }
    }
}

/// What stands behind a segment's length.
fn segment(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let &[high, low] = bytes.get(at..at + 2)? else { return None };
    bytes.get(at + 2..at + usize::from(u16::from_be_bytes([high, low])))
}

/// Where entropy-coded pixels end: at the first marker that is no restart.
fn scan_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
        match bytes.get(at + 1)? {
            0x00 | 0x01 | 0xD0..=0xD7 => at += 2,
            0xFF => at += 1,
            _ => return Some(at),
        }
    }
}

/// Whether these are the first bytes of a JPEG.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, START])
}
