//! COCO's layout: a file for each part, which its name tells.

use super::listed::{Described, Listed, Split};
use super::places::{Places, plain};
use super::text::{parsed, text_of};
use crate::files::FileError;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: Id,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: Id,
    caption: Option<String>,
}

/// A number, or a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(untagged)]
enum Id {
    Number(i64),
    Name(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The part that a file is by its name: `captions_train2017.json` is train.
pub(super) fn part(path: &Path) -> Option<Split> {
    let name = folder_of(path)?;
    let parts = [("train", Split::Train), ("val", Split::Val), ("test", Split::Test)];
    parts.into_iter().find(|(part, _)| name.starts_with(part)).map(|(_, split)| split)
}

/// The folder that a part's images come in: `train2017` of `captions_train2017.json`.
fn folder_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_prefix("captions_")?.strip_suffix(".json")
}

/// The images of all parts that lie beside `first`.
pub(super) fn read(first: &Path) -> Result<Described, FileError> {
    let beside = first.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(beside)
        .map_err(|error| FileError::content(beside, format!("is not a readable folder: {error}")))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| part(path).is_some());
    files.sort();
    let is_annotations = beside.file_name().is_some_and(|name| name == "annotations");
    let root = if is_annotations { beside.parent().unwrap_or(beside) } else { beside };
    let (mut described, mut places) = (Described::default(), Places::new(root));
    for path in files {
        if let Some(split) = part(&path) {
            read_part(&mut described, &mut places, &path, split)?;
        }
    }
    name_by_folders(root, &mut described.entries);
    Ok(described)
}

/// Names that images of several folders have are told apart by their folders.
fn name_by_folders(root: &Path, entries: &mut [Listed]) {
    let mut paths: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for entry in &*entries {
        paths.entry(&entry.filename).or_default().insert(&entry.path);
    }
    paths.retain(|_, paths| paths.len() > 1);
    let shared: BTreeSet<String> = paths.into_keys().map(str::to_owned).collect();
    for entry in entries.iter_mut().filter(|entry| shared.contains(&entry.filename)) {
        let below = entry.path.strip_prefix(root).unwrap_or(&entry.path);
        entry.filename = below.strip_prefix("images").unwrap_or(below).to_string_lossy().into_owned();
    }
}

fn read_part(described: &mut Described, places: &mut Places, path: &Path, split: Split) -> Result<(), FileError> {
    let file: File = parsed(&text_of(path)?)
        .map_err(|error| FileError::content(path, format!("is not a COCO caption file: {error}")))?;
    let numbers: BTreeMap<Id, usize> = file.images.iter().enumerate().map(|(n, image)| (image.id.clone(), n)).collect();
    let folders = [folder_of(path).unwrap_or_default(), split.name()];
    let listed = |image: Image| {
        let filename = plain(&image.file_name);
        Listed { path: places.find(&filename, &folders), filename, split, captions: Vec::new() }
    };
    let mut listed: Vec<Listed> = file.images.into_iter().map(listed).collect();
    for (n, Annotation { image_id, caption }) in file.annotations.into_iter().enumerate() {
        let Some(&image) = numbers.get(&image_id) else {
            let problem = format!("annotation {n} names image {image_id}, which is not in it");
            return Err(FileError::content(path, problem));
        };
        match caption {
            Some(caption) => listed[image].captions.push(caption),
            None => described.null_captions += 1,
        }
    }
    described.entries.extend(listed);
    Ok(())
}
