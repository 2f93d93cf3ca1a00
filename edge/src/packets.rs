//! A caption that was made now as a packet of its own.

use cssa::bundle::Language;
use cssa::clock;
use cssa_captioner::Caption;
use cssa_wire::{Checksum, DEFAULT_DECIMALS, Packet, WireError, score};

/// The packet of a caption that was made now.
///
/// # Errors
/// A caption that is too long for any packet.
pub fn pack(made: &Caption, language: &Language, sequence: u32) -> Result<Vec<u8>, WireError> {
    let caption = cssa_wire::Caption {
        sequence,
        time: clock::now(),
        position: None,
        score: score(made.score),
        priority: 0,
        repeat: false,
        text: made.text.clone(),
    };
    Packet { bundle: language.id, decimals: DEFAULT_DECIMALS, captions: vec![caption] }
        .encode(&language.model, Checksum::Crc32)
}
