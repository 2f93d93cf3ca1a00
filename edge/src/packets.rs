//! Captions as packets, and files of packets: written by `edge caption --packets`, read by `edge decode`.

use crate::captioner::Caption;
use crate::wire::{self, Checksum, Packet, WireError};
use anyhow::Result;
use cssa::bundle::Language;
use cssa::files;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Largest packet file, in bytes.
const LARGEST_FILE: u64 = 1 << 30;
/// Decimals of a degree in packets: 1.1 m.
pub const DIGITS: u8 = 5;

/// The system's clock in seconds since 1970.
#[must_use]
pub fn now() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// A sentence that was made now, as a packet holds it.
#[must_use]
pub fn caption(text: &str, score: f32, sequence: u32) -> wire::Caption {
    let (time, score) = (now(), wire::score(score));
    wire::Caption { sequence, time, position: None, score, priority: 0, repeat: false, text: text.into() }
}

/// The packet of captions.
pub fn pack(captions: Vec<wire::Caption>, language: &Language, checksum: Checksum) -> Result<Vec<u8>, WireError> {
    Packet { bundle: language.id, digits: DIGITS, captions }.encode(&language.model, checksum)
}

/// The packet of a caption that was made now.
pub fn pack_one(made: &Caption, language: &Language, sequence: u32) -> Result<Vec<u8>, WireError> {
    pack(vec![caption(&made.text, made.score, sequence)], language, Checksum::Crc32)
}

/// Why a packet gave no caption.
#[derive(Debug, thiserror::Error)]
#[error("packet {number} at byte {offset}: {problem}")]
pub struct Rejected {
    /// Its place in the file, from 1.
    pub number: usize,
    /// Where it starts.
    pub offset: usize,
    /// What is wrong.
    pub problem: WireError,
}

/// Reads a file of packets.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(files::read(path, LARGEST_FILE)?)
}

/// The captions or a reason for each packet of a stream, in order.
pub fn decode<'a>(stream: &'a [u8], language: &'a Language) -> impl Iterator<Item = Result<Packet, Rejected>> + 'a {
    wire::frames(stream).enumerate().map(|(n, frame)| {
        let decoded =
            frame.packet.and_then(|bytes| Packet::decode(&bytes, language.id, &language.model, Checksum::Crc32));
        decoded.map_err(|problem| Rejected { number: n + 1, offset: frame.offset, problem })
    })
}
