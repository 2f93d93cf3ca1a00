//! JPEG as libjpeg takes it. The file is written anew for the decoder: only what pixels need, each segment right behind the
//! last, so that bytes between segments, unreadable metadata, a height that stands behind the pixels (DNL) and missing Huffman
//! tables (cameras that write MJPEG) do no harm. A file whose pixels end too early is refused; one that only lacks its end marker is
//! read, as libjpeg does.

use crate::error::DecodeError;
use crate::jpeg_restarts::Coding;
use crate::jpeg_scan::{Frame, Scan, Tables};
use crate::orientation::of_exif;
use image::metadata::Orientation;
use std::collections::BTreeMap;
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
/// Bytes behind coded pixels without an end: more than a block of 8 × 8 takes.
const PADDING: usize = 1 << 10;
/// Tells the decoder to take Annex K's tables where a file has none.
const MOTION_JPEG: [u8; 9] = [0xFF, 0xE0, 0, 7, b'A', b'V', b'I', b'1', 0];

/// A JPEG, ready for the decoder.
#[derive(Debug)]
pub(crate) struct Jpeg {
    stream: Vec<u8>,
    /// Columns and rows as the file has them.
    pub(crate) size: (u32, u32),
    pub(crate) orientation: Orientation,
    /// Its coded pixels reach to its end, where no marker says whether these are all.
    is_open: bool,
}

impl Jpeg {
    /// Goes through the segments.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let stream = Vec::with_capacity(bytes.len());
        let mut jpeg = Rewriter {
            stream,
            frame: None,
            exif: None,
            scans: 0,
            coded: 0,
            least_bits: 1,
            coding: Coding::default(),
            precision: Precision::default(),
            is_open: false,
            tables: Tables::default(),
            blocks: Frame::default(),
            whole: Vec::new(),
        };
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
        if !jpeg.is_open {
            let size = (width.into(), height.into());
            jpeg.whole.iter().try_for_each(|scan| scan.check(&jpeg.blocks, size))?;
        }
        let orientation = jpeg.exif.map_or(Orientation::NoTransforms, of_exif);
        Ok(Self { stream: jpeg.stream, size: (width.into(), height.into()), orientation, is_open: jpeg.is_open })
    }

    /// The pixels, in RGB or grey as the file has them, and how many samples a pixel has.
    pub(crate) fn pixels(&self) -> Result<(Vec<u8>, usize), DecodeError> {
        if !self.is_open {
            return decoded(&self.stream);
        }
        // Where all are there, what stands behind them does not matter.
        let padded = |with: &[u8]| [&self.stream, with.repeat(PADDING).as_slice(), &[0xFF, END]].concat();
        let sum = crc32fast::hash(&decoded(&padded(&[0]))?.0);
        let pixels = decoded(&padded(&[0xFF, 0]))?;
        if crc32fast::hash(&pixels.0) == sum { Ok(pixels) } else { Err(DecodeError::CutOff("it ends in its pixels")) }
    }
}

fn decoded(stream: &[u8]) -> Result<(Vec<u8>, usize), DecodeError> {
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(1 << 16).set_max_height(1 << 16);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(stream), options);
    let damaged = |error: zune_jpeg::errors::DecodeErrors| DecodeError::Jpeg(error.to_string());
    decoder.decode_headers().map_err(damaged)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    Ok((decoder.decode().map_err(damaged)?, colours.num_components()))
}

/// How exactly the scans so far give each coefficient of each component: the bits that are still to come, by the component's name. (As
/// libjpeg's coef_bits.)
#[derive(Debug, Default)]
struct Precision(BTreeMap<u8, [u8; 64]>);

impl Precision {
    /// Of the coefficients no bit is known.
    const NOTHING: u8 = u8::MAX;

    fn frame(&mut self, segment: &[u8]) {
        let components = segment.get(6..).unwrap_or_default().chunks_exact(3);
        self.0 = components.map(|component| (component[0], [Self::NOTHING; 64])).collect();
    }

    fn scan(&mut self, segment: &[u8]) {
        let count = usize::from(segment.first().copied().unwrap_or_default());
        let Some(&[first, last, bits]) = segment.get(1 + 2 * count..4 + 2 * count) else { return };
        for selector in segment[1..1 + 2 * count].chunks_exact(2) {
            let all = self.0.get_mut(&selector[0]);
            let given = all.and_then(|all| all.get_mut(usize::from(first)..=usize::from(last)));
            given.into_iter().flatten().for_each(|still| *still = bits & 15);
        }
    }

    fn is_whole(&self) -> bool {
        self.0.values().flatten().all(|bits| *bits == 0)
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
    precision: Precision,
    is_open: bool,
    tables: Tables,
    blocks: Frame,
    /// Scans of a sequential image without restarts, which can be checked.
    whole: Vec<Scan<'a>>,
}

impl<'a> Rewriter<'a> {
    fn walk(&mut self, bytes: &'a [u8]) -> Result<(), DecodeError> {
        let mut at = 2;
        loop {
            let Some((marker, behind)) = next_marker(bytes, at) else { return self.end_without_marker() };
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
                let end = scan_end(bytes, at).unwrap_or_else(|| without_marker_begun(bytes, at));
                if self.coding.interval > 0 && self.least_bits > 1 {
                    self.stream.extend(self.coding.resynchronized(body, &bytes[at..end]));
                } else {
                    self.stream.extend_from_slice(&bytes[at..end]);
                    if self.least_bits > 1 {
                        self.whole.push(Scan { header: body, coded: &bytes[at..end], tables: self.tables.clone() });
                    }
                }
                self.coded += (end - at) as u64;
                at = end;
            }
        }
    }

    /// The bytes are at their end, and every bit of the pixels has come, or at least begun to.
    fn end_without_marker(&mut self) -> Result<(), DecodeError> {
        if self.scans == 0 || !self.precision.is_whole() {
            return Err(DecodeError::CutOff("it has no end marker"));
        }
        self.is_open = true;
        Ok(())
    }

    fn take(&mut self, marker: u8, body: &'a [u8]) -> Result<(), DecodeError> {
        match (marker, body) {
            (HUFFMAN, tables) => {
                self.coding.tables(tables);
                self.tables.take(tables);
            }
            (0xDD, &[high, low]) => self.coding.interval = u16::from_be_bytes([high, low]).into(),
            (0xC0..=0xC2, frame) => {
                self.coding.frame(frame);
                self.precision.frame(frame);
                self.blocks = Frame::of(frame);
            }
            (START_OF_SCAN, scan) => self.precision.scan(scan),
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

/// Where coded pixels end that reach to the file's end, without the first byte of a marker that is cut off.
fn without_marker_begun(bytes: &[u8], from: usize) -> usize {
    let begun = bytes[from..].iter().rev().take_while(|byte| **byte == 0xFF).count();
    bytes.len() - begun
}

/// Whether these are the first bytes of a JPEG.
pub(crate) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, START])
}
