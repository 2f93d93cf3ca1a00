//! Scenes of any size: GeoTIFF read a band of rows at a time and cut into overlapping tiles, each with its own place. Other images
//! are taken, too, and held whole.

use super::image_file::{Cutting, ImageFile, Untiled};
use super::key;
use super::source::{Next, Source};
use crate::error::Result;
use std::collections::VecDeque;
use std::path::PathBuf;

/// Side of a tile where none is configured.
const SIDE: u32 = 512;

/// Scenes, one after the other. Each tile is captioned once, and again where its file has changed.
pub struct SceneSource {
    waiting: VecDeque<PathBuf>,
    cutting: Cutting,
    open: Option<ImageFile>,
}

impl SceneSource {
    /// A source that has opened nothing yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], cutting: Cutting) -> Self {
        Self { waiting: paths.iter().cloned().collect(), cutting, open: None }
    }
}

impl Source for SceneSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        loop {
            if let Some(frame) = self.open.as_mut().and_then(|scene| scene.next(settled)) {
                return Ok(Next::Frame(frame));
            }
            self.open = None;
            let Some(path) = self.waiting.pop_front() else { return Ok(Next::End) };
            match ImageFile::open(&path, &key::of_file(&path), self.cutting, Untiled::Cut(SIDE)) {
                Ok(scene) => self.open = Some(scene),
                Err(unreadable) => return Ok(Next::Frame(*unreadable)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
