//! What a stream of frames holds: frames, damaged ones, and bytes that are neither.

use image::DynamicImage;

/// What the stream holds next.
#[derive(Debug)]
pub(super) enum Event {
    /// A frame.
    Frame(Raw),
    /// Bytes of no frame.
    Debris(Debris),
}

/// A frame as it was read.
#[derive(Debug)]
pub(super) enum Raw {
    /// A whole JPEG.
    Jpeg(Vec<u8>),
    /// A picture whose pixels were sent as they are.
    Picture(DynamicImage),
    /// One that is damaged, and how.
    Damaged(String),
}

/// Bytes between two frames, or as many as there are of them by now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Debris {
    /// Those that belong to no frame and to nothing that is known.
    pub(super) noise: u64,
    /// Zeros, line ends and headers between frames, previews behind them, the pixels of a frame that is refused.
    pub(super) between: u64,
    /// Width and height of a preview among them.
    pub(super) preview: Option<(u16, u16)>,
    /// The burst began in an earlier debris.
    pub(super) goes_on: bool,
}

impl Debris {
    pub(super) fn bytes(&self) -> u64 {
        self.noise + self.between
    }
}
