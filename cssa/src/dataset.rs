//! Captioned images in the Karpathy layout of RSICD, UCM-Captions and Sydney-Captions: a folder with `images/` and one
//! `dataset*.json` of `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`, and optionally
//! `back_translations.jsonl` of `{"filename", "back_translations": […]}` lines.

use crate::files::{self, FileError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAXIMAL_FILE: u64 = 1 << 30;

/// A dataset on disk.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name: the `dataset` field, else the folder's name.
    pub name: String,
    /// Its images, in the file's order.
    pub images: Vec<Captioned>,
    /// Entries whose image is not there.
    pub missing: usize,
}

/// An image with its captions.
#[derive(Clone, Debug)]
pub struct Captioned {
    /// File name inside `images/`: the key of hypotheses.
    pub filename: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The part it belongs to.
    pub split: Split,
    /// The captions as they stand in the file.
    pub captions: Vec<String>,
    /// Back-translated captions, where the dataset has them.
    pub back_translations: Vec<String>,
}

/// The parts of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Seen in training.
    Train,
    /// Part of the official train split on which checkpoints are chosen: every image whose file name hashes into 5 %.
    Dev,
    /// The official validation split, reported.
    Val,
    /// The official test split, reported.
    Test,
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "train" | "restval" => Ok(Self::Train),
            "dev" => Ok(Self::Dev),
            "val" => Ok(Self::Val),
            "test" => Ok(Self::Test),
            other => Err(format!("unknown split {other:?}, expected train, dev, val or test")),
        }
    }
}

/// Of a thousand train images, this many are dev.
const DEV_PER_THOUSAND: u64 = 50;

/// FNV-1a over the file name: stable across machines and versions.
fn is_dev(filename: &str) -> bool {
    let hash = filename
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) % 1000 < DEV_PER_THOUSAND
}

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

#[derive(Deserialize)]
struct BackTranslations {
    filename: String,
    back_translations: Vec<String>,
}

impl Dataset {
    /// Reads the dataset in `folder`. Images are not opened, but an entry whose file is missing is left out and
    /// counted: a dataset may come with a part of its images. None at all is an error.
    pub fn read(folder: &Path) -> Result<Self, FileError> {
        let path = description(folder)?;
        let file: File = serde_json::from_str(&files::read_text(&path, MAXIMAL_FILE)?)
            .map_err(|error| FileError::content(&path, format!("is not a Karpathy dataset: {error}")))?;
        let mut translations = back_translations(&folder.join("back_translations.jsonl"))?;
        let mut images = Vec::with_capacity(file.images.len());
        let mut missing = 0;
        for entry in file.images {
            if !is_plain(&entry.filename) {
                return Err(FileError::content(&path, format!("filename {:?} leaves the folder", entry.filename)));
            }
            let place = folder.join("images").join(&entry.filename);
            if !place.is_file() {
                missing += 1;
                continue;
            }
            let split = match entry.split.parse() {
                Ok(Split::Train) if is_dev(&entry.filename) => Split::Dev,
                Ok(split) => split,
                Err(problem) => return Err(FileError::content(&path, format!("image {}: {problem}", entry.filename))),
            };
            let captions: Vec<String> = entry.sentences.into_iter().map(|sentence| sentence.raw).collect();
            if captions.iter().all(|caption| caption.trim().is_empty()) {
                return Err(FileError::content(&path, format!("image {} has no caption", entry.filename)));
            }
            let back_translations = translations.remove(&entry.filename).unwrap_or_default();
            images.push(Captioned { filename: entry.filename, path: place, split, captions, back_translations });
        }
        if images.is_empty() {
            let problem = format!("none of its images is in {}", folder.join("images").display());
            return Err(FileError::content(&path, problem));
        }
        if let Some(name) = file.dataset.as_deref().filter(|name| !is_plain(name)) {
            return Err(FileError::content(&path, format!("dataset {name:?} is no plain name")));
        }
        let fallback = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { name: file.dataset.or_else(fallback).unwrap_or_default(), images, missing })
    }

    /// The images of one part.
    pub fn split(&self, split: Split) -> impl Iterator<Item = &Captioned> {
        self.images.iter().filter(move |image| image.split == split)
    }
}

/// Whether a name from a file stays in the folder that it is looked up in.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

fn description(folder: &Path) -> Result<PathBuf, FileError> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| FileError::content(folder, format!("is not a readable folder: {error}")))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("dataset") && name.ends_with(".json")
        })
        .collect();
    found.sort();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(FileError::content(folder, "has no dataset*.json, expected the Karpathy layout")),
        n => Err(FileError::content(folder, format!("has {n} files dataset*.json, expected one"))),
    }
}

fn back_translations(path: &Path) -> Result<BTreeMap<String, Vec<String>>, FileError> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (n, line) in files::read_text(path, MAXIMAL_FILE)?.lines().enumerate() {
        let entry: BackTranslations =
            serde_json::from_str(line).map_err(|error| FileError::content(path, format!("line {}: {error}", n + 1)))?;
        found.entry(entry.filename).or_default().extend(entry.back_translations);
    }
    Ok(found)
}
