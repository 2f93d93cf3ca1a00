//! Why something cannot be packed, or what came not be taken.

use crate::limits::{MAX_CAPTION, MAX_CAPTIONS, MAX_PACKET, MAX_UP, WIRE_VERSION};

/// Why something cannot be packed, or what came not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Shorter than the shortest or longer than the longest packet.
    #[error("{found} bytes, expected a header and a checksum, and no more than {MAX_PACKET} down and {MAX_UP} up")]
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
    /// Made by another version of this program, or for the other direction.
    #[error("first byte {found}, expected a packet of wire version {WIRE_VERSION} in this direction")]
    Version {
        /// The packet's first byte.
        found: u8,
    },
    /// For another vehicle.
    #[error("for vehicle {found}, this is vehicle {expected}")]
    Vehicle {
        /// The packet's.
        found: u16,
        /// The receiver's.
        expected: u16,
    },
    /// Made with another bundle.
    #[error("made with bundle {found:04x}, this is bundle {expected:04x}: name the right one")]
    Bundle {
        /// The packet's.
        found: u16,
        /// The reader's.
        expected: u16,
    },
    /// The code of authentication is wrong: another key, or somebody else's packet.
    #[error("the packet's code of authentication is wrong: another key, or not from whom it says")]
    Mac,
    /// There is no code of authentication where one is expected.
    #[error("the packet has no code of authentication: give its sender the key, or take packets without one")]
    NoMac,
    /// A new key was wrapped under another key than that of its packet, or for another vehicle.
    #[error("the new key is not wrapped under the key of its packet, for its vehicle: wrap it under the key in use")]
    Wrapping,
    /// The checksum is right but the content is not.
    #[error("malformed content")]
    Malformed,
    /// Something else than captions.
    #[error("the packet holds no captions")]
    NoCaptions,
    /// Something else than footprints.
    #[error("the packet holds no footprints")]
    NoFootprints,
    /// More words than a caption may have.
    #[error("{found} words, expected at most {MAX_CAPTION}")]
    Words {
        /// Words found.
        found: usize,
    },
    /// A word of more than 255 bytes.
    #[error("a word of more than 255 bytes")]
    Word,
    /// Captions that are none or too many.
    #[error("{found} captions, expected 1 to {MAX_CAPTIONS}")]
    Captions {
        /// Captions found.
        found: usize,
    },
    /// A field that is out of its bounds.
    #[error("{field} is {found}, expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// Its value.
        found: u32,
        /// What it may be.
        expected: &'static str,
    },
}

/// Refuses a field that is not what it may be.
pub(crate) fn bounded(
    field: &'static str,
    found: impl TryInto<u32>,
    expected: &'static str,
    is_right: bool,
) -> Result<(), WireError> {
    if is_right {
        return Ok(());
    }
    Err(WireError::Field { field, found: found.try_into().unwrap_or(u32::MAX), expected })
}
