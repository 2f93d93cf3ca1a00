//! Activation ranges from real images: the float graphs run in ONNX Runtime with every activation of interest as an
//! output, captions are searched as on board, and each tensor gets the range with the least mean squared error.

use crate::graph::Name;
use crate::quantize::Range;
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Calibration};
use cssa::search;
use cssa::{files, preprocess};
use edge::runtime::{OrtRuntime, Runtime, Settings, Steps};
use edge::sources;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

/// Images that are used where the folder has more: spread evenly over it.
pub const MOST_IMAGES: usize = 96;
/// Fewer say too little about the ranges.
pub const FEWEST_IMAGES: usize = 8;
/// What the manifest calls the method.
pub const METHOD: &str = "least squared error over a histogram of 2048 bins";

const BINS: usize = 2048;

/// Normalized calibration images and what the manifest says of them.
pub struct Images {
    inputs: Vec<Vec<f32>>,
    /// For the manifest.
    pub description: Calibration,
}

impl Images {
    /// Reads the images below `folder`; one that does not decode is named.
    pub fn read(folder: &Path, model: &cssa::model::Model) -> Result<Self> {
        let all = sources::images(&[folder.to_path_buf()])?;
        ensure!(
            all.len() >= FEWEST_IMAGES,
            "{}: {} images, expected at least {FEWEST_IMAGES} to calibrate with",
            folder.display(),
            all.len()
        );
        let count = all.len().min(MOST_IMAGES);
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
        let sha256 = cssa::bundle::hexadecimal(&hash.finalize());
        Ok(Self { inputs, description: Calibration { method: METHOD.into(), images: count, sha256 } })
    }
}

/// The graph with further tensors among its outputs.
#[must_use]
pub fn with_outputs(mut model: ModelProto, names: &BTreeSet<Name>) -> ModelProto {
    if let Some(graph) = &mut model.graph {
        let inputs: BTreeSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
        let known: BTreeSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        let fresh = names.iter().filter(|name| !inputs.contains(name.as_str()) && !known.contains(name.as_str()));
        let added: Vec<ValueInfoProto> =
            fresh.map(|name| ValueInfoProto { name: name.clone(), ..ValueInfoProto::default() }).collect();
        graph.output.extend(added);
    }
    model
}

/// How the values of one tensor are spread.
#[derive(Clone, Debug)]
struct Spread {
    low: f32,
    high: f32,
    bins: Vec<u64>,
}

/// The ranges of all further outputs of `bundle`'s graphs over the images, and of the image itself.
pub fn ranges(bundle: &Bundle, library: &Path, settings: &Settings, images: &Images) -> Result<BTreeMap<Name, Range>> {
    let spreads: Rc<RefCell<BTreeMap<Name, Spread>>> = Rc::default();
    let mut runtime = OrtRuntime::open(bundle, library, settings)?;
    let seen = Rc::clone(&spreads);
    runtime.observe(Box::new(move |name, values| widen(&mut seen.borrow_mut(), name, values)));
    run(&mut runtime, bundle, settings.beam, images, &spreads, widen)?;
    let counted = Rc::clone(&spreads);
    runtime.observe(Box::new(move |name, values| count(&mut counted.borrow_mut(), name, values)));
    run(&mut runtime, bundle, settings.beam, images, &spreads, count)?;
    let found = spreads.borrow().iter().map(|(name, spread)| (name.clone(), best_range(spread))).collect();
    Ok(found)
}

fn run(
    runtime: &mut OrtRuntime,
    bundle: &Bundle,
    beam: usize,
    images: &Images,
    spreads: &RefCell<BTreeMap<Name, Spread>>,
    see: fn(&mut BTreeMap<Name, Spread>, &str, &[f32]),
) -> Result<()> {
    let longest = bundle.manifest.model.max_tokens - 1;
    let length_exponent = bundle.manifest.search.length_exponent;
    let search = search::Settings { beam, longest, length_exponent };
    for input in &images.inputs {
        see(&mut spreads.borrow_mut(), edge::runtime::names::IMAGE, input);
        let memory = runtime.encode(input)?;
        ensure!(memory.iter().all(|x| x.is_finite()), "the encoder gives values that are not finite");
        search::search(&mut Steps(runtime), search)?;
    }
    Ok(())
}

fn widen(spreads: &mut BTreeMap<Name, Spread>, name: &str, values: &[f32]) {
    let empty = || Spread { low: 0.0, high: 0.0, bins: vec![0; BINS] };
    let spread = spreads.entry(name.into()).or_insert_with(empty);
    for &value in values {
        spread.low = spread.low.min(value);
        spread.high = spread.high.max(value);
    }
}

/// Counts values into bins; exact zeros, which every range gives back exactly, are left out.
fn count(spreads: &mut BTreeMap<Name, Spread>, name: &str, values: &[f32]) {
    let Some(spread) = spreads.get_mut(name) else { return };
    let width = (spread.high - spread.low).max(f32::MIN_POSITIVE);
    for &value in values.iter().filter(|value| **value != 0.0) {
        let bin = ((value - spread.low) / width * BINS as f32) as usize;
        spread.bins[bin.min(BINS - 1)] += 1;
    }
}

/// Both ends drawn in by the same share, as far as the squared error of rounding and clipping together falls.
fn best_range(spread: &Spread) -> Range {
    const STEPS: usize = 80;
    let candidate = |step: usize| {
        let share = 1.0 - step as f32 / 100.0;
        Range { low: spread.low * share, high: spread.high * share }
    };
    let error = |range: &Range| {
        let step = f64::from(range.high - range.low) / 255.0;
        let width = f64::from(spread.high - spread.low) / BINS as f64;
        let per_bin = spread.bins.iter().enumerate().map(|(bin, &count)| {
            let value = f64::from(spread.low) + (bin as f64 + 0.5) * width;
            let outside = (value - f64::from(range.high)).max(f64::from(range.low) - value).max(0.0);
            count as f64 * if outside > 0.0 { outside * outside } else { step * step / 12.0 }
        });
        per_bin.sum::<f64>()
    };
    let scored = (0..=STEPS).map(candidate).map(|range| (error(&range), range));
    scored.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(candidate(0), |(_, range)| range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lonely_outlier_is_clipped_and_an_even_spread_is_not() {
        let mut spreads = BTreeMap::new();
        let mut even: Vec<f32> = (0..1_000_000).map(|n| n as f32 / 1e6).collect();
        for see in [widen, count] {
            see(&mut spreads, "even", &even);
        }
        assert!(best_range(&spreads["even"]).high > 0.97);
        even.push(4.0);
        for see in [widen, count] {
            see(&mut spreads, "outlier", &even);
        }
        let range = best_range(&spreads["outlier"]);
        assert!((0.9..2.0).contains(&range.high) && range.low == 0.0, "{range:?}");
    }
}
