//! A TIFF's first directory, as far as its pixels need it. What stands there beside, places, times or a camera's notes, must not
//! keep pixels from being read where it is damaged: the library is shown a directory without it.

use crate::error::DecodeError;
use std::sync::Arc;
use tiff_reader::TiffError;
use tiff_reader::source::{SharedSource, TiffSource};

/// NewSubfileType.
pub(super) const SUBFILE: u16 = 254;
/// Its bits that say of an image that it is another one's thumbnail, or its mask.
const NOT_WHOLE: u64 = 1 | 4;
pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const COLOUR_MAP: u16 = 320;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const SAMPLE_FORMAT: u16 = 339;
pub(super) const GDAL_NODATA: u16 = 42_113;
/// What the library reads pixels by, beside the tags above.
const FOR_PIXELS: [u16; 18] =
    [266, 273, 277, 278, 279, 284, 317, 318, 322, 323, 324, 325, 332, 347, 530, 531, 532, 50_674];
/// Most directories of a file that are looked through for a mask.
const MAX_DIRECTORIES: usize = 64;
/// Most bytes of a value that is read here.
const MAX_VALUE: u64 = 1 << 20;

/// One directory.
#[derive(Debug)]
pub(super) struct Directory {
    /// Where it stands.
    pub(super) at: u64,
    /// Where the next one stands, 0: nowhere.
    next: u64,
    order: Order,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    little: bool,
    big_tiff: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// The value or where it stands, as in the file.
    field: [u8; 8],
}

impl Directory {
    /// The first one of a whole image: a thumbnail or a mask that stands before it is passed over, unless there is nothing else.
    pub(super) fn of_image(source: &dyn TiffSource) -> Result<Self, DecodeError> {
        let first = Self::first(source)?;
        let is_whole = |directory: &Self| directory.number(source, SUBFILE).unwrap_or_default() & NOT_WHOLE == 0;
        let mut next = if is_whole(&first) { 0 } else { first.next };
        for _ in 0..MAX_DIRECTORIES {
            let Some(directory) = (next != 0).then(|| Self::read(source, first.order, next).ok()).flatten() else {
                break;
            };
            if is_whole(&directory) {
                return Ok(directory);
            }
            next = directory.next;
        }
        Ok(first)
    }

    /// The first one.
    fn first(source: &dyn TiffSource) -> Result<Self, DecodeError> {
        let head = source.read_exact_at(0, 8)?;
        let (little, big_tiff) = (head[0] == b'I', head[2] == 43 || head[3] == 43);
        let order = Order { little, big_tiff };
        let at = if big_tiff { order.number(&source.read_exact_at(8, 8)?) } else { order.number(&head[4..]) };
        Self::read(source, order, at)
    }

    /// A mask for an image of this size among the next ones.
    pub(super) fn mask(&self, source: &dyn TiffSource, size: (u32, u32)) -> Option<u64> {
        const IS_MASK: u64 = 4;
        let mut next = self.next;
        for _ in 0..MAX_DIRECTORIES {
            let directory = (next != 0).then(|| Self::read(source, self.order, next).ok()).flatten()?;
            let number = |tag| directory.number(source, tag).unwrap_or_default();
            let same_size = (number(WIDTH), number(HEIGHT)) == (u64::from(size.0), u64::from(size.1));
            if number(SUBFILE) & IS_MASK != 0 && same_size {
                return Some(next);
            }
            next = directory.next;
        }
        None
    }

    fn read(source: &dyn TiffSource, order: Order, at: u64) -> Result<Self, DecodeError> {
        let (head, field) = order.widths();
        let count = order.number(&source.read_exact_at(at, head)?);
        let odd = || DecodeError::Inconsistent(format!("the TIFF's directory at byte {at} says it has {count} tags"));
        let length = usize::try_from(count).ok().filter(|count| *count <= 4096).ok_or_else(odd)? * (4 + 2 * field);
        let body = source.read_exact_at(at + head as u64, length)?;
        let mut entries: Vec<Entry> = body.chunks_exact(4 + 2 * field).map(|bytes| order.entry(bytes)).collect();
        entries.sort_by_key(|entry| entry.tag);
        entries.dedup_by_key(|entry| entry.tag);
        // Some programs write no pointer behind the last directory.
        let next = source.read_exact_at(at + (head + length) as u64, field);
        let next = next.map(|bytes| order.number(&bytes)).unwrap_or_default();
        Ok(Self { at, next, order, entries })
    }

    /// The first value of a tag.
    pub(super) fn number(&self, source: &dyn TiffSource, tag: u16) -> Option<u64> {
        self.numbers(source, tag)?.first().copied()
    }

