//! Finds the description of a dataset, and reads its text as programs of the world write it.

use super::coco;
use crate::files::{self, FileError};
use std::path::{Path, PathBuf};

/// Largest description, in bytes.
const MAX_FILE: u64 = 1 << 30;

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

/// The text of a description, without the mark that some editors put in front.
pub(super) fn text_of(path: &Path) -> Result<String, FileError> {
    let text = files::read_text(path, MAX_FILE)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A description in JSON. Python writes `NaN` where a value is missing, which JSON does not have: it is null.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
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
