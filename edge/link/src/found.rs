//! What is found between frames, and which way it goes.

/// Which way packets go: captions down as telemetry, commands up as telecommands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the vehicle.
    Down,
    /// From the ground.
    Up,
}

/// What was found between packets, or in place of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not COBS, or longer than any packet.
    #[error("{0} bytes that are no frame")]
    NoFrame(usize),
    /// So many codeblocks with more errors than the code corrects, one after the other.
    #[error("codeblocks with more errors than can be corrected: {0}")]
    Uncorrectable(usize),
}

impl FrameError {
    /// How many packets may have been lost there.
    #[must_use]
    pub fn problems(&self) -> u64 {
        match self {
            Self::NoFrame(_) => 1,
            Self::Uncorrectable(blocks) => *blocks as u64,
        }
    }
}

/// A packet, or what was there in its place.
pub type Found = Result<Vec<u8>, FrameError>;
