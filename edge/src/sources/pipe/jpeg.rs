//! Where a JPEG of a stream ends (ITU-T T.81, annex B): its segments are passed over by their lengths, its entropy-coded pixels up to the
//! next marker. Bytes between segments are passed over too, as libjpeg does.

use exif::{Context, In, Reader, Tag, Value};
use std::ops::Range;

/// Most bytes between two segments.
const MAX_JUNK: usize = 1 << 16;
/// How a JPEG begins: its first marker, and the first byte of the next.
const START: &[u8] = &[0xFF, 0xD8, 0xFF];
/// How the payload of a segment begins that says where the pictures behind the first one are (CIPA DC-007).
const MULTI_PICTURE: &[u8] = b"MPF\0";
/// Of those pictures, their attributes, sizes and offsets.
const MULTI_PICTURE_ENTRIES: Tag = Tag(Context::Tiff, 0xB002);

/// How far a JPEG is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on behind the bytes at hand.
    More,
    /// It is whole: so many bytes.
    End(usize),
    /// Another one begins here, before its end.
    Cut(usize),
    /// What is here belongs to no JPEG.
    Broken(usize),
}

/// A walk through the bytes of a JPEG, from its start on; it goes on where it was when there are more of them.
#[derive(Debug)]
pub(super) struct Walk {
    at: usize,
    in_scan: bool,
    /// Bytes between segments are no part of it.
    is_strict: bool,
    /// Where bytes between segments begin.
    junk: Option<usize>,
    /// The payload of the last segment.
    segment: Range<usize>,
    /// Width and height.
    size: Option<(u16, u16)>,
    pictures: Option<Range<usize>>,
}

impl Walk {
    /// A walk that begins behind the marker of a JPEG's start.
    pub(super) fn new() -> Self {
        Self { at: 2, in_scan: false, is_strict: false, junk: None, segment: 0..0, size: None, pictures: None }
    }

