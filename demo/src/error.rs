//! What goes wrong with a demonstration: what it was told to fly over, and the programs that it consists of.

use std::io;
use std::path::PathBuf;

/// Why there is no flight, or why it ended early. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A bundle, an image or a folder that cannot be used.
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
    /// An image that cannot be flown over.
    #[error("{}: cannot be flown over, expected a TIFF, JPEG or PNG image", image.display())]
    Image {
        /// Its path.
        image: PathBuf,
        /// Why.
        source: cssa_image::DecodeError,
    },
    /// A port of this machine that another program has.
    #[error("port {port} is not free: choose another with --port, or --port 0 for any free one")]
    Port {
        /// Its number.
        port: u16,
        /// What the ground program says.
        source: ground::Error,
    },
    /// A picture that cannot be written as JPEG or PNG.
    #[error("a frame cannot be encoded")]
    Frame(#[from] image::ImageError),
    /// The flight program's.
    #[error("the drone")]
    Drone(#[from] edge::Error),
    /// The ground program's.
    #[error("the ground")]
    Ground(#[from] ground::Error),
    /// The link's.
    #[error("the link")]
    Link(#[from] link_sim::Error),
    /// The key of both ends.
    #[error(transparent)]
    Key(#[from] cssa_link::LinkError),
    /// What the operating system does not give.
    #[error("{what}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A thread that came to a sudden end.
    #[error("{0} ended unexpectedly")]
    Thread(&'static str),
    /// Standard output takes nothing.
    #[error("a caption cannot be printed: {0}")]
    Output(String),
}

impl Error {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
