//! Karpathy's layout, as RSICD, UCM-Captions and Sydney-Captions come.

use super::{Listed, MAX_FILE, place};
use crate::files::{self, FileError};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct File {
    dataset: Option<String>,
    images: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    filename: String,
    split: String,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: String,
}

/// The dataset's name, where it has one, and its images.
pub(super) fn read(folder: &Path, path: &Path) -> Result<(Option<String>, Vec<Listed>), FileError> {
    let file: File = serde_json::from_str(&files::read_text(path, MAX_FILE)?)
        .map_err(|error| FileError::content(path, format!("is not a Karpathy dataset: {error}")))?;
    let listed = |entry: Entry| {
        let split = entry.split.parse();
        let split =
            split.map_err(|problem| FileError::content(path, format!("image {}: {problem}", entry.filename)))?;
        let captions = entry.sentences.into_iter().map(|sentence| sentence.raw).collect();
        Ok(Listed { path: place(folder, &entry.filename), filename: entry.filename, split, captions })
    };
    Ok((file.dataset, file.images.into_iter().map(listed).collect::<Result<_, FileError>>()?))
}
