//! Train images with their captions as tokens.

use super::features::Features;
use anyhow::Result;
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::vocabulary::{TokenId, Vocabulary};
use half::f16;
use std::collections::BTreeMap;

/// The train images of all datasets, with cached features for every view.
#[derive(Debug)]
pub struct Samples {
    /// The images, numbered through all datasets.
    pub images: Vec<Sample>,
    views: Vec<Vec<Features>>,
}

/// One train image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which dataset.
    pub dataset: usize,
    /// Which row of its features.
    pub row: usize,
    /// Its distinct captions, start and end included, each with how often the dataset repeats it.
    pub captions: Vec<(Vec<TokenId>, f32)>,
    /// Back-translated captions in words, for the text branch.
    pub back_translations: Vec<String>,
    /// How often an epoch shows it.
    pub repeat: usize,
}

impl Samples {
    /// Collects train images. `views[d][v]` are the features of dataset `d` in view `v`.
    pub fn new(
        datasets: &[Dataset],
        views: Vec<Vec<Features>>,
        vocabulary: &Vocabulary,
        max_tokens: usize,
        repeat: &BTreeMap<String, usize>,
    ) -> Self {
        let mut images = Vec::new();
        for (d, dataset) in datasets.iter().enumerate() {
            let repeat = repeat.get(&dataset.name).copied().unwrap_or(1);
            for (row, image) in dataset.split(Split::Train).enumerate() {
                let captions = distinct_captions(image, vocabulary, max_tokens);
                let back_translations = image.back_translations.clone();
                if captions.is_empty() {
                    continue;
                }
                images.push(Sample { dataset: d, row, captions, back_translations, repeat });
            }
        }
        Self { images, views }
    }

    /// Numbers of the images of one epoch, each as often as its dataset is repeated.
    pub fn epoch(&self) -> Vec<usize> {
        let repeated = |(n, sample): (usize, &Sample)| std::iter::repeat_n(n, sample.repeat);
        self.images.iter().enumerate().flat_map(repeated).collect()
    }

    /// Views of each image.
    pub fn views(&self) -> usize {
        self.views.iter().map(Vec::len).min().unwrap_or_default()
    }

    /// Appends the features of image `image` in view `view`.
    pub fn features(&self, image: usize, view: usize, into: &mut Vec<f16>) -> Result<()> {
        let sample = &self.images[image];
        self.views[sample.dataset][view].read(sample.row, into)
    }

    /// N and C.
    pub fn shape(&self) -> (usize, usize) {
        self.views[0][0].shape()
    }
}

fn distinct_captions(image: &Captioned, vocabulary: &Vocabulary, max_tokens: usize) -> Vec<(Vec<TokenId>, f32)> {
    let mut distinct: Vec<(Vec<TokenId>, f32)> = Vec::new();
    for caption in &image.captions {
        let tokens = with_ends(vocabulary.encode(caption), max_tokens);
        match distinct.iter_mut().find(|(known, _)| *known == tokens) {
            Some((_, count)) => *count += 1.0,
            None if tokens.len() > 2 => distinct.push((tokens, 1.0)),
            None => {}
        }
    }
    distinct
}

/// Start, the words (as many as `max_tokens` leaves room for), end.
pub fn with_ends(mut words: Vec<TokenId>, max_tokens: usize) -> Vec<TokenId> {
    words.truncate(max_tokens - 1);
    words.insert(0, TokenId::START);
    words.push(TokenId::END);
    words
}
