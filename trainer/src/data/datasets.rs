//! The datasets that a command names.

use anyhow::{Result, ensure};
use cssa::dataset::{Dataset, DevRule};
use std::path::PathBuf;

/// The datasets of a run.
pub(crate) fn read_datasets(folders: &[PathBuf], dev: DevRule) -> Result<Vec<Dataset>> {
    ensure!(!folders.is_empty(), "--data names no folder, expected one or more datasets");
    folders.iter().map(|folder| Ok(Dataset::read(folder, dev)?)).collect()
}
