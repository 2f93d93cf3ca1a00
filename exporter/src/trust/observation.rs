//! What a bundle makes of the images that it is fitted or measured on.

use crate::error::{At, Error, Result};
use cssa::bundle::Bundle;
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::objects::ObjectGroups;
use cssa::search::Hypothesis;
use cssa::spread;
use cssa::trust::{Familiarity, ImageStatistics};
use cssa_captioner::{Captioner, Looks};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One image, seen from all sides.
pub(super) struct Observation {
    /// `[d]`.
    pub(super) mean_memory: Vec<f32>,
    pub(super) statistics: ImageStatistics,
    /// What each look found, best first.
    pub(super) looks: Vec<Vec<Hypothesis>>,
    /// The objects that a reference names.
    pub(super) told: BTreeSet<usize>,
}

/// Objects that any of an image's captions names.
pub(super) fn told(captions: &[String], groups: &ObjectGroups) -> BTreeSet<usize> {
    captions.iter().flat_map(|caption| groups.said(caption)).collect()
}

/// The images of some parts of datasets, at most `most` spread evenly over each dataset, and the parts' names.
pub(super) fn images(
    bundle: &Bundle,
    folders: &[PathBuf],
    splits: &[Split],
    most: usize,
) -> Result<(Vec<Captioned>, Vec<String>)> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for folder in folders {
        let dataset = Dataset::read(folder, bundle.manifest.dev)?;
        for &split in splits {
            let images: Vec<&Captioned> = dataset.split(split).filter(|image| !image.captions.is_empty()).collect();
            if !images.is_empty() {
                names.push(format!("{} {}", dataset.name, split.name()));
            }
            found.extend(spread(&images, most).into_iter().map(|image| (*image).clone()));
        }
    }
    if found.is_empty() {
        let part = format!("the split {}", splits.iter().map(|split| split.name()).collect::<Vec<_>>().join(", "));
        return Err(Error::NoImages { folder: folders.first().cloned().unwrap_or_default(), part });
    }
    Ok((found, names))
}

/// Looks at an image once.
pub(super) fn mean_memory(captioner: &mut Captioner, path: &Path, width: usize) -> Result<Vec<f32>> {
    let sight = captioner.sight(&cssa_image::read(path)?).at(|| path.display().to_string())?;
    Ok(Familiarity::mean_memory(&sight.memory, width))
}

/// Looks at an image from all sides.
pub(super) fn observe(
    captioner: &mut Captioner,
    image: &Captioned,
    groups: &ObjectGroups,
    width: usize,
) -> Result<Observation> {
    let place = || image.path.display().to_string();
    let sight = captioner.sight(&cssa_image::read(&image.path)?).at(place)?;
    let looks = captioner.candidates(&sight, Looks::Eight).at(place)?;
    Ok(Observation {
        mean_memory: Familiarity::mean_memory(&sight.memory, width),
        statistics: sight.statistics,
        looks,
        told: told(&image.captions, groups),
    })
}
