//! Scenes of any size: GeoTIFF read a band of rows at a time and cut into overlapping tiles, each with its own place. Other images
//! are taken, too, and held whole.

use super::file_sequence::{FileSequence, Named};
use super::image_file::{Cutting, Untiled};
use super::key;
use super::ledger::Ledger;
use super::source::{Next, Source};
use crate::error::Result;
use std::path::PathBuf;

/// Side of a tile where none is configured.
const SIDE: u32 = 512;

/// Scenes, one after the other. Each tile is captioned once, and again where its file has changed or is cut otherwise. What is not given is
/// tried again behind the others, and in the next run.
pub struct SceneSource(FileSequence);

impl SceneSource {
    /// A source that has opened nothing yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], cutting: Cutting) -> Self {
        let files = paths.iter().map(|path| Named { path: path.clone(), line: None });
        Self(FileSequence::new(files, cutting, Untiled::Cut(SIDE)))
    }
}

impl Source for SceneSource {
    fn next(&mut self, ledger: &dyn Ledger) -> Result<Next> {
        Ok(self.0.next(ledger))
    }

    fn is_gone(&self, key: &str) -> bool {
        key::is_gone(key, key::is_away)
    }
}

#[cfg(test)]
mod tests;
