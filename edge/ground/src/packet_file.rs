//! Files of packets, as `edge caption --packets` writes them: COBS frames, one after the other.

use super::error::Result;
use crate::message::{Message, Taken};
use cssa::bundle::Language;
use cssa::files;
use cssa_wire::version2::PacketV2;
use cssa_wire::{self as wire, CaptionPacket, Checksum, DownPacket, Verification, Version, WireError};
use std::path::Path;

/// Most bytes of a file.
const MAX_FILE: u64 = 1 << 30;

/// Why a packet was not taken.
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

/// What each packet of a stream brought, or why not, in order. Codes of authentication are not looked at: a file is anybody's.
pub fn decode<'a>(stream: &'a [u8], language: &'a Language) -> impl Iterator<Item = Result<Taken, Rejected>> + 'a {
    wire::frames(stream).enumerate().map(|(n, frame)| {
        let decoded = frame.packet.and_then(|bytes| take(&bytes, language));
        decoded.map_err(|problem| Rejected { number: n + 1, offset: frame.offset, problem })
    })
}

fn take(bytes: &[u8], language: &Language) -> Result<Taken, WireError> {
    const CHECKSUM: Checksum = Checksum::Crc32;
    let Language { id, model } = language;
    if wire::version_of(bytes, CHECKSUM)? == Version::Two {
        return Ok(Taken::Captions(PacketV2::decode(bytes, *id, model, CHECKSUM)?.into()));
    }
    let packet = DownPacket::decode(bytes, Verification::Off, CHECKSUM)?;
    if let Some(message) = Message::of(&packet) {
        return Ok(Taken::Message(message));
    }
    if packet.bundle != *id {
        return Err(WireError::Bundle { found: packet.bundle, expected: *id });
    }
    Ok(Taken::Captions(CaptionPacket::of(&packet, model)?))
}
