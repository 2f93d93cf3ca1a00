//! Image file directories of TIFF 6.0, BigTIFF and Exif 2.32, read tolerantly: an entry that is damaged loses itself. kamadak-exif
//! and tiff give up a whole directory, or do not tell which entry is to blame.

use crate::problem::Problem;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

/// Most entries of a directory that are looked at.
const MAX_ENTRIES: u64 = 4096;
/// Most directories that are looked through for a whole image.
const MAX_CHAIN: usize = 64;
/// Largest value that is read, in bytes.
const MAX_VALUE: u64 = 1 << 20;

/// The directories of a TIFF file, or of an Exif block.
pub(crate) struct Directories<R> {
    input: R,
    length: u64,
    big_endian: bool,
    big: bool,
}

/// An entry of a directory.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its tag.
    pub(crate) tag: u16,
    /// Its type, by TIFF's number.
    pub(crate) kind: u16,
    /// The bytes of its values.
    pub(crate) bytes: Range<u64>,
    /// Whether the values stand apart from the directory.
    pub(crate) apart: bool,
}

/// A directory: those of its entries that are whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    /// Its entries in the file's order.
    pub(crate) entries: Vec<Entry>,
    /// The bytes of the directory without the offset of the next one, which some writers leave out.
    pub(crate) bytes: Range<u64>,
    /// What is wrong with it.
    pub(crate) problem: Option<Problem>,
}

/// The values of an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// BYTE, ASCII, SBYTE, UNDEFINED.
    Bytes(Vec<u8>),
    /// SHORT, LONG, IFD, LONG8, IFD8 and the signed ones.
    Integers(Vec<i64>),
    /// RATIONAL, SRATIONAL: numerator and denominator.
    Rationals(Vec<(i64, i64)>),
    /// FLOAT, DOUBLE.
    Floats(Vec<f64>),
}

/// Bytes of a value of each type; `None` where the type is unknown.
fn width(kind: u16) -> Option<u64> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}

impl<R: Read + Seek> Directories<R> {
    /// Reads the header; gives the offset of the first directory.
    pub(crate) fn open(mut input: R) -> Result<(Self, u64), Problem> {
        let length = input.seek(SeekFrom::End(0)).map_err(|error| Problem::structure("file", error.to_string()))?;
        let mut read = Self { input, length, big_endian: false, big: false };
        let header = read.bytes(0, 8).ok_or_else(|| Problem::structure("TIFF header", "cut off"))?;
        read.big_endian = match &header[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return Err(Problem::structure("TIFF header", "no byte order")),
        };
        read.big = match read.unsigned(&header[2..4]) {
            42 => false,
            43 => true,
            other => return Err(Problem::structure("TIFF header", format!("version {other}, expected 42 or 43"))),
        };
        let first = match read.big {
            true => read.number(8, 8).ok_or_else(|| Problem::structure("TIFF header", "cut off"))?,
            false => read.unsigned(&header[4..8]),
        };
        Ok((read, first))
    }

    /// The directory at an offset. What lies outside of the file is left out.
    pub(crate) fn directory(&mut self, name: &str, at: u64) -> Directory {
        let (count_width, entry_width, field) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let part = format!("{name} at byte {at}");
        if at < 8 {
            return Directory { problem: Some(Problem::structure(part, "in the header")), ..Directory::default() };
        }
        let Some(count) = self.number(at, count_width) else {
            let problem = Some(Problem::structure(part, format!("outside of {} bytes", self.length)));
            return Directory { problem, ..Directory::default() };
        };
        let begin = at + count_width;
        let whole = (self.length - begin) / entry_width;
        let read = count.min(whole).min(MAX_ENTRIES);
        let problem = (read < count).then(|| Problem::structure(part, format!("{read} of {count} entries are there")));
        let mut entries = Vec::new();
        for n in 0..read {
            entries.extend(self.entry(begin + n * entry_width, field));
        }
        Directory { entries, bytes: at..begin + read * entry_width, problem }
    }

    /// The first directory of a whole image, as pixels are read by: a thumbnail or a mask that stands before it is passed over.
    pub(crate) fn of_image(&mut self, first: u64) -> Directory {
        let begin = self.directory("first directory", first);
        let mut directory = begin.clone();
        for _ in 0..MAX_CHAIN {
            if self.is_whole(&directory) {
                return directory;
            }
            let Some(next) = self.next(&directory) else { break };
            directory = self.directory("next directory", next);
        }
        begin
    }

