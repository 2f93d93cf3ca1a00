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
//! | `uniform 8` | decimals: positions are in degrees × 10^decimals, rounded |
//! | for each caption: | |
//! | `number ANY`; then `number SMALL` | sequence number; of others, the difference to the one before, less one |
//! | `uniform 2^16` twice; then `signed SPREAD` | time in seconds since 1970, high half first; the difference to the one before |
//! | weights 1, 1; then 15, 1 | whether there is a position (no, yes); whether that is as before (yes, no) |
//! | `uniform 180·10^decimals + 1`, `uniform 360·10^decimals + 1`; then `signed SPREAD` twice | where there is one: latitude + 90°, longitude + 180°; the differences to the last one |
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
//!
//! ```
//! use cssa::language_model::LanguageModel;
//! use cssa_wire::{Caption, Checksum, Packet, Position, score};
//!
//! let model = LanguageModel::build(["a bridge over a river", "a road in a forest"].map(String::from));
//! let caption = Caption {
//!     sequence: 7,
//!     time: 1_795_824_000,
//!     position: Position::new(48.20849, 16.37208),
//!     score: score(0.9),
//!     priority: 0,
//!     repeat: false,
//!     text: "a bridge over a river".into(),
//! };
//! let packet = Packet { bundle: 0xbeef, decimals: 5, captions: vec![caption] };
//! let bytes = packet.encode(&model, Checksum::Crc32)?;
//! assert_eq!(bytes.len(), 22);
//! assert_eq!(Packet::decode(&bytes, 0xbeef, &model, Checksum::Crc32)?, packet);
//! # Ok::<_, cssa_wire::WireError>(())
//! ```
#![no_std]

extern crate alloc;

mod checksum;
mod coder;
pub mod command;
mod error;
mod limits;
mod message;
mod packet;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use checksum::Checksum;
pub use error::WireError;
pub use limits::{DEFAULT_DECIMALS, MAX_CAPTION, MAX_CAPTIONS, MAX_PACKET, MAX_PRIORITY, MAX_SCORE, WIRE_VERSION};
pub use message::{Caption, Position, score};
pub use packet::{Packet, bundle_of, payload};
pub use stream::{Frame, frames, push_frame};
