//! What goes wrong with ports, and with what is written of them.

use std::io;
use std::path::PathBuf;

/// Why a port does not open or work, or what was said of one means nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The operating system, or who is at the other end, says no.
    #[error("{port}: {cause}")]
    Port {
        /// Its address.
        port: String,
        /// The answer.
        cause: io::Error,
    },
    /// A packet that is longer than the port takes.
    #[error("a packet of {found} bytes, expected at most {largest}")]
    TooLong {
        /// Its bytes.
        found: usize,
        /// Those of the largest.
        largest: usize,
    },
    /// An address that is none.
    #[error("{found:?}: expected {expected}")]
    Address {
        /// What was said.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A framing that there is not.
    #[error("{found:?}: expected one of {expected:?}")]
    Framing {
        /// What was said.
        found: String,
        /// The framings that there are.
        expected: &'static [&'static str],
    },
    /// A file that is no key.
    #[error("{}: expected 64 hexadecimal digits, as ground key writes them", .0.display())]
    NoKey(PathBuf),
    /// A key file that belongs to another user than this program's.
    #[error(
        "{path}: this program's user may not read it, expected a key that the service's group may: as root, \
         chgrp cssa {path}; chmod 640 {path}",
        path = .0.display()
    )]
    KeyOfAnother(PathBuf),
    /// A key file that cannot be read.
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
}
