//! Where Exif and XMP stand in an image file: APP1 segments of a JPEG, `eXIf` and `iTXt` chunks of a PNG, the file itself and tag
//! 700 of a TIFF.

use crate::ifd::{Directories, Value};
use crate::problem::Problem;
use std::io::{Read, Seek, SeekFrom};

/// Most bytes in front of a JPEG's pixels that are looked through: dozens of profiles and notes of makers.
const MAX_HEAD: u64 = 1 << 24;
/// Longest chunk of a PNG that is read for its tags, in bytes.
const MAX_CHUNK: u64 = 1 << 24;
/// Most bytes between two segments' ends that are passed over in search of the next one.
const MAX_DEBRIS: usize = 1 << 16;
/// XMP's name in a JPEG segment.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// XMP's name in a PNG chunk, with the bytes that say: not compressed, no language.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a file has.
#[derive(Default)]
pub(super) struct Found {
    /// Its Exif is the file itself.
    pub(super) is_tiff: bool,
    /// A TIFF structure inside of another file.
    pub(super) exif: Option<Vec<u8>>,
    /// A packet of XML.
    pub(super) xmp: Option<Vec<u8>>,
    pub(super) problems: Vec<Problem>,
}

/// Looks for Exif and XMP; what is no image has none. Of the file only what may hold tags is read.
pub(super) fn open(input: &mut (impl Read + Seek)) -> Found {
    search(input).unwrap_or_else(|error| {
        let problems = vec![Problem::structure("file", error.to_string())];
        Found { problems, ..Found::default() }
    })
}

fn search(input: &mut (impl Read + Seek)) -> std::io::Result<Found> {
    let mut start = Vec::new();
    input.rewind()?;
    input.take(PNG.len() as u64).read_to_end(&mut start)?;
    if start.starts_with(&[0xFF, 0xD8]) {
        input.rewind()?;
        let mut head = Vec::new();
        input.take(MAX_HEAD).read_to_end(&mut head)?;
        Ok(jpeg(&head))
    } else if start == PNG {
        png(input)
    } else if start.starts_with(b"II") || start.starts_with(b"MM") {
        Ok(tiff(input))
    } else {
        Ok(Found::default())
    }
}

fn jpeg(bytes: &[u8]) -> Found {
    let mut found = Found::default();
    let mut at = 2;
    while let Some(rest) = bytes.get(at..) {
        // Debris and fill bytes stand before a marker: 0xFF and neither 0 nor 0xFF.
        let marker = rest.windows(2).take(MAX_DEBRIS).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF));
        let Some(&[_, marker, high, low]) = marker.and_then(|skip| {
            at += skip;
            bytes.get(at..at + 4)
        }) else {
            break;
        };
        match marker {
            // Start of scan, end of image: no tags from here on.
            0xDA | 0xD9 => break,
            // Markers without a length.
            0x01 | 0xD0..=0xD8 => {
                at += 2;
                continue;
            }
            _ => {}
        }
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        if marker == 0xE1 {
            let body = bytes.get(at + 4..end.min(bytes.len())).unwrap_or_default();
            if end > bytes.len() {
                let part = format!("APP1 segment at byte {at}");
                found.problems.push(Problem::structure(part, format!("ends at {end} of {}", bytes.len())));
            }
            if body.starts_with(b"Exif\0") && found.exif.is_none() {
                found.exif = body.get(6..).map(<[u8]>::to_vec);
            } else if let Some(packet) = body.strip_prefix(XMP)
                && found.xmp.is_none()
            {
                found.xmp = Some(packet.to_vec());
            }
        }
        at = end;
    }
    found
}

fn png(input: &mut (impl Read + Seek)) -> std::io::Result<Found> {
    let mut found = Found::default();
    let mut head = [0; 8];
    while input.read_exact(&mut head).is_ok() {
        let length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let name = &head[4..];
        let is_exif = name == b"eXIf" && found.exif.is_none();
        let is_text = name == b"iTXt" && found.xmp.is_none();
        if !(is_exif || is_text) || length > MAX_CHUNK {
            // The checksum stands behind.
            input.seek(SeekFrom::Current(length as i64 + 4))?;
            continue;
        }
        let mut body = Vec::new();
        input.take(length).read_to_end(&mut body)?;
        let mut check = [0; 4];
        if body.len() as u64 != length || input.read_exact(&mut check).is_err() {
            break;
        }
        if is_text && !body.starts_with(PNG_XMP) {
            continue;
        }
        let mut sum = crc32fast::Hasher::new();
        sum.update(name);
        sum.update(&body);
        if sum.finalize().to_be_bytes() != check {
            let part = format!("PNG chunk {}", String::from_utf8_lossy(name));
            found.problems.push(Problem::structure(part, "its checksum is another"));
        } else if is_exif {
            found.exif = Some(body);
        } else {
            found.xmp = body.strip_prefix(PNG_XMP).and_then(png_text).map(<[u8]>::to_vec);
        }
    }
    Ok(found)
}

/// The text behind an `iTXt` chunk's language and translated keyword.
fn png_text(body: &[u8]) -> Option<&[u8]> {
    let language = body.iter().position(|&byte| byte == 0)?;
    let keyword = body[language + 1..].iter().position(|&byte| byte == 0)?;
    body.get(language + keyword + 2..)
}

fn tiff(input: &mut (impl Read + Seek)) -> Found {
    const XMP_TAG: u16 = 700;
    let mut found = Found { is_tiff: true, ..Found::default() };
    let Ok((mut directories, first)) = Directories::open(input) else { return found };
    let directory = directories.directory("first directory", first);
    let Some(entry) = directory.entries.iter().find(|entry| entry.tag == XMP_TAG) else { return found };
    match directories.value("XMP", entry) {
        Ok(Value::Bytes(packet)) => found.xmp = Some(packet),
        Ok(_) => found.problems.push(Problem::value("XMP", format!("of type {}", entry.kind), "bytes")),
        Err(problem) => found.problems.push(problem),
    }
    found
}
