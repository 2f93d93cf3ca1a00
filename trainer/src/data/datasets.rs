//! The datasets that a command names.

use crate::error::{Error, Result, ensure};
use cssa::dataset::{Dataset, DevRule};
use std::path::PathBuf;

/// The datasets of a run.
pub(crate) fn read_datasets(folders: &[PathBuf], dev: DevRule) -> Result<Vec<Dataset>> {
    ensure!(
        !folders.is_empty(),
        Error::Unknown { field: "--data", found: "no folder".into(), expected: "one or more datasets".into() }
    );
    let mut all: Vec<Dataset> = Vec::with_capacity(folders.len());
    for folder in folders {
        let dataset = Dataset::read(folder, dev)?;
        let same = all.iter().any(|other| other.name == dataset.name);
        ensure!(!same, Error::SharedName { folder: folder.clone(), name: dataset.name });
        all.push(dataset);
    }
    Ok(all)
}
