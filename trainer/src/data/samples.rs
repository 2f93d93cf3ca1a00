//! Train images with their captions as tokens.

use super::augment::{self, Augmentation};
use super::features::to_tensor;
use super::rows::Rows;
use crate::net::Images;
use crate::random::Random;
use anyhow::Result;
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::vocabulary::{TokenId, Vocabulary};
use std::collections::BTreeMap;
use tch::{Device, Tensor};

/// The train images of all datasets.
#[derive(Debug)]
pub struct Samples {
    /// The images, numbered through all datasets.
    pub images: Vec<Sample>,
    /// Of each dataset.
    cached: Vec<Cached>,
    /// N and C of cached features.
    shape: (usize, usize),
    /// Side of the images in pixels.
    size: usize,
}

/// What is on disk for the images of a dataset.
#[derive(Debug)]
pub enum Cached {
    /// Features of several views, the image itself first.
    Features(Vec<Rows>),
    /// Pixels, to be augmented anew each time.
    Pixels(Rows),
}

/// One train image.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Which dataset.
    pub dataset: usize,
    /// Which row of what is cached.
    pub row: usize,
    /// Its distinct captions, start and end included, each with how often the dataset repeats it.
    pub captions: Vec<(Vec<TokenId>, f32)>,
    /// Its captions as the dataset has them.
    pub references: Vec<String>,
    /// Back-translated captions in words, for the text branch.
    pub back_translations: Vec<String>,
    /// Whether its captions name directions.
    pub directed: bool,
    /// How often an epoch shows it.
    pub repeat: usize,
}

/// How an image is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Itself,
    /// Augmented, T_img.
    Augmented,
}

impl Samples {
    /// Collects train images. `cached[d]` belongs to dataset `d`; features have the shape `shape`, images `size` pixels.
    pub fn new(
        datasets: &[Dataset],
        cached: Vec<Cached>,
        (shape, size): ((usize, usize), usize),
        vocabulary: &Vocabulary,
        max_tokens: usize,
        repeat: &BTreeMap<String, usize>,
    ) -> Self {
        let mut images = Vec::new();
        for (d, dataset) in datasets.iter().enumerate() {
            let repeat = repeat.get(&dataset.name).copied().unwrap_or(1);
            for (row, image) in dataset.split(Split::Train).enumerate() {
                let captions = distinct_captions(image, vocabulary, max_tokens);
                if captions.is_empty() {
                    continue;
                }
                images.push(Sample {
                    dataset: d,
                    row,
                    captions,
                    references: image.captions.clone(),
                    back_translations: image.back_translations.clone(),
                    directed: augment::names_direction(&image.captions),
                    repeat,
                });
            }
        }
        Self { images, cached, shape, size }
    }

    /// Numbers of the images of one epoch, each as often as its dataset is repeated.
    pub fn epoch(&self) -> Vec<usize> {
        let repeated = |(n, sample): (usize, &Sample)| std::iter::repeat_n(n, sample.repeat);
        self.images.iter().enumerate().flat_map(repeated).collect()
    }

    /// The images of a batch, each shown as asked: from cached features any of the augmented views, from pixels anew.
    pub fn read(&self, images: &[(usize, Shown)], random: &mut Random, device: Device) -> Result<Images> {
        let (mut features, mut pixels, mut augmentation) = (Vec::new(), Vec::new(), Augmentation::default());
        for &(image, shown) in images {
            let sample = &self.images[image];
            match &self.cached[sample.dataset] {
                Cached::Features(views) if shown == Shown::Augmented && views.len() > 1 => {
                    views[1 + random.below(views.len() - 1)].read(sample.row, &mut features)?;
                }
                Cached::Features(views) => views[0].read(sample.row, &mut features)?,
                Cached::Pixels(rows) => {
                    rows.read(sample.row, &mut pixels)?;
                    match shown {
                        Shown::Itself => augmentation.keep(),
                        Shown::Augmented => augmentation.draw(sample.directed, random),
                    }
                }
            }
        }
        if pixels.is_empty() {
            return Ok(Images::Features(to_tensor(&features, self.shape, device)));
        }
        let size = self.size as i64;
        Ok(Images::Pixels(Tensor::from_slice(&pixels).view([-1, 3, size, size]).to_device(device), augmentation))
    }

    /// How RSIC shows an image this time: all cached views are equally likely, a fresh one as likely as the image itself.
    pub fn shown(&self, image: usize, random: &mut Random) -> Shown {
        let views = match &self.cached[self.images[image].dataset] {
            Cached::Features(views) => views.len(),
            Cached::Pixels(_) => 2,
        };
        if random.below(views) == 0 { Shown::Itself } else { Shown::Augmented }
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
