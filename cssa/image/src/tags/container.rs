//! Where Exif and XMP stand in an image file: APP1 segments of a JPEG, `eXIf` and `iTXt` chunks of a PNG, the file itself and tag
//! 700 of a TIFF.

use crate::ifd::{Directories, Value};
use crate::problem::Problem;
use std::borrow::Cow;
use std::io::Cursor;

/// Most bytes between two segments' ends that are passed over in search of the next one.
const MAX_DEBRIS: usize = 1 << 16;
/// XMP's name in a JPEG segment.
const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// XMP's name in a PNG chunk, with the bytes that say: not compressed, no language.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a file has.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) is_tiff: bool,
    /// A TIFF structure.
    pub(super) exif: Option<&'a [u8]>,
    /// A packet of XML.
    pub(super) xmp: Option<Cow<'a, [u8]>>,
    pub(super) problems: Vec<Problem>,
}

/// Looks for Exif and XMP; what is no image has none.
pub(super) fn open(bytes: &[u8]) -> Found<'_> {
    if bytes.starts_with(&[0xFF, 0xD8]) {
        jpeg(bytes)
    } else if bytes.starts_with(PNG) {
        png(bytes)
    } else if bytes.starts_with(b"II") || bytes.starts_with(b"MM") {
        tiff(bytes)
    } else {
        Found::default()
    }
}

fn jpeg(bytes: &[u8]) -> Found<'_> {
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
                found.exif = body.get(6..);
            } else if let Some(packet) = body.strip_prefix(XMP)
                && found.xmp.is_none()
            {
                found.xmp = Some(packet.into());
            }
        }
        at = end;
    }
    found
}

fn png(bytes: &[u8]) -> Found<'_> {
    let mut found = Found::default();
    let mut rest = &bytes[PNG.len()..];
    while let Some((head, after)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let name = &head[4..];
        let Some((body, after)) = after.split_at_checked(length) else { break };
        let Some((check, after)) = after.split_at_checked(4) else { break };
        let is_exif = name == b"eXIf" && found.exif.is_none();
        let packet = body.strip_prefix(PNG_XMP).filter(|_| name == b"iTXt" && found.xmp.is_none());
        if is_exif || packet.is_some() {
            let mut sum = crc32fast::Hasher::new();
            sum.update(name);
            sum.update(body);
            if sum.finalize().to_be_bytes() == check {
                found.exif = found.exif.or(is_exif.then_some(body));
                found.xmp = found.xmp.or(packet.and_then(png_text).map(Into::into));
            } else {
                let part = format!("PNG chunk {}", String::from_utf8_lossy(name));
                found.problems.push(Problem::structure(part, "its checksum is another"));
            }
        }
        rest = after;
    }
    found
}

/// The text behind an `iTXt` chunk's language and translated keyword.
fn png_text(body: &[u8]) -> Option<&[u8]> {
    let language = body.iter().position(|&byte| byte == 0)?;
    let keyword = body[language + 1..].iter().position(|&byte| byte == 0)?;
    body.get(language + keyword + 2..)
}

fn tiff(bytes: &[u8]) -> Found<'_> {
    const XMP_TAG: u16 = 700;
    let mut found = Found { is_tiff: true, exif: Some(bytes), ..Found::default() };
    let Ok((mut directories, first)) = Directories::open(Cursor::new(bytes)) else { return found };
    let directory = directories.directory("first directory", first);
    let Some(entry) = directory.entries.iter().find(|entry| entry.tag == XMP_TAG) else { return found };
    match directories.value("XMP", entry) {
        Ok(Value::Bytes(packet)) => found.xmp = Some(packet.into()),
        Ok(_) => found.problems.push(Problem::value("XMP", format!("of type {}", entry.kind), "bytes")),
        Err(problem) => found.problems.push(problem),
    }
    found
}
