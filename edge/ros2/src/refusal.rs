//! Why a frame has no caption.

use crate::messages::MAX_DATA;
use cssa_image::DecodeError;

/// Why a frame has no caption.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The bytes are no message of the topic's type.
    #[error("a message on {topic} is damaged: {reason}")]
    Message { topic: String, reason: String },
    /// More bytes than are held.
    #[error("an image has {0} bytes of data, expected at most {MAX_DATA}")]
    Large(usize),
    /// A name that nothing prints.
    #[error("a frame_id has {0} bytes, expected at most {MAX_FRAME_ID}")]
    FrameId(usize),
    /// Samples that are no brightness, or are not known.
    #[error("encoding {0:?}, expected one of {ENCODINGS}")]
    Encoding(String),
    /// The fields of `sensor_msgs/Image` contradict each other.
    #[error("{encoding} of {width} × {height} with a step of {step}: {problem}")]
    Layout { encoding: String, width: u32, height: u32, step: u32, problem: String },
    /// A file inside a `CompressedImage`, or pixels, that `cssa-image` refuses.
    #[error("the image is refused")]
    Image(#[from] DecodeError),
    /// The model made no caption.
    #[error("the model failed")]
    Model(#[from] cssa_captioner::Error),
}

/// Longest `frame_id`.
pub(crate) const MAX_FRAME_ID: usize = 256;
/// The encodings that are taken.
pub(crate) const ENCODINGS: &str = "rgb8, bgr8, rgba8, bgra8, mono8, rgb16, bgr16, rgba16, bgra16, mono16, \
    bayer_{rggb,bggr,gbrg,grbg}{8,16}, yuv422, uyvy, yuv422_yuy2, yuyv";

/// Letters of an encoding that nobody knows which are said again.
const SAID: usize = 64;

impl Refusal {
    pub(crate) fn encoding(encoding: &str) -> Self {
        Self::Encoding(encoding.chars().take(SAID).collect())
    }

    /// What it is counted as.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Message { .. } => "message",
            Self::Large(_) | Self::Image(DecodeError::Large { .. } | DecodeError::Piece { .. }) => "large",
            Self::FrameId(_) => "frame_id",
            Self::Encoding(_) => "encoding",
            Self::Layout { .. } => "layout",
            Self::Image(DecodeError::Unknown | DecodeError::Unsupported(_)) => "format",
            Self::Image(_) => "damaged",
            Self::Model(_) => "model",
        }
    }
}
