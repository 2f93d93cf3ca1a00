//! The folder that a flight writes into: one that is gone afterwards, or one that is kept.

use crate::error::{Error, Result};
use cssa::files::{FileError, create_folder};
use edge::config::After;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where a flight writes.
pub(crate) enum Home {
    /// Removed when it is dropped.
    Passing(TempDir),
    /// Kept.
    Kept(PathBuf),
}

impl Home {
    /// A new folder: the one that is to be kept, else one of the system's for what passes.
    pub(crate) fn make(kept: Option<&Path>) -> Result<Self> {
        let Some(folder) = kept else {
            let folder = tempfile::Builder::new().prefix("cssa-demo-").tempdir();
            return Ok(Self::Passing(folder.map_err(Error::system("the temporary folder (TMPDIR) of the flight"))?));
        };
        check(folder)?;
        create_folder(folder)?;
        Ok(Self::Kept(folder.into()))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Passing(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    /// The folder that is kept, where one is.
    pub(crate) fn kept(&self) -> Option<&Path> {
        matches!(self, Self::Kept(_)).then(|| self.path())
    }

    /// What becomes of captioned frames.
    pub(crate) fn frames(&self) -> After {
        match self {
            Self::Passing(_) => After::Delete,
            Self::Kept(folder) => After::Move(folder.join("frames")),
        }
    }
}

/// Whether a folder can be the one that is kept: there is none yet, or an empty one.
pub(crate) fn check(folder: &Path) -> Result<(), FileError> {
    let is_empty = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(FileError::system(folder, "cannot be the folder to keep")(error)),
    };
    if is_empty { Ok(()) } else { Err(FileError::content(folder, "is there already, expected a new or empty folder")) }
}
