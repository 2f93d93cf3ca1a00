//! Finds the description of a dataset.

use super::coco;
use crate::files::FileError;
use std::path::{Path, PathBuf};

/// Whether a path is a description or a folder with at least one: what else holds images is a plain folder.
#[must_use]
pub fn is_described(path: &Path) -> bool {
    path.is_file() || descriptions(path).is_ok_and(|found| !found.is_empty())
}

/// The one description in a folder; the parts of a COCO dataset count as one.
pub(super) fn description(folder: &Path) -> Result<PathBuf, FileError> {
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
