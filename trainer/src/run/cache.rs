//! What is on disk for the train images of a dataset.

use crate::data::features::Source;
use crate::data::samples::Cached;
use crate::error::Result;
use crate::progress::Progress;
use cssa::dataset::{Captioned, Dataset, Split};

/// Features of images that are augmented anew are kept up to this many times the size of the pixels.
const MAX_KNOWN: usize = 3;

/// How many views of each image go through the frozen layers once. The image itself need not do so again and again, where their
/// output is no larger than a few images.
pub(super) fn known_views(source: &Source<'_>, views: usize) -> usize {
    let small = source.backbone.frozen_output().bytes() <= MAX_KNOWN * 3 * source.model.image_size.pow(2);
    if views == 0 { usize::from(small) } else { views }
}

/// The features of the `known` first views, and where there are no augmented `views` the pixels.
pub(super) fn cache(
    source: &Source<'_>,
    dataset: &Dataset,
    views: usize,
    known: usize,
    progress: &Progress,
) -> Result<Cached> {
    let pixels = if views == 0 {
        let images: Vec<&Captioned> = dataset.split(Split::Train).collect();
        Some(source.pixels(&format!("{}-train", dataset.name), &images, progress)?)
    } else {
        None
    };
    let features = (0..known).map(|view| source.split_features(dataset, Split::Train, view, progress));
    Ok(Cached { features: features.collect::<Result<_>>()?, pixels })
}
