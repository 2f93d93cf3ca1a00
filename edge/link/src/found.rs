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
    /// More errors than the code corrects.
    #[error("a codeblock with more errors than can be corrected")]
    Uncorrectable,
}

/// A packet, or what was there in its place.
pub type Found = Result<Vec<u8>, FrameError>;
