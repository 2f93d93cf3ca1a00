//! What goes wrong with a simulated link: what was asked of it, and the programs at its ends.

use std::io;
use std::path::PathBuf;

/// Why a link is not simulated. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that no link has.
    #[error("{name} is {found}, expected {expected}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value.
        found: f64,
        /// What was expected.
        expected: &'static str,
    },
    /// There is nothing to send.
    #[error("no captions, expected a sentence a line")]
    NoCaptions,
    /// A sentence that no packet can hold.
    #[error("caption {number}")]
    Caption {
        /// Which one, from 1: its line.
        number: usize,
        /// Why not.
        source: cssa_wire::WireError,
    },
    /// There is nothing to compare captions with.
    #[error("no images to make thumbnails of")]
    NoImages,
    /// A bundle or an image that cannot be used.
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
    /// An image whose thumbnail cannot be made.
    #[error("{}", image.display())]
    Thumbnail {
        /// Its path.
        image: PathBuf,
        /// What the encoder says.
        source: image::ImageError,
    },
    /// An address at which a relay cannot listen, or to which it cannot send.
    #[error("{address}")]
    Address {
        /// The address.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A relay's sockets, or the folder of a plan, that the operating system does not give.
    #[error(transparent)]
    System(#[from] io::Error),
    /// The flight program's store or queue refuses.
    #[error(transparent)]
    Edge(#[from] edge::Error),
    /// The ground program's archive or receiver refuses.
    #[error(transparent)]
    Ground(#[from] ground::Error),
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
