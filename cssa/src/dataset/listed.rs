//! Images as a description lists them, whatever its layout.

use std::path::PathBuf;

/// The parts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Seen in training.
    Train,
    /// Part of the official train split on which checkpoints are chosen; [`DevRule`](super::DevRule) says which.
    Dev,
    /// The official validation split, reported.
    Val,
    /// The official test split, reported.
    Test,
}

impl Split {
    /// `train`, `dev`, `val` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "restval" => Ok(Self::Train),
            "dev" => Ok(Self::Dev),
            "val" | "valid" | "validation" => Ok(Self::Val),
            "test" => Ok(Self::Test),
            other => Err(format!("unknown split {other:?}, expected train, dev, val or test")),
        }
    }
}

/// What a description says, and its name where it has one.
#[derive(Debug, Default)]
pub(super) struct Described {
    pub(super) name: Option<String>,
    pub(super) entries: Vec<Listed>,
    pub(super) null_captions: usize,
}

/// An image as described.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name in the description.
    pub filename: String,
    /// Where it should lie.
    pub path: PathBuf,
    /// The part it belongs to; dev is a part of train and named so here.
    pub split: Split,
    /// Its captions.
    pub captions: Vec<String>,
}
