//! Where a run finds what it takes and puts what it makes.

use crate::data::beside::Beside;
use std::path::PathBuf;
use std::time::Duration;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// Dataset folders.
    pub data: Vec<PathBuf>,
    /// What is learned from beside them.
    pub beside: Beside,
    /// What the run starts from.
    pub start: Start,
    /// The run's folder.
    pub out: PathBuf,
    /// Folder of cached features.
    pub cache: PathBuf,
    /// Folder with WordNet's `index.sense`, which need not be there.
    pub wordnet: PathBuf,
    /// A stage saves itself at least this often.
    pub save_every: Duration,
}

/// What a run starts from.
#[derive(Clone, Debug)]
pub enum Start {
    /// The backbone's weights file; the rest is random.
    Backbone(PathBuf),
    /// A finished run: its words and all its weights, on the same or on other data.
    Run(PathBuf),
}