    fn is_whole(&mut self, directory: &Directory) -> bool {
        const SUBFILE: u16 = 254;
        const NOT_WHOLE: i64 = 1 | 4;
        let entry = directory.entries.iter().find(|entry| entry.tag == SUBFILE).cloned();
        match entry.map(|entry| self.value("NewSubfileType", &entry)) {
            Some(Ok(Value::Integers(values))) => values.first().is_none_or(|kind| kind & NOT_WHOLE == 0),
            _ => true,
        }
    }

    fn entry(&mut self, at: u64, field: u64) -> Option<Entry> {
        let (tag, kind) = (self.number(at, 2)? as u16, self.number(at + 2, 2)? as u16);
        let (count, inline) = (self.number(at + 4, field)?, at + 4 + field);
        let length = width(kind).and_then(|width| count.checked_mul(width));
        let apart = length.is_none_or(|length| length > field);
        let begin = if apart { self.number(inline, field)? } else { inline };
        let end = length.and_then(|length| begin.checked_add(length)).unwrap_or(u64::MAX);
        Some(Entry { tag, kind, bytes: begin..end, apart })
    }

    /// Where the next directory lies.
    pub(crate) fn next(&mut self, directory: &Directory) -> Option<u64> {
        self.number(directory.bytes.end, if self.big { 8 } else { 4 }).filter(|&at| at != 0)
    }

    /// Whether an entry's values lie in the file.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        entry.bytes.end <= self.length
    }

    /// The values of an entry.
    pub(crate) fn value(&mut self, name: &'static str, entry: &Entry) -> Result<Value, Problem> {
        let length = entry.bytes.end.saturating_sub(entry.bytes.start);
        if width(entry.kind).is_none() {
            return Err(Problem::value(name, format!("of type {}", entry.kind), "a type that TIFF knows"));
        }
        if !self.holds(entry) {
            let found = format!("at bytes {} to {} of {}", entry.bytes.start, entry.bytes.end, self.length);
            return Err(Problem::value(name, found, "a value in the file"));
        }
        if length > MAX_VALUE {
            return Err(Problem::value(name, format!("{length} bytes long"), "1 MiB at most"));
        }
        let bytes = self.bytes(entry.bytes.start, length as usize);
        let bytes = bytes.ok_or_else(|| Problem::value(name, "cut off", "a value in the file"))?;
        let width = width(entry.kind).unwrap_or(1) as usize;
        let pieces = bytes.chunks_exact(width);
        Ok(match entry.kind {
            3 | 4 | 13 | 16 | 18 => Value::Integers(pieces.map(|piece| self.unsigned(piece) as i64).collect()),
            8 | 9 | 17 => Value::Integers(pieces.map(|piece| self.signed(piece)).collect()),
            5 => Value::Rationals(
                pieces.map(|piece| (self.unsigned(&piece[..4]) as i64, self.unsigned(&piece[4..]) as i64)).collect(),
            ),
            10 => Value::Rationals(pieces.map(|piece| (self.signed(&piece[..4]), self.signed(&piece[4..]))).collect()),
            11 => Value::Floats(pieces.map(|piece| f64::from(f32::from_bits(self.unsigned(piece) as u32))).collect()),
            12 => Value::Floats(pieces.map(|piece| f64::from_bits(self.unsigned(piece))).collect()),
            _ => Value::Bytes(bytes),
        })
    }

    fn bytes(&mut self, at: u64, length: usize) -> Option<Vec<u8>> {
        if at.checked_add(length as u64)? > self.length {
            return None;
        }
        self.input.seek(SeekFrom::Start(at)).ok()?;
        let mut bytes = vec![0; length];
        self.input.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    fn number(&mut self, at: u64, width: u64) -> Option<u64> {
        let bytes = self.bytes(at, width as usize)?;
        Some(self.unsigned(&bytes))
    }

    fn unsigned(&self, bytes: &[u8]) -> u64 {
        let append = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) }
    }

    fn signed(&self, bytes: &[u8]) -> i64 {
        let unused = 64 - 8 * bytes.len() as u32;
        ((self.unsigned(bytes) << unused) as i64) >> unused
    }
}

impl Value {
    /// Numbers of any kind; a quotient with 0 below is NaN.
    pub(crate) fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Bytes(bytes) => bytes.iter().map(|&byte| f64::from(byte)).collect(),
            Self::Integers(values) => values.iter().map(|&value| value as f64).collect(),
            Self::Rationals(values) => {
                values.iter().map(|&(up, down)| if down == 0 { f64::NAN } else { up as f64 / down as f64 }).collect()
            }
            Self::Floats(values) => values.clone(),
        }
    }

    /// Text up to its first NUL, without blanks around it.
    pub(crate) fn text(&self) -> Option<String> {
        let Self::Bytes(bytes) = self else { return None };
        let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).trim().to_owned())
    }
}
