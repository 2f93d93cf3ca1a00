//! What the train captions say, counted: for the link and for consensus decoding.

use crate::data::datasets::read_datasets;
use crate::error::Result;
use cssa::checkpoint::{DESCRIPTION, DOCUMENT_FREQUENCIES, Description, LANGUAGE_MODEL};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::files;
use cssa::language_model::LanguageModel;
use cssa::search::DocumentFrequencies;
use cssa::vocabulary::Vocabulary;
use std::path::{Path, PathBuf};

/// Counts the train captions of the datasets in `folders` and writes the n-gram model and the document frequencies of a run.
/// Gives the files with their sizes in bytes. A folder without a model gets the n-gram model alone, of the train images that are not dev by
/// hash.
pub fn count_captions(run: &Path, folders: &[PathBuf]) -> Result<Vec<(PathBuf, usize)>> {
    let description = if run.join(DESCRIPTION).exists() { Some(Description::read(run)?) } else { None };
    let dev = description.as_ref().map_or(DevRule::Hash, |description| description.dev);
    let datasets = read_datasets(folders, dev)?;
    let mut counted = vec![(run.join(LANGUAGE_MODEL), language_model(&datasets).to_bytes())];
    if let Some(description) = description {
        let frequencies = document_frequencies(&datasets, &description.vocabulary(run)?);
        counted.push((run.join(DOCUMENT_FREQUENCIES), frequencies.to_bytes()));
    }
    let write = |(path, bytes): (PathBuf, Vec<u8>)| {
        files::write(&path, &bytes)?;
        Ok((path, bytes.len()))
    };
    counted.into_iter().map(write).collect()
}

/// In how many train images' captions each n-gram occurs.
pub(super) fn document_frequencies(datasets: &[Dataset], vocabulary: &Vocabulary) -> DocumentFrequencies {
    let captions = |image: &Captioned| image.captions.iter().map(|caption| vocabulary.encode(caption)).collect();
    DocumentFrequencies::count(datasets.iter().flat_map(|dataset| dataset.split(Split::Train)).map(captions))
}

/// The n-gram model that packs captions on the link.
pub(super) fn language_model(datasets: &[Dataset]) -> LanguageModel {
    let images = datasets.iter().flat_map(|dataset| dataset.split(Split::Train));
    LanguageModel::build(images.flat_map(|image| image.captions.iter().map(|caption| caption.to_lowercase())))
}
