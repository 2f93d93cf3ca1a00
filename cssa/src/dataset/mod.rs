//! Captioned images: a folder with the images and one description of them, in one of three layouts.
//!
//! | layout | description | images |
//! |---|---|---|
//! | Karpathy | one `dataset*.json`: `{"images": [{"filename", "filepath", "split", "sentences": [{"raw"}]}]}` | `images/`, there in `filepath`'s folder where it has one |
//! | COCO | `captions_{train,val,test}*.json`, also in `annotations/`: `{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}` | `images/`, or the part's own folder: `train2017/` |
//! | CSV | one `*.csv` with the header `path,caption,split`, a line a caption | `path`, from the folder or its `images/` |
//!
//! Folders of images may lie in the dataset's folder or in its `images/`. Captions that are null are left out and counted.
//!
//! Beside it may lie `back_translations.jsonl`: lines of `{"filename", "back_translations": […]}`.

mod coco;
mod csv;
mod description;
mod dev;
mod karpathy;
mod listed;
mod places;
mod text;

pub use self::description::is_described;
pub use self::dev::{DevRule, scene_class};
pub use self::listed::{Listed, Split};

use self::description::description;
use self::listed::Described;
use self::text::text_of;
use crate::files::FileError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A dataset on disk.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name: the `dataset` field, else the folder's name.
    pub name: String,
    /// Its images, in the file's order.
    pub images: Vec<Captioned>,
    /// Entries whose image is not there.
    pub missing: usize,
    /// Entries whose captions are all null.
    pub uncaptioned: usize,
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
    /// What others say of the same image: learned from, each in its own style, and never a reference of a score.
    pub further: Vec<Further>,
}

/// A caption from elsewhere of a dataset's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Further {
    /// The name of the description that it stands in.
    pub style: String,
    /// The caption.
    pub caption: String,
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
    /// Captions that are null, and left out.
    pub null_captions: usize,
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
        let Described { name, mut entries, null_captions } = if is_csv {
            csv::read(&folder, &file)?
        } else if coco::part(&file).is_some() {
            coco::read(&file)?
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
        Ok(Self { file, name, entries, null_captions })
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
        let Listing { file, name, entries, null_captions } = Listing::read(folder, rule)?;
        let place = if file == folder { file.parent().unwrap_or(Path::new(".")) } else { folder };
        let mut translations = back_translations(&place.join("back_translations.jsonl"))?;
        let mut images = Vec::with_capacity(entries.len());
        let (mut missing, mut uncaptioned) = (0, 0);
        for Listed { filename, path, split, captions } in entries {
            if !path.is_file() {
                missing += 1;
                continue;
            }
            if captions.is_empty() && null_captions > 0 {
                uncaptioned += 1;
                continue;
            }
            if captions.iter().all(|caption| caption.trim().is_empty()) {
                return Err(FileError::content(&file, format!("image {filename} has no caption")));
            }
            let back_translations = translations.remove(&filename).unwrap_or_default();
            images.push(Captioned { filename, path, split, captions, back_translations, further: Vec::new() });
        }
        if images.is_empty() {
            let problem = match uncaptioned {
                0 => "none of its images is where it should be".to_owned(),
                _ => format!("none of its images that are there has a caption: {null_captions} captions are null"),
            };
            return Err(FileError::content(&file, problem));
        }
        Ok(Self { name, images, missing, uncaptioned })
    }

    /// Adds a description's captions to the train images of the same names. Gives how many images have more captions now; those
    /// that are no train images here, or not there, are left out. A name that the dataset has not is an error, where it has all its images.
    pub fn add_further(&mut self, listing: &Listing) -> Result<usize, FileError> {
        let known: BTreeMap<String, usize> =
            self.images.iter().enumerate().map(|(n, image)| (image.filename.clone(), n)).collect();
        let mut added = 0;
        for entry in &listing.entries {
            let Some(&n) = known.get(&entry.filename) else {
                if self.missing + self.uncaptioned > 0 {
                    continue;
                }
                let problem = format!("image {} is none of {}'s, expected its file names", entry.filename, self.name);
                return Err(FileError::content(&listing.file, problem));
            };
            let image = &mut self.images[n];
            if image.split != Split::Train || !matches!(entry.split, Split::Train | Split::Dev) {
                continue;
            }
            let further = entry.captions.iter().filter(|caption| !caption.trim().is_empty());
            let style = &listing.name;
            image.further.extend(further.map(|caption| Further { style: style.clone(), caption: caption.clone() }));
            added += 1;
        }
        Ok(added)
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

fn back_translations(path: &Path) -> Result<BTreeMap<String, Vec<String>>, FileError> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (n, line) in text_of(path)?.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let entry: BackTranslations =
            serde_json::from_str(line).map_err(|error| FileError::content(path, format!("line {}: {error}", n + 1)))?;
        found.entry(places::plain(&entry.filename)).or_default().extend(entry.back_translations);
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
