//! Files of packets, as `edge caption --packets` writes them: COBS frames, one after the other.

use super::error::Result;
use cssa::bundle::Language;
use cssa::files;
use cssa_wire::{self as wire, Checksum, Packet, WireError};
use std::path::Path;

/// Most bytes of a file.
const MAX_FILE: u64 = 1 << 30;

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
///
/// # Errors
/// A file that cannot be read, or is larger than 1 GiB.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(files::read(path, MAX_FILE)?)
}

/// The captions or a reason for each packet of a stream, in order.
pub fn decode<'a>(stream: &'a [u8], language: &'a Language) -> impl Iterator<Item = Result<Packet, Rejected>> + 'a {
    wire::frames(stream).enumerate().map(|(n, frame)| {
        let decoded =
            frame.packet.and_then(|bytes| Packet::decode(&bytes, language.id, &language.model, Checksum::Crc32));
        decoded.map_err(|problem| Rejected { number: n + 1, offset: frame.offset, problem })
    })
}
