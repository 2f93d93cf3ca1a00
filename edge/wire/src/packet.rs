//! A packet as bytes.

use crate::checksum::Checksum;
use crate::coder::{Decoder, Encoder};
use crate::error::WireError;
use crate::limits::{MAX_CAPTIONS, MAX_PACKET, MAX_PRIORITY, MAX_SCORE};
use crate::message::{self, Caption};
use crate::text;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;

const HEADER: usize = 3;

/// Captions on their way to the ground.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The bundle that made them.
    pub bundle: u16,
    /// Decimals of a degree that positions have, 0 to 7: 5 are 1.1 m.
    pub decimals: u8,
    /// One to [`MAX_CAPTIONS`].
    pub captions: Vec<Caption>,
}

impl Packet {
    /// The bytes of the packet, by the language model of its bundle.
    pub fn encode(&self, model: &LanguageModel, checksum: Checksum) -> Result<Vec<u8>, WireError> {
        if !(1..=MAX_CAPTIONS).contains(&self.captions.len()) {
            return Err(WireError::Captions { found: self.captions.len() });
        }
        let check =
            |field, found, most| if found > most { Err(WireError::Field { field, found, most }) } else { Ok(()) };
        check("decimals", self.decimals, message::MAX_DECIMALS)?;
        for caption in &self.captions {
            check("score", caption.score, MAX_SCORE)?;
            check("priority", caption.priority, MAX_PRIORITY)?;
        }
        let mut coder = Encoder::new();
        message::code(&mut coder, model, self.decimals, &self.captions)?;
        let mut bytes = alloc::vec![checksum.version()];
        bytes.extend(self.bundle.to_le_bytes());
        bytes.extend(coder.finish());
        checksum.seal(&mut bytes);
        if bytes.len() > MAX_PACKET {
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
        let (decimals, captions) = message::code(&mut coder, model, 0, &[])?;
        let packet = Self { bundle, decimals, captions };
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
    if !(HEADER + checksum.length()..=MAX_PACKET).contains(&bytes.len()) {
        return Err(WireError::Length { found: bytes.len() });
    }
    let content = checksum.open(bytes)?;
    if content[0] != checksum.version() {
        return Err(WireError::Version { found: content[0] });
    }
    Ok(u16::from_le_bytes([content[1], content[2]]))
}
