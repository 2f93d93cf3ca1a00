//! Packets of wire version 2, which nothing sends any more: read from archives and files of packets.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | 2; 128 more with a checksum of 16 bits |
//! | 2 | bundle id, u16 little-endian |
//! | 0 and more | the captions, as the message of version 3 with `uniform 32` in place of a caption's confidence and *outside*: the score of its caption × 31, rounded |
//! | 4 or 2 | checksum |
//!
//! A score is the geometric mean of the probabilities that the model gave the words: nothing that was calibrated, and no confidence.

use crate::caption::Caption;
use crate::captions::CaptionPacket;
use crate::checksum::Checksum;
use crate::coder::{Coder, Decoder, Encoder};
use crate::error::WireError;
use crate::limits::MAX_STEP;
use crate::message;
use crate::packet::{Version, version_of};
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;

const HEADER: usize = 3;

/// A packet of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketV2 {
    /// The bundle that made its captions.
    pub bundle: u16,
    /// Decimals of a degree that positions have.
    pub decimals: u8,
    /// Its captions: none has a confidence.
    pub captions: Vec<Caption>,
    /// The score of each, 0 to 31 for 0 to 1.
    pub scores: Vec<u8>,
}

/// The bundle that made a packet of version 2, once its length, checksum and version are right.
pub fn bundle_of(bytes: &[u8], checksum: Checksum) -> Result<u16, WireError> {
    if version_of(bytes, checksum)? != Version::Two {
        return Err(WireError::Version { found: bytes[0] });
    }
    match bytes[..bytes.len() - checksum.length()] {
        [_, low, high, ..] => Ok(u16::from_le_bytes([low, high])),
        _ => Err(WireError::Length { found: bytes.len() }),
    }
}

impl PacketV2 {
    /// Reads a packet of the bundle `bundle`, whose language model is `model`. Never panics and never allocates much more than
    /// the packet's captions take, whatever the bytes.
    pub fn decode(bytes: &[u8], bundle: u16, model: &LanguageModel, checksum: Checksum) -> Result<Self, WireError> {
        let found = bundle_of(bytes, checksum)?;
        if found != bundle {
            return Err(WireError::Bundle { found, expected: bundle });
        }
        let content = &bytes[HEADER..bytes.len() - checksum.length()];
        let mut scores = Vec::new();
        let (decimals, captions) = message::code(&mut Decoder::new(content), model, 0, &[], &mut |coder, _| {
            scores.push(coder.uniform(u32::from(MAX_STEP) + 1, 0) as u8);
            (None, None)
        })?;
        let packet = Self { bundle, decimals, captions, scores };
        if packet.message(model)? != content {
            return Err(WireError::Malformed);
        }
        Ok(packet)
    }

    /// The message that these captions give: a packet is taken only where it is exactly that.
    fn message(&self, model: &LanguageModel) -> Result<Vec<u8>, WireError> {
        message::check(self.decimals, &self.captions)?;
        let mut coder = Encoder::new();
        message::code(&mut coder, model, self.decimals, &self.captions, &mut |coder, n| {
            coder.uniform(u32::from(MAX_STEP) + 1, self.scores.get(n).copied().map_or(0, u32::from));
            (None, None)
        })?;
        Ok(coder.finish())
    }
}

impl From<PacketV2> for CaptionPacket {
    /// Without the scores, which are no confidences. Version 2 has no vehicles.
    fn from(packet: PacketV2) -> Self {
        let PacketV2 { bundle, decimals, captions, .. } = packet;
        Self { vehicle: 0, bundle, decimals, captions }
    }
}
