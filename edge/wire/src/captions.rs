//! Packets with captions.

use crate::caption::Caption;
use crate::checksum::Checksum;
use crate::coder::Encoder;
use crate::down::Down;
use crate::error::WireError;
use crate::key::Key;
use crate::message;
use crate::packet::{DownPacket, Verification};
use crate::text;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;

/// Captions on their way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptionPacket {
    /// Who sends; 0: not given.
    pub vehicle: u16,
    /// The bundle that made them.
    pub bundle: u16,
    /// Decimals of a degree that positions have, 0 to 7: 5 are 1.1 m.
    pub decimals: u8,
    /// One to [`MAX_CAPTIONS`](crate::MAX_CAPTIONS).
    pub captions: Vec<Caption>,
}

impl CaptionPacket {
    /// The packet's bytes, by the language model of its bundle, with a code of authentication where there is a key.
    pub fn encode(&self, model: &LanguageModel, key: Option<&Key>, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        let message = message::encode(model, self.decimals, &self.captions)?;
        let body = Down::Captions(&message);
        DownPacket { vehicle: self.vehicle, bundle: self.bundle, body }.encode(key, checksum)
    }

    /// Reads a packet of the bundle `bundle`, whose language model is `model`, as [`DownPacket::decode`] does.
    pub fn decode(
        bytes: &[u8],
        bundle: u16,
        model: &LanguageModel,
        verification: Verification<'_>,
        checksum: Checksum,
    ) -> Result<Self, WireError> {
        let packet = DownPacket::decode(bytes, verification, checksum)?;
        if packet.bundle != bundle {
            return Err(WireError::Bundle { found: packet.bundle, expected: bundle });
        }
        Self::of(&packet, model)
    }

    /// The captions of a packet by the language model of its bundle. Never panics and never allocates much more than they take,
    /// whatever the message.
    pub fn of(packet: &DownPacket<'_>, model: &LanguageModel) -> Result<Self, WireError> {
        let Down::Captions(message) = packet.body else { return Err(WireError::NoCaptions) };
        let (decimals, captions) = message::decode(message, model)?;
        Ok(Self { vehicle: packet.vehicle, bundle: packet.bundle, decimals, captions })
    }
}

/// A sentence alone, as the message of a packet holds it: what it takes on the link.
pub fn payload(text: &str, model: &LanguageModel) -> Result<Vec<u8>, WireError> {
    let mut coder = Encoder::new();
    text::code(&mut coder, model, text)?;
    Ok(coder.finish())
}