    /// The values of a tag of whole numbers.
    pub(super) fn numbers(&self, source: &dyn TiffSource, tag: u16) -> Option<Vec<u64>> {
        let (kind, bytes) = self.value(source, tag)?;
        let width = match kind {
            1 => 1,
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            _ => return None,
        };
        Some(bytes.chunks_exact(width).map(|bytes| self.order.number(bytes)).collect())
    }

    /// The text of a tag, without what stands behind its end.
    pub(super) fn text(&self, source: &dyn TiffSource, tag: u16) -> Option<String> {
        let (_, bytes) = self.value(source, tag).filter(|(kind, _)| *kind == 2)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).trim().to_owned())
    }

    fn value(&self, source: &dyn TiffSource, tag: u16) -> Option<(u16, Vec<u8>)> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        let width = match entry.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => return None,
        };
        let length = entry.count.checked_mul(width).filter(|length| *length <= MAX_VALUE)? as usize;
        let (_, field) = self.order.widths();
        if length <= field {
            return Some((entry.kind, entry.field[..length].to_vec()));
        }
        let bytes = source.read_exact_at(self.order.number(&entry.field[..field]), length).ok()?;
        Some((entry.kind, bytes))
    }

    /// The file with a directory of the tags alone that pixels need, and of no other one behind it.
    pub(super) fn only_pixels(&self, source: &SharedSource, without: &[u16]) -> SharedSource {
        const OPTIONAL: [u16; 5] = [318, 332, 531, 532, EXTRA_SAMPLES];
        const OWN: [u16; 9] =
            [SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, COLOUR_MAP, EXTRA_SAMPLES, SAMPLE_FORMAT];
        let kept = self.entries.iter().filter(|Entry { tag, .. }| {
            let known = OWN.contains(tag) || FOR_PIXELS.contains(tag);
            let damaged = OPTIONAL.contains(tag) && self.value(source.as_ref(), *tag).is_none();
            known && !damaged && !without.contains(tag)
        });
        let kept: Vec<&Entry> = kept.collect();
        let (head, field) = self.order.widths();
        let mut directory = self.order.bytes(kept.len() as u64, head);
        for entry in kept {
            directory.extend(self.order.bytes(entry.tag.into(), 2));
            directory.extend(self.order.bytes(entry.kind.into(), 2));
            directory.extend(self.order.bytes(entry.count, field));
            directory.extend_from_slice(&entry.field[..field]);
        }
        directory.extend(vec![0; field]);
        Arc::new(Overlaid { file: Arc::clone(source), at: self.at, directory })
    }
}

impl Order {
    /// Bytes of a directory's count of tags, and of a tag's count and of its value or offset.
    fn widths(self) -> (usize, usize) {
        if self.big_tiff { (8, 8) } else { (2, 4) }
    }

    fn number(self, bytes: &[u8]) -> u64 {
        let push = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, push) } else { bytes.iter().fold(0, push) }
    }

    fn bytes(self, number: u64, width: usize) -> Vec<u8> {
        if self.little { number.to_le_bytes()[..width].to_vec() } else { number.to_be_bytes()[8 - width..].to_vec() }
    }

    fn entry(self, bytes: &[u8]) -> Entry {
        let (_, width) = self.widths();
        let mut field = [0; 8];
        field[..width].copy_from_slice(&bytes[4 + width..]);
        Entry {
            tag: self.number(&bytes[..2]) as u16,
            kind: self.number(&bytes[2..4]) as u16,
            count: self.number(&bytes[4..4 + width]),
            field,
        }
    }
}

/// A file in which another directory stands than it has.
struct Overlaid {
    file: SharedSource,
    at: u64,
    directory: Vec<u8>,
}

impl TiffSource for Overlaid {
    fn len(&self) -> u64 {
        // The directory's pointer to the next may lie behind the end of a file that has none.
        self.file.len().max(self.at + self.directory.len() as u64)
    }

    fn read_exact_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, TiffError> {
        let end = offset.saturating_add(length as u64);
        let there = self.file.len().clamp(offset, end);
        if end > self.len() {
            return self.file.read_exact_at(offset, length);
        }
        let mut bytes = self.file.read_exact_at(offset, (there - offset) as usize)?;
        bytes.resize(length, 0);
        let (from, to) = (self.at.max(offset), (self.at + self.directory.len() as u64).min(end));
        if from < to {
            let own = &self.directory[(from - self.at) as usize..(to - self.at) as usize];
            bytes[(from - offset) as usize..(to - offset) as usize].copy_from_slice(own);
        }
        Ok(bytes)
    }
}
