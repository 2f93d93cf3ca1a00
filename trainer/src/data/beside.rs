//! What is learned from beside the datasets: captions that others gave their images, and text without images.

use crate::error::{Error, Result, ensure};
use cssa::dataset::{Dataset, DevRule, Listing};
use cssa::files::{self, FileError};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::str::FromStr;

/// What is learned from beside the datasets.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Captions that others gave to images of the datasets.
    pub further: Vec<FurtherCaptions>,
    /// Files with a sentence a line: for the words and the n-gram model of the link.
    pub sentences: Vec<PathBuf>,
}

/// A description whose captions belong to images of a dataset.
#[derive(Clone, Debug)]
pub struct FurtherCaptions {
    /// The dataset's name.
    pub dataset: String,
    /// The description, in any layout.
    pub file: PathBuf,
}

impl FromStr for FurtherCaptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (dataset, file) = text.split_once('=').ok_or("expected DATASET=FILE, for example UCM=textrs.json")?;
        Ok(Self { dataset: dataset.into(), file: file.into() })
    }
}

/// The largest file of sentences, in bytes.
const MAX_TEXT: u64 = 1 << 28;

impl Beside {
    /// Adds the further captions to the train images that they belong to. Gives a line for each file.
    pub fn add_to(&self, datasets: &mut [Dataset]) -> Result<Vec<String>> {
        let mut lines = Vec::with_capacity(self.further.len());
        for FurtherCaptions { dataset, file } in &self.further {
            let listing = Listing::read(file, DevRule::None)?;
            let names: Vec<String> = datasets.iter().map(|dataset| dataset.name.clone()).collect();
            let Some(own) = datasets.iter_mut().find(|known| known.name == *dataset) else {
                let expected = format!("one of {}", names.join(", "));
                return Err(Error::Unknown { field: "--further", found: dataset.clone(), expected });
            };
            let name = &listing.name;
            let shared = || Error::SharedName { folder: file.clone(), name: name.clone() };
            let mut known = own.images.iter().flat_map(|image| &image.further);
            ensure!(!names.contains(name) && !known.any(|further| further.style == *name), shared());
            let (added, of) = (own.add_further(&listing)?, listing.entries.len());
            let none = || Error::from(FileError::content(file, format!("names no train image of {dataset}")));
            ensure!(added > 0, none());
            lines.push(format!("{name}: captions for {added} train images of {dataset}, {} left out", of - added));
        }
        Ok(lines)
    }

    /// The sentences, one a line.
    pub fn read_sentences(&self) -> Result<Vec<String>> {
        let mut sentences = Vec::new();
        for path in &self.sentences {
            let text = files::read_text(path, MAX_TEXT)?;
            let before = sentences.len();
            sentences.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned));
            let none = || Error::from(FileError::content(path, "has no sentence, expected one a line"));
            ensure!(sentences.len() > before, none());
        }
        Ok(sentences)
    }

    /// SHA-256 of all files, in hexadecimal, in order.
    pub fn digests(&self) -> Result<Vec<String>> {
        let further = self.further.iter().map(|further| &further.file);
        let digest = |path: &PathBuf| Ok(cssa::bundle::hexadecimal(&Sha256::digest(files::read(path, MAX_TEXT)?)));
        further.chain(&self.sentences).map(digest).collect()
    }
}
