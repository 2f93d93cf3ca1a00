//! Why captions cannot be packed or a packet not be read.

use crate::limits::{MAX_CAPTION, MAX_CAPTIONS, MAX_PACKET, WIRE_VERSION};

/// Why captions cannot be packed or a packet not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Shorter than the shortest or longer than the longest packet.
    #[error("{found} bytes, expected a header and a checksum, and no more than {MAX_PACKET}")]
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
    /// A score, priority or number of decimals that is too high.
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
