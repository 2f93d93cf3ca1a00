//! Captioned images: a folder with the images and one description of them, in one of three layouts.
//!
//! | layout | description | images |
//! |---|---|---|
//! | Karpathy | one `dataset*.json`: `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}` | `images/` |
//! | COCO | `captions_{train,val,test}*.json`, also in `annotations/`: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}` | `images/` |
//! | CSV | one `*.csv` with the header `path,caption,split`, a line a caption | `path`, from the folder or its `images/` |
//!
//! Beside it may lie `back_translations.jsonl`: lines of `{"filename", "back_translations": […]}`.

mod coco;
mod csv;
mod dev;
mod karpathy;

pub use dev::{DevRule, scene_class};

use crate::files::{self, FileError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const MAX_FILE: u64 = 1 << 30;

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
    /// Its name in the description: the key of hypotheses.
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
    /// Part of the official train split on which checkpoints are chosen; [`DevRule`] says which.
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
        match name {
            "train" | "restval" => Ok(Self::Train),
            "dev" => Ok(Self::Dev),
            "val" => Ok(Self::Val),
            "test" => Ok(Self::Test),
            other => Err(format!("unknown split {other:?}, expected train, dev, val or test")),
        }
    }
}

/// What a description says, before anything is checked but its form.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The description.
    pub file: PathBuf,
    /// The dataset's name: the description's own, else the folder's.
    pub name: String,
    /// Its images, in the file's order.
    pub entries: Vec<Listed>,
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

impl Listing {
    /// Reads the description in a folder, or the description that `path` is; `rule` cuts dev out of train.
    pub fn read(path: &Path, rule: DevRule) -> Result<Self, FileError> {
        let (folder, file) = if path.is_file() {
            (path.parent().unwrap_or(Path::new(".")).to_path_buf(), path.to_path_buf())
        } else {
            (path.to_path_buf(), description(path)?)
        };
        let is_csv = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let (name, mut entries) = if is_csv {
            (None, csv::read(&folder, &file)?)
        } else if coco::part(&file).is_some() {
            (None, coco::read(&file)?)
        } else {
            karpathy::read(&folder, &file)?
        };
        if let Some(name) = name.as_deref().filter(|name| !is_plain(name)) {
            return Err(FileError::content(&file, format!("dataset {name:?} is no plain name")));
        }
        for entry in &entries {
            if !is_plain(&entry.filename) {
                return Err(FileError::content(&file, format!("filename {:?} leaves the folder", entry.filename)));
            }
        }
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let fallback = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.or_else(fallback).unwrap_or_default();
        dev::assign(&name, &mut entries, rule);
        Ok(Self { file, name, entries })
    }
}

#[derive(Deserialize)]
struct BackTranslations {
    filename: String,
    back_translations: Vec<String>,
}

impl Dataset {
    /// Reads the dataset in `folder`. Images are not opened, but an entry whose file is missing is left out and
    /// counted: a dataset may come with a part of its images. None at all is an error. `rule` cuts dev out of train.
    pub fn read(folder: &Path, rule: DevRule) -> Result<Self, FileError> {
        let Listing { file, name, entries } = Listing::read(folder, rule)?;
        let place = if file == folder { file.parent().unwrap_or(Path::new(".")) } else { folder };
        let mut translations = back_translations(&place.join("back_translations.jsonl"))?;
        let mut images = Vec::with_capacity(entries.len());
        let mut missing = 0;
        for Listed { filename, path, split, captions } in entries {
            if !path.is_file() {
                missing += 1;
                continue;
            }
            if captions.iter().all(|caption| caption.trim().is_empty()) {
                return Err(FileError::content(&file, format!("image {filename} has no caption")));
            }
            let back_translations = translations.remove(&filename).unwrap_or_default();
            images.push(Captioned { filename, path, split, captions, back_translations });
        }
        if images.is_empty() {
            return Err(FileError::content(&file, "none of its images is where it should be"));
        }
        Ok(Self { name, images, missing })
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

/// Whether a path is a description or a folder with at least one: what else holds images is a plain folder.
#[must_use]
pub fn is_described(path: &Path) -> bool {
    path.is_file() || descriptions(path).is_ok_and(|found| !found.is_empty())
}

/// The one description in a folder; the parts of a COCO dataset count as one.
fn description(folder: &Path) -> Result<PathBuf, FileError> {
    let mut found = descriptions(folder)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let expected = "has no dataset*.json (Karpathy), captions_*.json (COCO) or *.csv (path,caption,split)";
            Err(FileError::content(folder, expected))
        }
        n => Err(FileError::content(folder, format!("has {n} descriptions of a dataset, expected one"))),
    }
}

