//! How activations are spread on real images: the float graphs run in ONNX Runtime with every activation of interest as an
//! output, and captions are searched as on board.

mod histogram;
mod range;

pub use histogram::Histogram;
pub use range::{METHODS, Method, Range};

use crate::graph::Name;
use anyhow::{Context, Result, ensure};
use cssa::bundle::Bundle;
use cssa::search;
use cssa::{files, preprocess};
use edge::runtime::{OrtGraphs, Runtime, Settings, Steps};
use edge::sources;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

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
pub struct Spread {
    /// All values.
    pub histogram: Histogram,
    /// Largest magnitude of each channel.
    pub largest: Vec<f32>,
    sums: Vec<f64>,
    count: usize,
}

/// What was seen of every observed tensor.
pub type Spreads = BTreeMap<Name, Spread>;

impl Spread {
    /// The mean of each channel.
    #[must_use]
    pub fn means(&self) -> Vec<f32> {
        self.sums.iter().map(|sum| (sum / self.count.max(1) as f64) as f32).collect()
    }

    fn add(&mut self, values: &[f32], channels: Channels) {
        self.histogram.add(values);
        let (Channels::Blocks(count) | Channels::Columns(count)) = channels;
        self.largest.resize(count, 0.0);
        self.sums.resize(count, 0.0);
        self.count += values.len() / count;
        let mut see = |channel: usize, values: &mut dyn Iterator<Item = f32>| {
            let (mut largest, mut sum) = (self.largest[channel], 0f32);
            for value in values {
                largest = largest.max(value.abs());
                sum += value;
            }
            self.largest[channel] = largest;
            self.sums[channel] += f64::from(sum);
        };
        match channels {
            Channels::Blocks(_) => {
                let blocks = values.chunks_exact(values.len() / count).enumerate();
                blocks.for_each(|(channel, block)| see(channel, &mut block.iter().copied()));
            }
            Channels::Columns(_) => {
                (0..count).for_each(|channel| see(channel, &mut values.iter().skip(channel).step_by(count).copied()));
            }
        }
    }
}

/// Normalized calibration images and what names them.
#[derive(Clone, Debug)]
pub struct Images {
    /// `[3, s, s]` each.
    pub inputs: Vec<Vec<f32>>,
    /// SHA-256 over their files' contents in order, in hexadecimal.
    pub sha256: String,
}

impl Images {
    /// Reads images below `folder`, `most` at most, spread evenly over it; one that does not decode is named.
    pub fn read(folder: &Path, most: usize, model: &cssa::model::Model) -> Result<Self> {
        let all = sources::images(&[folder.to_path_buf()])?;
        ensure!(
            all.len() >= FEWEST_IMAGES,
            "{}: {} images, expected at least {FEWEST_IMAGES} to calibrate with",
            folder.display(),
            all.len()
        );
        let count = all.len().min(most);
        let mut hash = Sha256::new();
        let mut inputs = Vec::with_capacity(count);
        for n in 0..count {
            let path = &all[n * all.len() / count];
            let bytes = files::read(path, 1 << 30)?;
            hash.update(&bytes);
            let image = preprocess::decode(&bytes).with_context(|| format!("{}: calibration image", path.display()))?;
            let square = preprocess::resize(&image, model.image_size as u32);
            inputs.push(preprocess::normalize(&square, model.backbone.normalization()));
        }
        Ok(Self { inputs, sha256: cssa::bundle::hexadecimal(&hash.finalize()) })
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
pub fn spreads(
    bundle: &Bundle,
    channels: &BTreeMap<Name, Channels>,
    library: &Path,
    settings: &Settings,
    images: &[Vec<f32>],
) -> Result<Spreads> {
    let channels = channels.clone();
    let spreads: Rc<RefCell<Spreads>> = Rc::default();
    let mut runtime = OrtGraphs::open(bundle, library, settings)?;
    let seen = Rc::clone(&spreads);
    let see = move |name: &str, values: &[f32]| {
        if let Some(channels) = channels.get(name) {
            seen.borrow_mut().entry(name.to_owned()).or_default().add(values, *channels);
        }
    };
    let see = Rc::new(see);
    let observer = Rc::clone(&see);
    runtime.observe(Box::new(move |name, values| observer(name, values)));
    let search = bundle.strategy()?.settings();
    for input in images {
        see(edge::runtime::names::IMAGE, input);
        let memory = runtime.encode(0, input)?;
        ensure!(memory.iter().all(|x| x.is_finite()), "the encoder gives values that are not finite");
        search::search(&mut Steps(&mut runtime), search)?;
    }
    drop(runtime);
    Ok(spreads.take())
}
