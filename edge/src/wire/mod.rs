//! The packet, version 2: one caption or several, arithmetic-coded by the bundle's language model, and a checksum.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | wire version, [`WIRE_VERSION`]; 128 more with a checksum of 16 bits |
//! | 2 | bundle id, u16 little-endian: first 16 bits of the bundle's hash |
//! | 0 and more | the captions, as one arithmetic-coded message |
//! | 4 or 2 | checksum over all bytes before, little-endian: [`Checksum`] |
//!
//! The first three bytes are what postcard makes of `(u8, u16)` with a fixed-size integer. The message is a sequence of symbols,
//! each with weights that both sides know; [`coder`](self) says how symbols become bytes. `uniform n` is one of n equally likely
//! numbers. `number W` is a symbol with the weights W, the number's length in bits, and then, where it has more than one bit, those
//! below the highest: uniform 2^16 for the lowest 16 where there are more, uniform for the rest. `signed W` is a number that
//! interleaves 0, −1, 1, −2, 2…
//!
//! | symbols | field |
//! |---|---|
//! | `number FEW` | captions less one |
//! | `uniform 8` | digits: positions are in degrees × 10^digits, rounded |
//! | for each caption: | |
//! | `number ANY`; then `number SMALL` | sequence number; of others, the difference to the one before, less one |
//! | `uniform 2^16` twice; then `signed SPREAD` | time in seconds since 1970, high half first; the difference to the one before |
//! | weights 1, 1; then 15, 1 | whether there is a position (no, yes); whether that is as before (yes, no) |
//! | `uniform 180·10^digits + 1`, `uniform 360·10^digits + 1`; then `signed SPREAD` twice | where there is one: latitude + 90°, longitude + 180°; the differences to the last one |
//! | `uniform 32` | score × 31, rounded |
//! | weights 60, 2, 1, 1 | priority |
//! | weights 15, 1 | sent before (no, yes) |
//! | weights 1, 1 | whether the text ends in " ." (no, yes) |
//! | for each word, and the end: | |
//! | weights of the context's followers by id, and its escape | the word, in the longest context of up to three words that the model knows (captions begin with three `START`s); after an escape the next shorter one, without the words that have been ruled out; a context with none left is passed over |
//! | the word's bytes and 256, weights as in `text.rs` | where every context escaped: its spelling |
//!
//! A packet is refused, never guessed at: the checksum is looked at first, then the version and the bundle, then the bounds; and the
//! captions must be those that give exactly these bytes. Any change takes a new version and new vectors in `fixtures/wire`.

mod checksum;
mod coder;
pub mod command;
mod message;
mod stream;
mod text;

pub use checksum::Checksum;
pub use message::Position;
pub use stream::{Frame, frames, push_frame};

use alloc::string::String;
use alloc::vec::Vec;
use coder::{Decoder, Encoder};
use cssa::language_model::LanguageModel;

/// The version that this code writes and reads.
pub const WIRE_VERSION: u8 = 2;
/// Most words of a caption.
pub const LONGEST_CAPTION: usize = 255;
/// Most captions of a packet.
pub const MOST_CAPTIONS: usize = 64;
/// Bytes of a packet at most.
pub const LARGEST_PACKET: usize = 4096;
/// The priority of what must arrive first.
pub const HIGHEST_PRIORITY: u8 = 3;
/// The highest score.
pub const HIGHEST_SCORE: u8 = 31;

const HEADER: usize = 3;

/// Captions on their way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The bundle that made them.
    pub bundle: u16,
    /// Decimals of a degree that positions have, 0 to 7: 5 are 1.1 m.
    pub digits: u8,
    /// One to [`MOST_CAPTIONS`].
    pub captions: Vec<Caption>,
}

/// A caption on its way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Counts the sender's captions: two with the same number are the same caption.
    pub sequence: u32,
    /// Seconds since 1970-01-01 UTC.
    pub time: u32,
    /// Where the image was taken, rounded to the packet's digits.
    pub position: Option<Position>,
    /// How sure the model is, 0 to [`HIGHEST_SCORE`] for 0 to 1.
    pub score: u8,
    /// How much it matters, 0 to [`HIGHEST_PRIORITY`].
    pub priority: u8,
    /// It may have been sent before.
    pub repeat: bool,
    /// Its words.
    pub text: String,
}