/// All descriptions in a folder.
fn descriptions(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !folder.is_dir() {
        return Err(FileError::content(folder, "no such folder"));
    }
    let mut found = Vec::new();
    let mut coco_found: Option<PathBuf> = None;
    for place in [folder.to_path_buf(), folder.join("annotations")].into_iter().filter(|place| place.is_dir()) {
        let entries = std::fs::read_dir(&place)
            .map_err(|error| FileError::content(&place, format!("is not a readable folder: {error}")))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if name.ends_with(".csv") || name.starts_with("dataset") && name.ends_with(".json") {
                found.push(path);
            } else if coco::part(&path).is_some() && coco_found.as_ref().is_none_or(|first| path < *first) {
                coco_found = Some(path);
            }
        }
    }
    found.extend(coco_found);
    Ok(found)
}

/// Where an image lies: in `images/`, or where its name says from the folder.
fn place(folder: &Path, filename: &str) -> PathBuf {
    let usual = folder.join("images").join(filename);
    let other = folder.join(filename);
    if !usual.is_file() && other.is_file() { other } else { usual }
}

fn back_translations(path: &Path) -> Result<BTreeMap<String, Vec<String>>, FileError> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (n, line) in files::read_text(path, MAX_FILE)?.lines().enumerate() {
        let entry: BackTranslations =
            serde_json::from_str(line).map_err(|error| FileError::content(path, format!("line {}: {error}", n + 1)))?;
        found.entry(entry.filename).or_default().extend(entry.back_translations);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Result<tempfile::TempDir, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            std::fs::write(path, text)?;
        }
        Ok(folder)
    }

    fn shown(dataset: &Dataset) -> Vec<(String, Split, Vec<String>)> {
        dataset.images.iter().map(|i| (i.filename.clone(), i.split, i.captions.clone())).collect()
    }

    #[test]
    fn the_three_layouts_say_the_same() -> Result<(), Box<dyn std::error::Error>> {
        let images = [("images/d.jpg", ""), ("images/b/c.png", "")];
        let karpathy = r#"{"images": [
            {"filename": "d.jpg", "split": "train", "sentences": [{"raw": "one, \"two\" ."}, {"raw": "three ."}]},
            {"filename": "b/c.png", "split": "test", "sentences": [{"raw": "four ."}]}]}"#;
        let train = r#"{"images": [{"id": 7, "file_name": "d.jpg"}],
            "annotations": [{"image_id": 7, "caption": "one, \"two\" ."}, {"image_id": 7, "caption": "three ."}]}"#;
        let test =
            r#"{"images": [{"id": 7, "file_name": "b/c.png"}], "annotations": [{"image_id": 7, "caption": "four ."}]}"#;
        let csv = "path,caption,split\nd.jpg,\"one, \"\"two\"\" .\",train\nb/c.png,four .,test\nd.jpg,three .,train\n";
        let layouts: [&[(&str, &str)]; 3] = [
            &[("dataset.json", karpathy)],
            &[("annotations/captions_train2017.json", train), ("annotations/captions_test.json", test)],
            &[("mine.csv", csv)],
        ];
        let expected: Vec<(String, Split, Vec<String>)> = vec![
            ("d.jpg".into(), Split::Train, vec!["one, \"two\" .".into(), "three .".into()]),
            ("b/c.png".into(), Split::Test, vec!["four .".into()]),
        ];
        for layout in layouts {
            let folder = folder(&[&images, layout].concat())?;
            let mut found = shown(&Dataset::read(folder.path(), DevRule::Hash)?);
            found.sort_by(|a, b| b.0.cmp(&a.0));
            assert_eq!(found, expected);
        }
        Ok(())
    }

    #[test]
    fn a_folder_without_a_description_is_a_plain_one() -> Result<(), Box<dyn std::error::Error>> {
        let plain = folder(&[("a.jpg", ""), ("b/c.png", "")])?;
        assert!(!is_described(plain.path()) && !is_described(&plain.path().join("nowhere")));
        let described = folder(&[("a.jpg", ""), ("mine.csv", "path,caption,split\n")])?;
        assert!(is_described(described.path()) && is_described(&described.path().join("mine.csv")));
        Ok(())
    }

    #[test]
    fn errors_name_the_file_and_the_place() -> Result<(), Box<dyn std::error::Error>> {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[], "has no dataset*.json"),
            (&[("dataset.json", "{}")], "dataset.json: is not a Karpathy dataset: missing field `images`"),
            (&[("a.csv", "path,caption\nx,y\n")], "a.csv: has no column split"),
            (&[("a.csv", "path,caption,split\nx,y,trian\n")], "a.csv: line 2: unknown split \"trian\""),
            (&[("a.csv", "path,caption,split\n../x,y,test\n")], "filename \"../x\" leaves the folder"),
            (
                &[("a.csv", "path,caption,split\nx,y,test\nx,z,val\n")],
                "a.csv: line 3: image x is in val here and in test",
            ),
            (
                &[("captions_val.json", r#"{"images": [], "annotations": [{"image_id": 3, "caption": "a"}]}"#)],
                "captions_val.json: annotation 0 names image 3, which is not in it",
            ),
        ];
        for (files, expected) in cases {
            let folder = folder(files)?;
            let error = Dataset::read(folder.path(), DevRule::Hash)
                .map(|dataset| dataset.images.len())
                .map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{error:?} {expected}");
        }
        Ok(())
    }
}
