//! All that crosses the link, version 3: structs by serde and [postcard](https://postcard.jamesmunns.com/wire-format), closed by a
//! checksum. In the tables below a `varint` is postcard's: seven bits a byte, the lowest first, the highest bit set where more
//! follow; an enum is the number of its variant and then its fields; an option is 00, or 01 and its content; a slice is its length
//! as a varint and its elements. Arrays of bytes and `u8`, `i8` stand as they are.
//!
//! # Down: [`DownPacket`]
//!
//! | field | type | bytes |
//! |---|---|---|
//! | version | u8: 3; 131 where a checksum of 16 bits closes the packet | 1 |
//! | vehicle | u16 varint; 0: not given | 1–3 |
//! | bundle | first 16 bits of the bundle's hash, little-endian | 2 |
//! | body | enum [`Down`] | 1 and its content |
//! | mac | option of 4 bytes: with a key, the first four of HMAC-SHA-256 over all bytes before this field | 1 or 5 |
//! | checksum | over all bytes before, little-endian: [`Checksum`] | 4 or 2 |
//!
//! | [`Down`] | content |
//! |---|---|
//! | 0 `Captions` | slice: the message of [`CaptionPacket`], below |
//! | 1 [`Housekeeping`] | varints sequence u16, period u16, uptime u32, frames u16, queued u16; dropped by image, policy, link, machine, each u16; fault u8, fault_count u16; slot u8, celsius i8, free_disk u8, millijoules u16, waiting u16 |
//! | 2 [`PicturePart`] | varints ask u16, part u16, parts u16; crc: option of a u32 varint, in the last part; slice of 1 to 1,024 bytes |
//! | 3 [`Answer`] | station u8, counter u32 varint, result: 0 done, 1 and a reason u8 (1: not supported, 2: it failed, and the slice is text that says why), 2 not kept; slice of at most 64 bytes: of an [`Ask`] that is done the caption's [`digest`] for time 0, the time of its image as it was known then ([`Time`]), CRC-32/ISO-HDLC of the picture, each u32, and width and height of the whole frame, each u16 (0: none is kept), all little-endian |
//! | 4 [`Report`] | sequence u16, reason u8 (0 to 7), since u32, frames u32, at least 1 |
//! | 5 `Footprints` | slice of 1 to 64 [`Footprint`]s of 11 to 19 bytes, by ascending numbers: number u32 varint (of others than the first, the difference to the one before), accuracy u16 varint, step u32 varint, 1 to 500,000, then i8 north and i8 east of four corners, clockwise around a convex quadrangle; the furthest is 63 to 127 steps away, or fewer where a step is 1 |
//!
//! # Up: [`UpPacket`], at most 128 bytes
//!
//! | field | type | bytes |
//! |---|---|---|
//! | version | u8: 67; 195 where a checksum of 16 bits closes the packet | 1 |
//! | vehicle | u16 varint | 1–3 |
//! | station | u8 | 1 |
//! | counter | u32 varint, the station's own: a receiver takes each once, by a [`Window`] of 1,024 | 1–5 |
//! | body | enum [`Up`] | 1 and its content |
//! | mac | the first 16 bytes of HMAC-SHA-256 over all bytes before this field | 16 |
//! | checksum | as down | 4 or 2 |
//!
//! The first byte differs from that of packets down, and both codes cover it: what somebody records one way is nothing the other way.
//!
//! | [`Up`] | content |
//! |---|---|
//! | 0 `Acknowledge` | slice of [`SelectiveAck`]: varints first u32, a slice of runs u32 (so many arrived, so many did not, and so on; 32 arrived at most), digest u32: the sum of the captions' [`digest`]s |
//! | 1 [`Ask`] | ask u16, caption u32, pixels u16, crop: option of four u16 varints |
//! | 2 [`Command`] | enum, below |
//! | 3 [`MissingParts`] | ask u16; slice of at most 15 runs: varints first u16, count u16, in their order; none: the picture is whole |
//!
//! | [`Command`] | content |
//! |---|---|
//! | 0 `SetThreshold` | thousandths u16, at most 1,000 |
//! | 1 `SetWatchWords` | slice of at most 16: word (slice of 1 to 64 bytes of UTF-8), priority u8, 1 to 3 |
//! | 2 `SetNovelty` | metres u16, at most 20,000; minutes u16, at most 10,080 |
//! | 3 `SetRate` | bytes a second u32, at most 10^8 |
//! | 4 `SetBudget` | bytes an hour u32, at most 10^9 |
//! | 5 `Pause`, 6 `Resume`, 7 `SelfTest` | |
//! | 8 `SwitchSlot` | slot u8, 1 or 2 |
//! | 9 `StatusNow` | |
//! | 10 [`DeltaPart`] | id u16, part u16, parts u16; crc: option of a u32, in the last part; slice of 1 to 80 bytes |
//! | 11 `ForgetPictures` | |
//! | 12 `NewKeyPart` | part u8, parts u8, slice of 1 to 80 bytes: 0, 1 and the 40 bytes of AES-256 key wrap (RFC 3394) of the new key, under HKDF-SHA-256 (RFC 5869) of the one that authenticates the packet, without salt; info: `cssa new key` and the vehicle's number u16, little-endian |
//!
//! # Captions
//!
//! The message is one sequence of symbols, arithmetic-coded by the bundle's language model, each with weights that both sides know;
//! `coder.rs` says how symbols become bytes. `uniform n` is one of n equally likely
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
//! | `uniform 2^16` twice; then `signed SPREAD` | time in seconds since 1970, or since the start of a vehicle that does not know it where they are before 2020; high half first; the difference to the one before |
//! | weights 1, 1; then 15, 1 | whether there is a position (no, yes); whether that is as before (yes, no) |
//! | `uniform 180·10^decimals + 1`, `uniform 360·10^decimals + 1`; then `signed SPREAD` twice | where there is one: latitude + 90°, longitude + 180°; the differences to the last one |
//! | weights 63, 1; then `uniform 32` | whether there is a confidence (yes, no); confidence × 31, rounded |
//! | weights 31, 1; then `uniform 8` | whether the image is outside (no, yes); the number of the reason |
//! | weights 60, 2, 1, 1 | priority |
//! | weights 15, 1 | sent before (no, yes) |
//! | weights 1, 1 | whether the text ends in " ." (no, yes) |
//! | for each word, and the end: | |
//! | weights of the context's followers by id, and its escape | the word, in the longest context of up to three words that the model knows (captions begin with three `START`s); after an escape the next shorter one, without the words that have been ruled out; a context with none left is passed over |
//! | the word's bytes and 256, weights as in `text.rs` | where every context escaped: its spelling |
//!
//! A packet is refused, never guessed at: the checksum is looked at first, then the version, the vehicle of a packet up, the code of
//! authentication, the bounds; and it must be what its content gives, to the byte. Any change takes a new version and new vectors in
//! `fixtures/wire` (bodies are appended: who does not know one refuses it as malformed), which also holds the structs as `postcard_schema` has them (`schema.txt`). Packets of [version 2](version2) are
//! still read.
//!
//! ```
//! use cssa::language_model::LanguageModel;
//! use cssa::trust::Confidence;
//! use cssa_wire::{Caption, CaptionPacket, Checksum, Key, Position, Verification};
//!
//! let model = LanguageModel::build(["a bridge over a river", "a road in a forest"].map(String::from));
//! let caption = Caption {
//!     sequence: 7,
//!     time: 1_795_824_000,
//!     position: Position::new(48.20849, 16.37208),
//!     confidence: Confidence::from_thousandths(903),
//!     text: "a bridge over a river".into(),
//!     ..Caption::default()
//! };
//! let packet = CaptionPacket { vehicle: 12, bundle: 0xbeef, decimals: 5, captions: vec![caption] };
//! let key = Key::new([7; 32]);
//! let bytes = packet.encode(&model, Some(&key), Checksum::Crc32)?;
//! assert_eq!(bytes.len(), 29);
//! let verification = Verification::Required(&key);
//! assert_eq!(CaptionPacket::decode(&bytes, 0xbeef, &model, verification, Checksum::Crc32)?, packet);
//! # Ok::<_, cssa_wire::WireError>(())
//! ```
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod acknowledge;
mod caption;
mod captions;
mod checksum;
mod coder;
mod command;
mod down;
mod error;
mod fault;
mod footprint;
mod footprints;
mod key;
mod limits;
mod message;
mod missing;
mod packet;
mod position;
mod stream;
mod symbols;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod up;
pub mod version2;
mod window;
mod wrap;

