//! The datasets that a command names.

use anyhow::{Result, ensure};
use cssa::dataset::{Dataset, DevRule};
use std::path::PathBuf;

/// The datasets of a run.
pub(crate) fn read_datasets(folders: &[PathBuf], dev: DevRule) -> Result<Vec<Dataset>> {
    ensure!(!folders.is_empty(), "--data names no folder, expected one or more datasets");
    let mut all: Vec<Dataset> = Vec::with_capacity(folders.len());
    for folder in folders {
        let dataset = Dataset::read(folder, dev)?;
        let same = all.iter().any(|other| other.name == dataset.name);
        ensure!(!same, "{}: another dataset of --data is called {}, too", folder.display(), dataset.name);
        all.push(dataset);
    }
    Ok(all)
}
