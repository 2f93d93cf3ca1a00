//! The languages of bundles, by where they lie.

use crate::error::{Error, Result};
use cssa::bundle::Language;
use std::path::{Path, PathBuf};

/// The languages of bundles, by their places: bundles, or folders of bundles. Two with one id would be told apart by nobody.
pub(crate) fn languages(places: &[PathBuf]) -> Result<Vec<Language>> {
    let mut all: Vec<Language> = Vec::new();
    for place in places {
        for place in bundles(place)? {
            let language = Language::read(&place)?;
            if all.iter().any(|other| other.id == language.id && other.model != language.model) {
                return Err(Error::SharedId { bundle: place, id: language.id });
            }
            all.push(language);
        }
    }
    Ok(all)
}

/// The bundle at a place, or those in the folder.
fn bundles(place: &Path) -> Result<Vec<PathBuf>> {
    let is_bundle = |place: &Path| place.join("manifest.toml").is_file() || place.extension() == Some("cssa".as_ref());
    if is_bundle(place) || !place.is_dir() {
        return Ok(vec![place.into()]);
    }
    let unlisted = |cause| Error::Folder { folder: place.into(), cause };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if is_bundle(&path) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}