pub use acknowledge::{SelectiveAck, digest};
pub use caption::Caption;
pub use captions::{CaptionPacket, payload};
pub use checksum::Checksum;
pub use command::{Command, DeltaPart, WatchWord};
pub use down::{
    Answer, BEHIND, CommandResult, Down, DroppedFrames, FAILED, Housekeeping, LATER, PicturePart, Report, UNSUPPORTED,
};
pub use error::WireError;
pub use fault::FaultKind;
pub use footprint::{Corner, Footprint};
pub use footprints::FootprintPacket;
pub use key::{KEY, Key};
pub use limits::{
    DEFAULT_DECIMALS, MAX_CAPTION, MAX_CAPTIONS, MAX_FOOTPRINTS, MAX_PACKET, MAX_PART, MAX_PRIORITY, MAX_RUNS, MAX_UP,
    MAX_VALUE, WIRE_VERSION,
};
pub use missing::{MissingParts, PartRun};
pub use packet::{DownFields, DownPacket, Verification, Version, body_of, version_of};
pub use position::Position;
pub use stream::{Frame, frame_length, frames, push_frame};
pub use time::{EARLIEST_UTC, Time};
pub use up::{Ask, Up, UpFields, UpPacket, is_up};
pub use window::{WINDOW, Window};
pub use wrap::WRAPPED_KEY;
