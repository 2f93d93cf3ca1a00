//! The caption packet, version 1: a postcard envelope and a checksum.
//!
//! | bytes | field | encoding |
//! |---|---|---|
//! | 1 | wire version | [`WIRE_VERSION`] |
//! | 2 | bundle id | u16, little-endian: first 16 bits of the bundle's hash |
//! | 1–5 | sequence number | u32 as a postcard varint: counts the captions of one run of the sender, wraps |
//! | 4 | time | u32, little-endian: seconds since 1970-01-01 UTC |
//! | 1 | score | u8: probability × 255, rounded |
//! | 1–2 | number of words | postcard varint, at most [`LONGEST_CAPTION`] |
//! | 1–3 each | words | u16 as a postcard varint: rank by frequency, the most frequent word is 0 |
//! | 4 | checksum | CRC-32/ISO-HDLC over all bytes before, little-endian |
//!
//! The 128 most frequent words take one byte each. A packet is refused, never guessed at: the checksum is looked at first,
//! then the version, then the bounds, and no byte may be left over. Any change of these bytes takes a new version and new
//! vectors in `fixtures/wire`.

mod stream;

pub use stream::{Frame, frames, push_frame};

use alloc::vec::Vec;
use crc::{CRC_32_ISO_HDLC, Crc};
use cssa::vocabulary::TokenId;
use serde::{Deserialize, Serialize};

/// The version that this code writes and reads.
pub const WIRE_VERSION: u8 = 1;
/// Most words of a caption.
pub const LONGEST_CAPTION: usize = 255;
/// Bytes of a packet at most: every field at its longest.
pub const LARGEST_PACKET: usize = 1 + 2 + 5 + 4 + 1 + 2 + 3 * LONGEST_CAPTION + CHECKSUM;

const CHECKSUM: usize = 4;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A caption on its way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The bundle whose vocabulary the words are from.
    pub bundle: u16,
    /// Counts the captions of one run of the sender.
    pub sequence: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u32,
    /// How sure the model is, 0 to 255 for 0 to 1.
    pub score: u8,
    /// The words, without start and end.
    pub tokens: Vec<TokenId>,
}

/// The fixed part of the envelope as postcard sees it: the order of the fields is the order on the wire. The words follow
/// as postcard writes a `Vec<u16>`, read one by one so that a false count allocates nothing.
#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u8,
    #[serde(with = "postcard::fixint::le")]
    bundle: u16,
    sequence: u32,
    #[serde(with = "postcard::fixint::le")]
    time: u32,
    score: u8,
}

/// Why a caption cannot be packed or a packet not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than the shortest or longer than the longest packet.
    #[error("{found} bytes, expected 14 to {LARGEST_PACKET}")]
    Length {
        /// Bytes received.
        found: usize,
    },
    /// The bytes changed on the way.
    #[error("checksum is {found:08x}, expected {expected:08x}: damaged on the way")]
    Checksum {
        /// What the packet says.
        found: u32,
        /// What its bytes give.
        expected: u32,
    },
    /// Made by another version of this program.
    #[error("wire version {found}, expected {WIRE_VERSION}")]
    Version {
        /// The packet's first byte.
        found: u8,
    },
    /// The checksum is right but the envelope is not.
    #[error("malformed envelope")]
    Malformed,
    /// More words than a packet may have.
    #[error("{found} words, expected at most {LONGEST_CAPTION}")]
    Words {
        /// Words found.
        found: usize,
    },
    /// A caption with a token that is no word.
    #[error("token {found} is no word")]
    Special {
        /// The token.
        found: u16,
    },
}

impl Packet {
    /// The bytes of the packet.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        if self.tokens.len() > LONGEST_CAPTION {
            return Err(WireError::Words { found: self.tokens.len() });
        }
        let envelope = Envelope {
            version: WIRE_VERSION,
            bundle: self.bundle,
            sequence: self.sequence,
            time: self.time,
            score: self.score,
        };
        let rank =
            |token: &TokenId| token.0.checked_sub(TokenId::FIRST_WORD.0).ok_or(WireError::Special { found: token.0 });
        let ranks: Vec<u16> = self.tokens.iter().map(rank).collect::<Result<_, _>>()?;
        let mut bytes = postcard::to_allocvec(&(envelope, ranks)).map_err(|_| WireError::Malformed)?;
        bytes.extend(CRC.checksum(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads a packet. Never panics and never allocates more than the longest caption takes, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        const SHORTEST: usize = 1 + 2 + 1 + 4 + 1 + 1 + CHECKSUM;
        if !(SHORTEST..=LARGEST_PACKET).contains(&bytes.len()) {
            return Err(WireError::Length { found: bytes.len() });
        }
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(WireError::Malformed)?;
        let (found, expected) = (u32::from_le_bytes(*checksum), CRC.checksum(content));
        if found != expected {
            return Err(WireError::Checksum { found, expected });
        }
        if content[0] != WIRE_VERSION {
            return Err(WireError::Version { found: content[0] });
        }
        let (envelope, rest) = take::<Envelope>(content)?;
        let (count, mut rest) = take::<u32>(rest)?;
        let count = count as usize;
        if count > LONGEST_CAPTION {
            return Err(WireError::Words { found: count });
        }
        let mut tokens = Vec::with_capacity(count);
        for _ in 0..count {
            let (rank, after) = take::<u16>(rest)?;
            tokens.push(TokenId(rank.checked_add(TokenId::FIRST_WORD.0).ok_or(WireError::Malformed)?));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(WireError::Malformed);
        }
        let Envelope { bundle, sequence, time, score, .. } = envelope;
        Ok(Self { bundle, sequence, time, score, tokens })
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), WireError> {
    postcard::take_from_bytes(bytes).map_err(|_| WireError::Malformed)
}

/// A probability as a packet's score.
#[must_use]
pub fn score_byte(probability: f32) -> u8 {
    let scaled = probability.clamp(0.0, 1.0) * 255.0 + 0.5;
    scaled as u8
}

#[cfg(test)]
mod tests;
