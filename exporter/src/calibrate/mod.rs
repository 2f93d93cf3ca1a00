//! How activations are spread on real images: the float graphs run in ONNX Runtime with every activation of interest as an
//! output, and captions are searched as on board.

mod histogram;
mod range;

pub use histogram::Histogram;
pub use range::{Levels, METHODS, Method, Range};

use crate::error::{At, Error, Result, unexpected};
use crate::graph::Name;
use crate::ort_graphs::OrtGraphs;
use cssa::bundle::Bundle;
use cssa::dataset::{self, Captioned, Dataset, DevRule, Split};
use cssa::errors::chain;
use cssa::files::{self, FileError};
use cssa::preprocess;
use cssa::search;
use cssa::spread;
use cssa_captioner::{Runtime, Settings, Steps};
use cssa_graph::onnx::{ModelProto, ValueInfoProto};
use cssa_image::images as images_in;
use ndarray::{ArrayView2, Axis};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Fewer images say too little about the ranges.
pub const FEWEST_IMAGES: usize = 8;

/// How the channels of a tensor lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// So many blocks, as of `[1, C, H, W]`.
    Blocks(usize),
    /// So many columns, as of `[rows, C]`.
    Columns(usize),
}

/// What was seen of one tensor.
#[derive(Clone, Debug, Default)]
pub struct ActivationObserver {
    /// All values.
    pub histogram: Histogram,
    /// Largest magnitude of each channel.
    pub largest: Vec<f32>,
    sums: Vec<f64>,
    count: usize,
}

/// What was seen of every observed tensor.
pub type ActivationObservers = BTreeMap<Name, ActivationObserver>;

impl ActivationObserver {
    /// The mean of each channel.
    #[must_use]
    pub fn means(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| (sum / self.count.max(1) as f64) as f32).collect()
    }

    fn add(&mut self, values: &[f32], channels: Channels) -> Result<()> {
        self.histogram.add(values);
        let (Channels::Blocks(count) | Channels::Columns(count)) = channels;
        self.largest.resize(count, 0.0);
        self.sums.resize(count, 0.0);
        self.count += values.len() / count;
        let (shape, axis) = match channels {
            Channels::Blocks(_) => ((count, values.len() / count), Axis(0)),
            Channels::Columns(_) => ((values.len() / count, count), Axis(1)),
        };
        let values = ArrayView2::from_shape(shape, values).map_err(|error| unexpected!("{error}"))?;
        for (channel, values) in values.axis_iter(axis).enumerate() {
            let seen = |(largest, sum): (f32, f32), &value: &f32| (largest.max(value.abs()), sum + value);
            let (largest, sum) = values.iter().fold((self.largest[channel], 0f32), seen);
            self.largest[channel] = largest;
            self.sums[channel] += f64::from(sum);
        }
        Ok(())
    }
}

/// Which images calibrate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Their files.
    pub paths: Vec<PathBuf>,
    /// The name of the dataset or of the plain folder.
    pub dataset: String,
    /// The dataset's part; `None` for a plain folder.
    pub split: Option<Split>,
}

impl Selection {
    /// At most `most` images, spread evenly: of a dataset those of train that `dev` leaves there, so that neither tuning nor
    /// testing meets an image that the ranges have seen; of a plain folder all in it and below.
    pub fn of(folder: &Path, most: usize, dev: DevRule) -> Result<Self> {
        let (all, dataset, split) = if dataset::is_described(folder) {
            let dataset = Dataset::read(folder, dev)?;
            let path = |image: &Captioned| image.path.clone();
            (dataset.split(Split::Train).map(path).collect(), dataset.name, Some(Split::Train))
        } else {
            let absolute = std::path::absolute(folder).map_err(Error::Folder)?;
            let name = absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
            (images_in(&[folder.to_path_buf()])?, name, None)
        };
        let kind = if split.is_some() { "train images" } else { "images" };
        if all.len() < FEWEST_IMAGES {
            let (folder, found, expected) = (folder.into(), all.len(), FEWEST_IMAGES);
            return Err(Error::FewImages { folder, found, kind, expected });
        }
        Ok(Self { paths: spread(&all, most).into_iter().cloned().collect(), dataset, split })
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} images of ", self.paths.len())?;
        match self.split {
            Some(split) => write!(out, "{} {}", self.dataset, split.name()),
            None => write!(out, "the folder {}", self.dataset),
        }
    }
}

/// Normalized calibration images and what names them.
#[derive(Clone, Debug)]
pub struct Images {
    /// Where they are from.
    pub selection: Selection,
    /// `[3, s, s]` each.
    pub inputs: Vec<Vec<f32>>,
    /// SHA-256 over their files' contents in order, in hexadecimal.
    pub sha256: String,
}

