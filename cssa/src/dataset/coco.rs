//! COCO's layout: a file for each part, which its name tells.

use super::{Listed, MAX_FILE, Split, place};
use crate::files::{self, FileError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    caption: String,
}

/// The part that a file is by its name: `captions_train2017.json` is train.
pub(super) fn part(path: &Path) -> Option<Split> {
    let name = path.file_name()?.to_str()?.strip_prefix("captions_")?.strip_suffix(".json")?;
    let parts = [("train", Split::Train), ("val", Split::Val), ("test", Split::Test)];
    parts.into_iter().find(|(part, _)| name.starts_with(part)).map(|(_, split)| split)
}

/// The images of all parts that lie beside `first`.
pub(super) fn read(first: &Path) -> Result<Vec<Listed>, FileError> {
    let beside = first.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(beside)
        .map_err(|error| FileError::content(beside, format!("is not a readable folder: {error}")))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| part(path).is_some());
    files.sort();
    let is_annotations = beside.file_name().is_some_and(|name| name == "annotations");
    let root = if is_annotations { beside.parent().unwrap_or(beside) } else { beside };
    let mut listed = Vec::new();
    for path in files {
        if let Some(split) = part(&path) {
            listed.extend(read_part(root, &path, split)?);
        }
    }
    Ok(listed)
}

fn read_part(folder: &Path, path: &Path, split: Split) -> Result<Vec<Listed>, FileError> {
    let file: File = serde_json::from_str(&files::read_text(path, MAX_FILE)?)
        .map_err(|error| FileError::content(path, format!("is not a COCO caption file: {error}")))?;
    let numbers: BTreeMap<u64, usize> = file.images.iter().enumerate().map(|(n, image)| (image.id, n)).collect();
    let listed = |image: Image| Listed {
        path: place(folder, &image.file_name),
        filename: image.file_name,
        split,
        captions: Vec::new(),
    };
    let mut listed: Vec<Listed> = file.images.into_iter().map(listed).collect();
    for (n, Annotation { image_id, caption }) in file.annotations.into_iter().enumerate() {
        let Some(&image) = numbers.get(&image_id) else {
            let problem = format!("annotation {n} names image {image_id}, which is not in it");
            return Err(FileError::content(path, problem));
        };
        listed[image].captions.push(caption);
    }
    Ok(listed)
}
