//! What the train captions say, counted: for the link and for consensus decoding.

use crate::data::datasets::read_datasets;
use crate::error::Result;
use cssa::checkpoint::{Checkpoint, DESCRIPTION, DOCUMENT_FREQUENCIES, Description, LANGUAGE_MODEL};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::files;
use cssa::language_model::LanguageModel;
use cssa::search::DocumentFrequencies;
use cssa::vocabulary::{TokenId, Vocabulary};
use std::path::{Path, PathBuf};

/// Counts the train captions of the datasets in `folders` and writes the n-gram model and the document frequencies of a run.
/// Gives the files with their sizes in bytes. A folder without a model gets the n-gram model alone, of the train images that are not dev by
/// hash.
pub fn count_captions(run: &Path, folders: &[PathBuf]) -> Result<Vec<(PathBuf, usize)>> {
    let description = if run.join(DESCRIPTION).exists() { Some(Description::read(run)?) } else { None };
    let dev = description.as_ref().map_or(DevRule::Hash, |description| description.dev);
    let datasets = read_datasets(folders, dev)?;
    let mut counted = vec![(run.join(LANGUAGE_MODEL), LanguageModel::build(captions(&datasets, &[])).to_bytes())];
    if let Some(description) = description {
        let frequencies = DocumentFrequencies::count(images(&datasets, &description.vocabulary(run)?));
        counted.push((run.join(DOCUMENT_FREQUENCIES), frequencies.to_bytes()));
    }
    let write = |(path, bytes): (PathBuf, Vec<u8>)| {
        files::write(&path, &bytes)?;
        Ok((path, bytes.len()))
    };
    counted.into_iter().map(write).collect()
}

/// What the train captions say, counted.
pub(super) struct Counts {
    /// The n-gram model that packs captions on the link.
    pub(super) language_model: LanguageModel,
    /// In how many train images' captions each n-gram occurs.
    pub(super) document_frequencies: DocumentFrequencies,
}

impl Counts {
    /// Counts all datasets; the sentences beside them count for the n-gram model alone.
    pub(super) fn new((datasets, sentences): (&[Dataset], &[String]), vocabulary: &Vocabulary) -> Self {
        Self {
            language_model: LanguageModel::build(captions(datasets, sentences)),
            document_frequencies: DocumentFrequencies::count(images(datasets, vocabulary)),
        }
    }

    /// Counts on where `run` has counted, whose words are the first of `vocabulary`: what it has counted is not counted again,
    /// and where all of it is there, all is counted anew. Of a run without document frequencies there is nothing to go on from.
    pub(super) fn extended(
        run: &Checkpoint,
        replayed: &[&str],
        (datasets, sentences): (&[Dataset], &[String]),
        vocabulary: &Vocabulary,
    ) -> Self {
        let known = &run.description.provenance.datasets;
        let is_there = |name: &String| datasets.iter().any(|dataset| dataset.name == *name);
        if known.iter().all(is_there) {
            return Self::new((datasets, sentences), vocabulary);
        }
        let is_old = |dataset: &&Dataset| replayed.contains(&dataset.name.as_str()) && known.contains(&dataset.name);
        let new = || datasets.iter().filter(move |dataset| !is_old(dataset));
        Self {
            language_model: run.language_model.extended(captions(new(), sentences)),
            document_frequencies: match &run.document_frequencies {
                Some(frequencies) => frequencies.extended(images(new(), vocabulary)),
                None => DocumentFrequencies::count(images(datasets, vocabulary)),
            },
        }
    }
}

/// The train captions of each image as tokens.
fn images<'a>(
    datasets: impl IntoIterator<Item = &'a Dataset>,
    vocabulary: &'a Vocabulary,
) -> impl Iterator<Item = Vec<Vec<TokenId>>> {
    let captions = |image: &Captioned| image.captions.iter().map(|caption| vocabulary.encode(caption)).collect();
    datasets.into_iter().flat_map(|dataset| dataset.split(Split::Train)).map(captions)
}

/// The train captions and the sentences beside them, as the link sends them.
fn captions<'a>(
    datasets: impl IntoIterator<Item = &'a Dataset>,
    sentences: &'a [String],
) -> impl Iterator<Item = String> {
    let images = datasets.into_iter().flat_map(|dataset| dataset.split(Split::Train));
    let said = images.flat_map(|image| image.captions.iter().chain(image.further.iter().map(|other| &other.caption)));
    said.chain(sentences).map(|caption| caption.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn dataset(name: &str, caption: &str) -> Dataset {
        let image = |n: usize| Captioned {
            filename: format!("{n}.png"),
            path: format!("{n}.png").into(),
            split: Split::Train,
            captions: vec![caption.into()],
            back_translations: Vec::new(),
            further: Vec::new(),
        };
        Dataset { name: name.into(), images: (0..4).map(image).collect(), missing: 0, uncaptioned: 0 }
    }

    /// What a run has counted is counted once, whether its data are there, some of them or none.
    #[test]
    fn counts_go_on_where_a_run_has_counted() -> Result<()> {
        let [one, other, new] =
            [("one", "a road"), ("other", "a river near a road"), ("new", "a canal")].map(|(n, c)| dataset(n, c));
        let mut run = Checkpoint::read(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/run")))?;
        run.description.provenance.datasets = vec!["one".into(), "other".into()];
        let vocabulary = run.vocabulary.clone();
        let known = Counts::new((&[one.clone(), other.clone()], &[]), &vocabulary);
        run.language_model = known.language_model;
        run.document_frequencies = Some(known.document_frequencies.into());
        let all = Counts::new((&[new.clone(), one.clone(), other.clone()], &[]), &vocabulary);
        for old in [vec![], vec![one.clone()], vec![one, other]] {
            let replayed: Vec<&str> = old.iter().map(|dataset| dataset.name.as_str()).collect();
            let datasets = [vec![new.clone()], old.clone()].concat();
            let counts = Counts::extended(&run, &replayed, (&datasets, &[]), &vocabulary);
            assert_eq!(counts.document_frequencies, all.document_frequencies, "{replayed:?}");
            let words = ["road", "river", "canal"].map(|word| counts.language_model.id(word));
            assert!(words.iter().all(|&word| word != cssa::language_model::UNKNOWN), "{replayed:?}");
        }
        Ok(())
    }
}