    /// Goes on as far as `bytes` allow, which begin with the JPEG.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Progress {
        while let Some(&first) = bytes.get(self.at) {
            if first != 0xFF {
                if let Some(stop) = self.pass(bytes) {
                    return stop;
                }
                continue;
            }
            match bytes.get(self.at + 1) {
                None => return Progress::More,
                Some(0xFF) => self.at += 1,
                Some(0xD8) => return Progress::Cut(self.at),
                Some(0xD9) => return Progress::End(self.at + 2),
                // Stuffed zeros, restarts, and what is no marker.
                Some(0x00..=0xBF | 0xD0..=0xD7) => self.at += 2,
                Some(&marker) => {
                    let Some(&[high, low]) = bytes.get(self.at + 2..self.at + 4) else { return Progress::More };
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    if bytes[self.at + 2..].starts_with(START) {
                        return Progress::Cut(self.at + 2);
                    }
                    if length < 2 {
                        self.at += 2;
                        continue;
                    }
                    let segment = self.at + 4..self.at + 2 + length;
                    let Some(payload) = bytes.get(segment.clone()) else {
                        self.segment = segment;
                        return Progress::More;
                    };
                    // What begins at its end is seen with what follows.
                    if bytes.len() < segment.end + 2 {
                        self.segment = segment;
                        return Progress::More;
                    }
                    match hidden(marker, &segment, bytes) {
                        Some((_, None)) => {
                            self.segment = segment;
                            return Progress::More;
                        }
                        Some((cut, Some(true))) => return Progress::Cut(cut),
                        Some((_, Some(false))) | None => {}
                    }
                    self.take(marker, segment, payload);
                }
            }
        }
        Progress::More
    }

    /// Passes over pixels, or over bytes between segments.
    fn pass(&mut self, bytes: &[u8]) -> Option<Progress> {
        let rest = &bytes[self.at..];
        let next = self.at + rest.iter().position(|&byte| byte == 0xFF).unwrap_or(rest.len());
        if self.in_scan {
            self.at = next;
            return None;
        }
        if self.is_strict {
            return Some(Progress::Broken(self.at));
        }
        if self.junk.is_none()
            && let Some(cut) = self.swallowed(bytes)
        {
            return Some(Progress::Cut(cut));
        }
        let begins = *self.junk.get_or_insert(self.at);
        self.at = next;
        (next - begins > MAX_JUNK).then_some(Progress::Broken(begins + MAX_JUNK))
    }

    fn take(&mut self, marker: u8, segment: Range<usize>, payload: &[u8]) {
        match (marker, payload) {
            (0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF, &[_, a, b, c, d, ..]) => {
                self.size = Some((u16::from_be_bytes([c, d]), u16::from_be_bytes([a, b])));
            }
            (0xE2, payload) if payload.starts_with(MULTI_PICTURE) => self.pictures = Some(segment.clone()),
            _ => {}
        }
        (self.at, self.in_scan, self.junk) = (segment.end, marker == 0xDA, None);
        self.segment = segment;
    }

    /// Where the next JPEG begins inside of the last segment, whose length then covers more than was written of it. The first whole JPEG
    /// of an Exif segment is its thumbnail.
    pub(super) fn swallowed(&self, bytes: &[u8]) -> Option<usize> {
        let segment = &bytes[..self.segment.end.min(bytes.len())];
        let is_exif = segment.get(self.segment.start..).is_some_and(|payload| payload.starts_with(b"Exif"));
        // It may begin in the length itself.
        let mut begins =
            (self.segment.start.saturating_sub(2)..segment.len()).filter(|&at| segment[at..].starts_with(START));
        let first = begins.next()?;
        let is_thumbnail = is_exif && matches!(strictly(&segment[first..]), Progress::End(_));
        if !is_thumbnail && reaches_the_end(&segment[first..]) {
            return Some(first);
        }
        begins.find(|&at| reaches_the_end(&segment[at..]))
    }

    /// Width and height in pixels.
    pub(super) fn size(&self) -> Option<(u16, u16)> {
        self.size
    }

    /// Where the pictures behind this one begin, from its first byte on, and their lengths; as its own index says.
    pub(super) fn pictures(&self, bytes: &[u8]) -> Vec<(u64, u64)> {
        let index = self.pictures.clone().and_then(|segment| {
            let begins = segment.start + MULTI_PICTURE.len();
            Some((begins as u64, bytes.get(begins..segment.end)?))
        });
        let Some((begins, index)) = index else { return Vec::new() };
        let Ok(index) = Reader::new().read_raw(index.to_vec()) else { return Vec::new() };
        let Some(Value::Undefined(entries, _)) =
            index.get_field(MULTI_PICTURE_ENTRIES, In::PRIMARY).map(|field| &field.value)
        else {
            return Vec::new();
        };
        let number = |bytes: &[u8]| {
            let bytes = bytes.try_into().unwrap_or_default();
            u64::from(if index.little_endian() { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
        };
        let entries = entries.chunks_exact(16).map(|entry| (number(&entry[8..12]), number(&entry[4..8])));
        entries.filter(|&(offset, _)| offset > 0).map(|(offset, length)| (begins + offset, length)).collect()
    }
}

/// Where another JPEG begins inside of a segment of tables or a header of frame or scan, which hold none: the frame was cut there, and the
/// length of its segment covers the beginning of the next. Beside the place, whether one begins there, as [`begins`] says.
fn hidden(marker: u8, segment: &Range<usize>, bytes: &[u8]) -> Option<(usize, Option<bool>)> {
    // JFIF's own segment without a thumbnail.
    let is_plain = marker == 0xE0 && segment.len() == 14 && bytes[segment.start..].starts_with(b"JFIF\0");
    if !is_plain && !matches!(marker, 0xC0..=0xCF | 0xDA | 0xDB | 0xDD) {
        return None;
    }
    // It may begin in the length, and end in the next marker.
    let from = segment.start.saturating_sub(2);
    let around = bytes.get(from..bytes.len().min(segment.end + 2))?;
    let at = from + around.windows(START.len()).position(|window| window == START)?;
    Some((at, begins(&bytes[at..])))
}

/// How far a JPEG is known that has no byte too many.
fn strictly(bytes: &[u8]) -> Progress {
    Walk { is_strict: true, ..Walk::new() }.advance(bytes)
}

/// Whether bytes are JPEGs, the last of which goes on.
fn reaches_the_end(mut bytes: &[u8]) -> bool {
    while bytes.starts_with(START) {
        match strictly(bytes) {
            Progress::End(length) => bytes = &bytes[length..],
            progress => return progress == Progress::More,
        }
    }
    false
}

/// Whether a JPEG begins here, behind bytes that are no frame: its first segment is followed by a marker. `None` where that needs more
/// bytes.
pub(super) fn begins(bytes: &[u8]) -> Option<bool> {
    if !bytes.iter().zip(START).all(|(byte, expected)| byte == expected) {
        return Some(false);
    }
    let &marker = bytes.get(3)?;
    if !matches!(marker, 0xC0..=0xCF | 0xDB..=0xFE) {
        return Some(false);
    }
    let length = usize::from(u16::from_be_bytes([*bytes.get(4)?, *bytes.get(5)?]));
    Some(length >= 2 && *bytes.get(4 + length)? == 0xFF)
}
