//! Karpathy's layout, as RSICD, UCM-Captions and Sydney-Captions come, and COCO and Flickr by the same author.

use super::listed::{Described, Listed};
use super::places::{Places, plain};
use super::text::{parsed, text_of};
use crate::files::FileError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Deserialize)]
struct File {
    dataset: Option<String>,
    images: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    filename: String,
    /// The folder of an image of COCO, `val2014`.
    filepath: Option<String>,
    split: String,
    sentences: Vec<Sentence>,
}

#[derive(Deserialize)]
struct Sentence {
    raw: Option<String>,
    tokens: Option<Vec<String>>,
}

impl Sentence {
    /// Its words; nothing where it is null.
    fn caption(self) -> Option<String> {
        self.raw.or_else(|| self.tokens.map(|tokens| tokens.join(" ")))
    }
}

/// The dataset's name, where it has one, and its images.
pub(super) fn read(folder: &Path, path: &Path) -> Result<Described, FileError> {
    let file: File = parsed(&text_of(path)?)
        .map_err(|error| FileError::content(path, format!("is not a Karpathy dataset: {error}")))?;
    let shared = shared_names(&file.images);
    let mut places = Places::new(folder);
    let mut described = Described { name: file.dataset, ..Described::default() };
    for entry in file.images {
        let split = entry.split.parse();
        let split =
            split.map_err(|problem| FileError::content(path, format!("image {}: {problem}", entry.filename)))?;
        let (filename, filepath) = (plain(&entry.filename), plain(entry.filepath.as_deref().unwrap_or_default()));
        let sentences = entry.sentences.len();
        let captions: Vec<String> = entry.sentences.into_iter().filter_map(Sentence::caption).collect();
        described.null_captions += sentences - captions.len();
        let (filename, path) = if shared.contains(&filename) {
            let joined = plain(&format!("{filepath}/{filename}"));
            let path = places.find(&joined, &[]);
            (joined, path)
        } else {
            let path = places.find(&filename, &[filepath.as_str()]);
            (filename, path)
        };
        described.entries.push(Listed { filename, path, split, captions });
    }
    Ok(described)
}

/// Names that images of several folders have: only with its folder does such a name say which.
fn shared_names(images: &[Entry]) -> BTreeSet<String> {
    let mut folders: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for Entry { filename, filepath, .. } in images {
        folders.entry(plain(filename)).or_default().insert(filepath.as_deref().unwrap_or_default());
    }
    folders.retain(|_, folders| folders.len() > 1);
    folders.into_keys().collect()
}