/// Why captions cannot be packed or a packet not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Shorter than the shortest or longer than the longest packet.
    #[error("{found} bytes, expected a header and a checksum, and no more than {LARGEST_PACKET}")]
    Length {
        /// Bytes.
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
    /// Made with another bundle.
    #[error("made with bundle {found:04x}, this is bundle {expected:04x}: name the right one")]
    Bundle {
        /// The packet's.
        found: u16,
        /// The reader's.
        expected: u16,
    },
    /// The checksum is right but the message is not.
    #[error("malformed message")]
    Malformed,
    /// More words than a caption may have.
    #[error("{found} words, expected at most {LONGEST_CAPTION}")]
    Words {
        /// Words found.
        found: usize,
    },
    /// A word of more than 255 bytes.
    #[error("a word of more than 255 bytes")]
    Word,
    /// Captions that are none or too many.
    #[error("{found} captions, expected 1 to {MOST_CAPTIONS}")]
    Captions {
        /// Captions found.
        found: usize,
    },
    /// A score, priority or number of digits that is too high.
    #[error("{field} {found}, expected at most {most}")]
    Field {
        /// Which.
        field: &'static str,
        /// Its value.
        found: u8,
        /// The highest.
        most: u8,
    },
}

impl Packet {
    /// The bytes of the packet, by the language model of its bundle.
    pub fn encode(&self, model: &LanguageModel, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        if !(1..=MOST_CAPTIONS).contains(&self.captions.len()) {
            return Err(WireError::Captions { found: self.captions.len() });
        }
        let check =
            |field, found, most| if found > most { Err(WireError::Field { field, found, most }) } else { Ok(()) };
        check("digits", self.digits, message::MOST_DIGITS)?;
        for caption in &self.captions {
            check("score", caption.score, HIGHEST_SCORE)?;
            check("priority", caption.priority, HIGHEST_PRIORITY)?;
        }
        let mut coder = Encoder::new();
        message::code(&mut coder, model, self.digits, &self.captions)?;
        let mut bytes = alloc::vec![checksum.version()];
        bytes.extend(self.bundle.to_le_bytes());
        bytes.extend(coder.finish());
        checksum.seal(&mut bytes);
        if bytes.len() > LARGEST_PACKET {
            return Err(WireError::Length { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// Reads a packet of the bundle `bundle`, whose language model is `model`. Never panics and never allocates much more than
    /// the packet's captions take, whatever the bytes.
    pub fn decode(bytes: &[u8], bundle: u16, model: &LanguageModel, checksum: Checksum) -> Result<Self, WireError> {
        let found = bundle_of(bytes, checksum)?;
        if found != bundle {
            return Err(WireError::Bundle { found, expected: bundle });
        }
        let mut coder = Decoder::new(&bytes[HEADER..bytes.len() - checksum.length()]);
        let (digits, captions) = message::code(&mut coder, model, 0, &[])?;
        let packet = Self { bundle, digits, captions };
        if packet.encode(model, checksum)? != bytes {
            return Err(WireError::Malformed);
        }
        Ok(packet)
    }
}

/// A sentence alone, as the message of a packet holds it: what it takes on the link.
pub fn payload(text: &str, model: &LanguageModel) -> Result<Vec<u8>, WireError> {
    let mut coder = Encoder::new();
    text::code(&mut coder, model, text)?;
    Ok(coder.finish())
}

/// The bundle that made a packet, once its length, checksum and version are right. The reader says which checksum it expects: a
/// packet that names the other one is of another version.
pub fn bundle_of(bytes: &[u8], checksum: Checksum) -> Result<u16, WireError> {
    if !(HEADER + checksum.length()..=LARGEST_PACKET).contains(&bytes.len()) {
        return Err(WireError::Length { found: bytes.len() });
    }
    let content = checksum.open(bytes)?;
    if content[0] != checksum.version() {
        return Err(WireError::Version { found: content[0] });
    }
    Ok(u16::from_le_bytes([content[1], content[2]]))
}

/// A probability as a caption's score.
#[must_use]
pub fn score(probability: f32) -> u8 {
    let scaled = probability.clamp(0.0, 1.0) * f32::from(HIGHEST_SCORE) + 0.5;
    scaled as u8
}

#[cfg(test)]
mod tests;
