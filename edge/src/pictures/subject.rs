//! Which caption a picture belongs to: numbers begin anew where a store is lost, and a picture under another caption's number would be
//! a lie.

use cssa_wire::digest;
use serde::{Deserialize, Serialize};

/// A caption, as pictures of its frame name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its number.
    pub number: u32,
    /// When the image was taken: [`cssa_wire::Time`], as far as it was known then.
    pub time: u32,
    /// Of its number and its words: [`cssa_wire::digest`] of time 0, since a time may become known later.
    pub digest: u32,
}

impl Subject {
    /// The caption of a number, a time and words.
    #[must_use]
    pub fn of(number: u32, time: u32, text: &str) -> Self {
        Self { number, time, digest: digest(number, 0, text) }
    }

    /// As an answer says it, with CRC-32 of the picture, so that no other's parts are taken for it, and the whole frame's width and height:
    /// digest, time, CRC, and these with 16 bits each, little-endian.
    #[must_use]
    pub fn to_value(self, crc: u32, [width, height]: [u16; 2]) -> [u8; 16] {
        let size = u32::from(width) | u32::from(height) << 16;
        let mut value = [0; 16];
        for (bytes, number) in value.chunks_exact_mut(4).zip([self.digest, self.time, crc, size]) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        value
    }
}
