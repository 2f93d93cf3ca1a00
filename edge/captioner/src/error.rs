//! Why a bundle does not load, or an image has no caption.

use crate::settings::Provider;
use std::path::PathBuf;

/// What to say where ONNX Runtime is needed and not there.
pub const MISSING: &str = "libonnxruntime.so is not found: set ORT_DYLIB_PATH to it, put it beside this program, or run \
                           tests/install-runtimes.sh in a checkout";

/// Why a bundle does not load, or an image has no caption.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// ONNX Runtime was asked for and is not on this machine.
    #[error("{MISSING}")]
    RuntimeMissing,
    /// tract was asked for, or is all that is left, and this program is built without it.
    #[error(
        "this program is built without tract and takes ONNX Runtime alone: set ORT_DYLIB_PATH to libonnxruntime.so, or put it \
         beside this program"
    )]
    WithoutTract,
    /// An execution provider was asked for, and there is no ONNX Runtime to have it.
    #[error("--provider {0} needs ONNX Runtime, and {MISSING}")]
    ProviderNeedsRuntime(Provider),
    /// An execution provider was asked for together with tract, which has none.
    #[error("--provider {0}: tract has no providers, expected --runtime ort or auto")]
    ProviderOfTract(Provider),
    /// The execution provider is not in this ONNX Runtime, or took too little.
    #[error("{provider} {problem}")]
    Provider {
        /// ONNX Runtime's name of it.
        provider: String,
        /// What is wrong.
        problem: String,
    },
    /// A library that does not load.
    #[error("{}: {problem}", library.display())]
    Library {
        /// Its path.
        library: PathBuf,
        /// What the loader says.
        problem: String,
    },
    /// ONNX Runtime does not load, and this program is built without tract, which would take its place.
    #[error("{0}; this program is built without tract, which would take its place")]
    NoneLoads(Box<Error>),
    /// A runtime refuses a graph, or fails in it.
    #[error("{0}")]
    Runtime(String),
    /// A file that cannot be read or is of no use.
    #[error("{}: {problem}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A graph, a node, a tensor or a step is not as the model has it.
    #[error("{0}")]
    Unexpected(String),
    /// The memory has a value that no healthy network gives: something is broken, and no caption of it would be true.
    #[error("the encoder gave {value}, expected values up to {limit}")]
    Activation {
        /// The value.
        value: f32,
        /// The largest that is taken.
        limit: f32,
    },
    /// The search found nothing that is a caption.
    #[error("the decoder gave no caption")]
    NoCaption,
    /// An error and where it came up.
    #[error("{place}: {cause}")]
    At {
        /// A file, a node, a graph.
        place: String,
        /// The error.
        cause: Box<Error>,
    },
}

/// What of a configuration an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The inference runtime.
    Runtime,
    /// The execution provider.
    Provider,
    /// The bundle, or an image.
    Bundle,
}

impl Error {
    /// What of a configuration it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::RuntimeMissing | Self::WithoutTract | Self::Library { .. } | Self::NoneLoads(_) => Subject::Runtime,
            Self::ProviderNeedsRuntime(_) | Self::ProviderOfTract(_) | Self::Provider { .. } => Subject::Provider,
            Self::At { cause, .. } => cause.subject(),
            Self::Runtime(_) | Self::File { .. } | Self::Unexpected(_) | Self::Activation { .. } | Self::NoCaption => {
                Subject::Bundle
            }
        }
    }
}

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl<R> From<ort::Error<R>> for Error {
    fn from(error: ort::Error<R>) -> Self {
        Self::Runtime(error.to_string())
    }
}

impl From<prost::DecodeError> for Error {
    fn from(error: prost::DecodeError) -> Self {
        Self::Unexpected(error.to_string())
    }
}

impl From<cssa_graph::DequantizeError> for Error {
    fn from(error: cssa_graph::DequantizeError) -> Self {
        Self::Unexpected(error.to_string())
    }
}

/// Says where an error came up.
pub(crate) trait At<T> {
    /// The result, its error with the place before it.
    fn at(self, place: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Error>> At<T> for std::result::Result<T, E> {
    fn at(self, place: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Error::At { place: place(), cause: Box::new(error.into()) })
    }
}

/// [`Error::Unexpected`] from a message.
macro_rules! unexpected {
    ($($message:tt)*) => { $crate::error::Error::Unexpected(format!($($message)*)) };
}

/// Gives [`Error::Unexpected`] back where a condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        cssa::ensure!($condition, $crate::error::unexpected!($($message)*))
    };
}

pub(crate) use {ensure, unexpected};

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    /// Programs print an error with its sources: a text that holds another's must not have it as its source, too.
    #[test]
    fn a_reason_is_said_once() {
        let result: Result<(), Error> = Err(unexpected!("it has no graph")).at(|| "decoder.onnx".into());
        let error = result.err();
        assert_eq!(error.as_ref().map(ToString::to_string).as_deref(), Some("decoder.onnx: it has no graph"));
        assert!(error.is_some_and(|error| error.source().is_none()));
    }
}