impl Images {
    /// Reads the images of a selection; one that does not decode is named.
    pub fn read(selection: Selection, model: &cssa::model::Model) -> Result<Self> {
        let mut hash = Sha256::new();
        let mut inputs = Vec::with_capacity(selection.paths.len());
        for path in &selection.paths {
            let bytes = files::read(path, 1 << 30)?;
            hash.update(&bytes);
            let image = cssa_image::decode(&bytes)
                .map_err(|error| FileError::content(path, format!("calibration image: {}", chain(&error))))?;
            inputs.push(preprocess::input(&image, model));
        }
        Ok(Self { selection, inputs, sha256: cssa::bundle::hexadecimal(&hash.finalize()) })
    }
}

/// The graph with further tensors among its outputs.
#[must_use]
pub fn with_outputs(mut model: ModelProto, names: &BTreeMap<Name, Channels>) -> ModelProto {
    if let Some(graph) = &mut model.graph {
        let inputs: BTreeSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
        let known: BTreeSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        let fresh = names.keys().filter(|name| !inputs.contains(name.as_str()) && !known.contains(name.as_str()));
        let added: Vec<ValueInfoProto> =
            fresh.map(|name| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() }).collect();
        graph.output.extend(added);
    }
    model
}

/// What is seen of the tensors `channels` over the images; the bundle's graphs have them among their outputs.
pub fn observers(
    bundle: &Bundle,
    channels: &BTreeMap<Name, Channels>,
    library: &Path,
    settings: &Settings,
    images: &[Vec<f32>],
) -> Result<ActivationObservers> {
    let channels = channels.clone();
    let observers: Arc<Mutex<ActivationObservers>> = Arc::default();
    let mut runtime = OrtGraphs::open(bundle, library, settings)?;
    let seen = Arc::clone(&observers);
    let see = move |name: &str, values: &[f32]| match channels.get(name) {
        Some(channels) => {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry(name.to_owned()).or_default().add(values, *channels).at(|| name.to_owned())
        }
        None => Ok(()),
    };
    let see = Arc::new(see);
    let observer = Arc::clone(&see);
    runtime.observe(Box::new(move |name, values| observer(name, values)));
    let search = bundle.strategy()?.settings();
    for input in images {
        see(cssa_graph::names::IMAGE, input)?;
        let memory = runtime.encode(0, input)?;
        if !memory.iter().all(|x| x.is_finite()) {
            return Err(Error::NotFinite);
        }
        search::search(&mut Steps(&mut runtime), search)?;
    }
    drop(runtime);
    let seen = std::mem::take(&mut *observers.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    /// A dataset of 40 train images, 10 of val and 10 of test, without pixels.
    fn dataset() -> Result<tempfile::TempDir> {
        let folder = tempfile::tempdir()?;
        let mut csv = String::from("path,caption,split\n");
        for n in 1..=60 {
            let split = if n <= 40 {
                "train"
            } else if n <= 50 {
                "val"
            } else {
                "test"
            };
            csv += &format!("{split}_{n}.png,a caption,{split}\n");
            std::fs::write(folder.path().join(format!("{split}_{n}.png")), "")?;
        }
        std::fs::write(folder.path().join("mine.csv"), csv)?;
        Ok(folder)
    }

    #[test]
    fn a_dataset_calibrates_with_its_train_images_only() -> Result<()> {
        let folder = dataset()?;
        for rule in [DevRule::Blocks, DevRule::Hash] {
            let chosen = Selection::of(folder.path(), 1000, rule)?;
            let dev: Vec<PathBuf> =
                Dataset::read(folder.path(), rule)?.split(Split::Dev).map(|image| image.path.clone()).collect();
            assert!(!dev.is_empty() && chosen.paths.len() + dev.len() == 40, "{rule}: {}", chosen.paths.len());
            let wrong =
                chosen.paths.iter().find(|path| dev.contains(path) || !path.to_string_lossy().contains("train_"));
            assert_eq!(wrong, None, "{rule}");
            assert_eq!(chosen.split, Some(Split::Train));
        }
        Ok(())
    }

    #[test]
    fn fewer_are_spread_evenly_and_a_plain_folder_is_taken_whole() -> Result<()> {
        let folder = dataset()?;
        let few = Selection::of(folder.path(), 9, DevRule::Blocks)?;
        let number = |path: &PathBuf| path.file_stem()?.to_str()?.strip_prefix("train_")?.parse::<usize>().ok();
        let numbers: Vec<usize> = few.paths.iter().filter_map(number).collect();
        assert_eq!(numbers, [1, 5, 9, 13, 17, 21, 25, 29, 33]);
        std::fs::remove_file(folder.path().join("mine.csv"))?;
        let all = Selection::of(folder.path(), 1000, DevRule::Blocks)?;
        assert_eq!((all.paths.len(), all.split), (60, None));
        assert!(all.to_string().starts_with("60 images of the folder "), "{all}");
        let lonely = tempfile::tempdir()?;
        std::fs::write(lonely.path().join("a.png"), "")?;
        let error = Selection::of(lonely.path(), 9, DevRule::Blocks).map_err(|error| error.to_string());
        assert!(error.is_err_and(|error| error.ends_with("1 images, expected at least 8 to calibrate with")));
        Ok(())
    }
}
