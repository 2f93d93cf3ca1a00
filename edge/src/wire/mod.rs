//! The caption packet, version 2: a postcard envelope and a checksum.
//!
//! | bytes | field | encoding |
//! |---|---|---|
//! | 1 | wire version | [`WIRE_VERSION`] |
//! | 1 | flags | bits 0–1 priority, bit 2 sent before, bit 3 a position follows, the others 0 |
//! | 2 | bundle id | u16, little-endian: first 16 bits of the bundle's hash |
//! | 1–5 | sequence number | u32 as a postcard varint: counts the sender's captions, wraps |
//! | 4 | time | u32, little-endian: seconds since 1970-01-01 UTC |
//! | 1 | score | u8: probability × 255, rounded |
//! | 0 or 2–8 | latitude, longitude | where flagged: degrees × 100,000 (1.1 m), rounded, each an i32 as a zigzag varint |
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
pub const WIRE_VERSION: u8 = 2;
/// Most words of a caption.
pub const LONGEST_CAPTION: usize = 255;
/// Bytes of a packet at most: every field at its longest.
pub const LARGEST_PACKET: usize = 1 + 1 + 2 + 5 + 4 + 1 + 2 * 5 + 2 + 3 * LONGEST_CAPTION + CHECKSUM;

const CHECKSUM: usize = 4;
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A caption on its way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The bundle whose vocabulary the words are from.
    pub bundle: u16,
    /// Counts the sender's captions: two packets with the same number are the same caption.
    pub sequence: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u32,
    /// How sure the model is, 0 to 255 for 0 to 1.
    pub score: u8,
    /// How much it matters, 0 to [`HIGHEST_PRIORITY`].
    pub priority: u8,
    /// It may have been sent before.
    pub repeat: bool,
    /// Where the image was taken.
    pub position: Option<Position>,
    /// The words, without start and end.
    pub tokens: Vec<TokenId>,
}

/// The priority of what must arrive first.
pub const HIGHEST_PRIORITY: u8 = 3;

/// A place on the earth (WGS 84), to 1.1 m.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees north × 100,000.
    latitude: i32,
    /// Degrees east × 100,000.
    longitude: i32,
}

impl Position {
    const UNITS: f64 = 1e5;

    /// A place by degrees north and east; `None` where they are no place on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let units = |degrees: f64| libm::round(degrees * Self::UNITS) as i32;
        Some(Self { latitude: units(latitude), longitude: units(longitude) })
    }

    /// Degrees north and east.
    #[must_use]
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / Self::UNITS, f64::from(self.longitude) / Self::UNITS)
    }

    fn is_on_earth(self) -> bool {
        let (latitude, longitude) = self.degrees();
        Self::new(latitude, longitude).is_some()
    }
}

/// What the flags' bits say.
const PRIORITY: u8 = 0b11;
const REPEAT: u8 = 0b100;
const POSITION: u8 = 0b1000;

/// The fixed part of the envelope as postcard sees it: the order of the fields is the order on the wire. The words follow
/// as postcard writes a `Vec<u16>`, read one by one so that a false count allocates nothing.
#[derive(Serialize, Deserialize)]
struct Envelope {
    version: u8,
    flags: u8,
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
    #[error("{found} bytes, expected 15 to {LARGEST_PACKET}")]
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
    /// A priority above the highest.
    #[error("priority {found}, expected at most {HIGHEST_PRIORITY}")]
    Priority {
        /// The priority.
        found: u8,
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
        if self.priority > HIGHEST_PRIORITY {
            return Err(WireError::Priority { found: self.priority });
        }
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let envelope = Envelope {
            version: WIRE_VERSION,
            flags: self.priority | flag(self.repeat, REPEAT) | flag(self.position.is_some(), POSITION),
            bundle: self.bundle,
            sequence: self.sequence,
            time: self.time,
            score: self.score,
        };
        let rank =
            |token: &TokenId| token.0.checked_sub(TokenId::FIRST_WORD.0).ok_or(WireError::Special { found: token.0 });
        let ranks: Vec<u16> = self.tokens.iter().map(rank).collect::<Result<_, _>>()?;
        let bytes = match self.position {
            Some(position) => postcard::to_allocvec(&(envelope, position, ranks)),
            None => postcard::to_allocvec(&(envelope, ranks)),
        };
        let mut bytes = bytes.map_err(|_| WireError::Malformed)?;
        bytes.extend(CRC.checksum(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads a packet. Never panics and never allocates more than the longest caption takes, whatever the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        const SHORTEST: usize = 1 + 1 + 2 + 1 + 4 + 1 + 1 + CHECKSUM;
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
        let (envelope, mut rest) = take::<Envelope>(content)?;
        let Envelope { flags, bundle, sequence, time, score, .. } = envelope;
        if flags & !(PRIORITY | REPEAT | POSITION) != 0 {
            return Err(WireError::Malformed);
        }
        let mut position = None;
        if flags & POSITION != 0 {
            let (place, after) = take::<Position>(rest)?;
            (position, rest) = (Some(place), after);
        }
        if position.is_some_and(|position| !position.is_on_earth()) {
            return Err(WireError::Malformed);
        }
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
        let (priority, repeat) = (flags & PRIORITY, flags & REPEAT != 0);
        Ok(Self { bundle, sequence, time, score, priority, repeat, position, tokens })
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
