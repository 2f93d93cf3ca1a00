//! Why a file is no `state_dict`.

use std::io;
use std::num::TryFromIntError;
use std::str::Utf8Error;
use zip::result::ZipError;

/// Why a file is not a `state_dict` that `torch.save` wrote. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateDictError {
    /// A damaged ZIP archive.
    #[error(transparent)]
    Archive(#[from] ZipError),
    /// An archive without a file that the pickle names.
    #[error("it has no {name}")]
    Missing {
        /// The file.
        name: String,
        /// What the archive says.
        source: ZipError,
    },
    /// A file of the archive that does not unpack.
    #[error(transparent)]
    Content(#[from] io::Error),
    /// A name that is not UTF-8.
    #[error(transparent)]
    Text(#[from] Utf8Error),
    /// A tensor that begins before its storage.
    #[error(transparent)]
    Offset(#[from] TryFromIntError),
    /// A pickle, a tensor or a storage that is not as `torch.save` writes it.
    #[error("{0}")]
    Malformed(String),
    /// A tensor that does not lie in its storage.
    #[error("tensor {name}")]
    Tensor {
        /// Its name.
        name: String,
        /// Why not.
        source: Box<StateDictError>,
    },
}

impl From<&str> for StateDictError {
    fn from(problem: &str) -> Self {
        Self::Malformed(problem.into())
    }
}
