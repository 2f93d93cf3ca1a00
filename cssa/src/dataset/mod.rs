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
mod dev;
mod karpathy;
mod places;

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
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "restval" => Ok(Self::Train),
            "dev" => Ok(Self::Dev),
            "val" | "valid" | "validation" => Ok(Self::Val),
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
    /// Captions that are null, and left out.
    pub null_captions: usize,
}

/// What a description says, and its name where it has one.
#[derive(Debug, Default)]
struct Described {
    name: Option<String>,
    entries: Vec<Listed>,
    null_captions: usize,
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
            images.push(Captioned { filename, path, split, captions, back_translations });
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
            // What macOS (`._c.csv`) and open spreadsheets (`~$c.csv`) leave beside a file.
            if name.starts_with(['.', '~']) {
                continue;
            }
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

/// The text of a description, without the mark that some editors put in front.
fn text_of(path: &Path) -> Result<String, FileError> {
    let text = files::read_text(path, MAX_FILE)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A description in JSON. Python writes `NaN` where a value is missing, which JSON does not have: it is null.
fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_nan(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    })
}

/// The text with `null` in place of each `NaN` that is not part of a string; nothing where there is none.
fn without_nan(text: &str) -> Option<String> {
    let (mut parts, mut is_text, mut is_found) = (String::with_capacity(text.len() + 16), false, false);
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\', 'N']) {
        let (before, found) = rest.split_at(at);
        parts.push_str(before);
        let length = match found.as_bytes() {
            [b'\\', ..] => 1 + found[1..].chars().next().map_or(0, char::len_utf8),
            [b'N', b'a', b'N', ..] if !is_text => {
                is_found = true;
                parts.push_str("null");
                rest = &found[3..];
                continue;
            }
            _ => 1,
        };
        is_text ^= found.starts_with('"');
        parts.push_str(&found[..length]);
        rest = &found[length..];
    }
    parts.push_str(rest);
    is_found.then_some(parts)
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

    #[test]
    fn datasets_of_the_world_have_all_their_images() -> Result<(), Box<dyn std::error::Error>> {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases/datasets");
        for (name, images) in [
            ("d01_karpathy_filepath_subdirs", 3),
            ("d02_coco_standard_train2017_folder", 2),
            ("d03_json_bom", 1),
            ("d14_filename_leading_dot_slash", 1),
            ("d30_csv_empty_last_lines", 1),
        ] {
            let dataset = Dataset::read(&cases.join(name), DevRule::Hash)?;
            assert_eq!((dataset.images.len(), dataset.missing, dataset.uncaptioned), (images, 0, 0), "{name}");
        }
        let listing = Listing::read(&cases.join("d33_coco_null_caption"), DevRule::Hash)?;
        assert!(listing.entries[0].captions.is_empty() && listing.entries[0].path.is_file());
        assert_eq!(listing.null_captions, 1);
        let error = Dataset::read(&cases.join("d33_coco_null_caption"), DevRule::Hash);
        assert!(error.is_err_and(|error| error.to_string().contains("1 captions are null")));
        Ok(())
    }

    #[test]
    fn siblings_of_these_have_all_their_images() -> Result<(), Box<dyn std::error::Error>> {
        let bom = "\u{feff}";
        let coco = r#"{"images": [{"id": "x1", "file_name": "a.jpg"}, {"id": -2, "file_name": "b.jpg"}], "annotations": [
            {"image_id": "x1", "caption": "a \"NaN\" bridge"}, {"image_id": "x1", "caption": NaN}, {"image_id": -2}]}"#;
        let coco = format!("{bom}{coco}");
        let karpathy = r#"{"images": [
            {"filename": "a.jpg", "filepath": "north", "split": "Train", "sentences": [{"raw": "a bridge ."}]},
            {"filename": "a.jpg", "filepath": "south", "split": "validation", "sentences": [{"tokens": ["a", "river"]}]}]}"#;
        let one = r#"{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "a"}]}"#;
        // Files with their content, images, and how many captions are left out.
        type Layout<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], usize);
        let layouts: [Layout<'_>; 7] = [
            (
                &[
                    ("train2017/1.jpg", ""),
                    ("images/val2017/1.jpg", ""),
                    ("captions_train2017.json", one),
                    ("captions_val2017.json", one),
                ],
                &["train2017/1.jpg", "val2017/1.jpg"],
                0,
            ),
            (&[("images/val/a.jpg", ""), ("val2014/b.jpg", ""), ("captions_val2014.json", &coco)], &["a.jpg"], 1),
            (
                &[("north/a.jpg", ""), ("images/south/a.jpg", ""), ("dataset.json", karpathy), ("._dataset.json", "")],
                &["north/a.jpg", "south/a.jpg"],
                0,
            ),
            (
                &[("images/b/a.jpg", ""), ("a.csv", "path;caption;split\r\n.\\b\\a.jpg;a, b;train\r\n;;\r\n \r\n")],
                &["b/a.jpg"],
                0,
            ),
            (&[("a.jpg", ""), ("a.csv", "path\tcaption\tsplit\na.jpg\ta; b\ttrain\t\t\n\t\t\t\t\n")], &["a.jpg"], 0),
            (&[("images/A.JPG", ""), ("a.csv", "\u{feff}\"path\",caption,split\r\na.jpg,a,train\r\n")], &["a.jpg"], 0),
            (
                &[
                    ("./a.jpg", ""),
                    ("a.csv", "path,caption,split\n./images/a.jpg,a,train\n"),
                    ("back_translations.jsonl", "{\"filename\": \"./a.jpg\", \"back_translations\": [\"b\"]}\n\n"),
                ],
                &["a.jpg"],
                0,
            ),
        ];
        for (files, names, uncaptioned) in layouts {
            let folder = folder(files)?;
            let dataset = Dataset::read(folder.path(), DevRule::Hash)?;
            let found: Vec<&str> = dataset.images.iter().map(|image| image.filename.as_str()).collect();
            assert_eq!((found.as_slice(), dataset.missing, dataset.uncaptioned), (names, 0, uncaptioned), "{files:?}");
            let translated = files.iter().any(|(name, _)| name.starts_with("back"));
            assert_eq!(dataset.images[0].back_translations.len(), usize::from(translated));
        }
        let short = folder(&[("a.csv", "path,caption,split\na.jpg,a\n")])?;
        let error = Dataset::read(short.path(), DevRule::Hash).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|error| error.contains("line 2: has 2 fields, expected 3")), "{error:?}");
        Ok(())
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
