//! What a bundle makes of the images that it is fitted or measured on.

use crate::error::{At, Error, Result};
use cssa::bundle::Bundle;
use cssa::dataset::{Captioned, Dataset, Listing, Split};
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

/// The images of some parts of datasets.
#[derive(Debug)]
pub(super) struct Parts {
    /// The images, each once, by paths without links.
    pub(super) images: Vec<Captioned>,
    /// The dataset of each, counted from 0.
    pub(super) datasets: Vec<usize>,
    /// The parts' names, `dataset split`.
    pub(super) names: Vec<String>,
}

impl Parts {
    /// The images of `splits`, at most `most` spread evenly over each dataset. An image that is there twice is refused: it would count
    /// twice, and be judged by what was fitted on it.
    pub(super) fn read(bundle: &Bundle, folders: &[PathBuf], splits: &[Split], most: usize) -> Result<Self> {
        let mut parts = Self { images: Vec::new(), datasets: Vec::new(), names: Vec::new() };
        for (number, folder) in folders.iter().enumerate() {
            let dataset = Dataset::read(folder, bundle.manifest.dev)?;
            let described = Listing::read(folder, bundle.manifest.dev)?.entries;
            for &split in splits {
                let images: Vec<&Captioned> = dataset.split(split).collect();
                let described = described.iter().filter(|image| image.split == split).count();
                if images.len() < described {
                    let missing = described - images.len();
                    let (name, split) = (&dataset.name, split.name());
                    tracing::warn!("{missing} of {described} images of {name} {split} are not there and left out");
                }
                if images.is_empty() {
                    continue;
                }
                let name = format!("{} {}", dataset.name, split.name());
                if parts.names.contains(&name) {
                    return Err(Error::Twice { what: name });
                }
                parts.names.push(name);
                for image in spread(&images, most) {
                    let path =
                        image.path.canonicalize().map_err(Error::Folder).at(|| image.path.display().to_string())?;
                    parts.images.push(Captioned { path, ..(*image).clone() });
                    parts.datasets.push(number);
                }
            }
        }
        if parts.images.is_empty() {
            let part = format!("the split {}", splits.iter().map(|split| split.name()).collect::<Vec<_>>().join(", "));
            return Err(Error::NoImages { folder: folders.first().cloned().unwrap_or_default(), part });
        }
        each_once(&parts.images)?;
        Ok(parts)
    }
}

/// Fails where two images are one file.
pub(super) fn each_once<'a>(images: impl IntoIterator<Item = &'a Captioned>) -> Result<()> {
    let mut seen = BTreeSet::new();
    let twice = images.into_iter().find(|image| !seen.insert(&image.path));
    twice.map_or(Ok(()), |image| Err(Error::Twice { what: image.path.display().to_string() }))
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
