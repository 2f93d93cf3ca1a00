//! `exporter verify`: a bundle beside the float model on real images, in every runtime.

use crate::calibrate::{self, Histogram, Range};
use crate::error::{At, Error, Result};
use crate::evaluator::{self, Divergence, Evaluator, Prediction, Sample};
use crate::export::samples;
use crate::request::{Graphs, Source};
use crate::trust::{MIN_HELD_OUT, MIN_OF_A_KIND, Worth};
use crate::weights::Weights;
use crate::{decoder, encoder, graph, quantize};
use cssa::bundle::{Bundle, DECODER, ENCODER, Precision, Target};
use cssa::checkpoint::Checkpoint;
use cssa::dataset::Split;
use cssa::metrics;
use cssa::spread;
use cssa_captioner::{Choice, find_library};
use cssa_graph::dequantized;
use cssa_graph::onnx::ModelProto;
use prost::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Request {
    /// The bundle.
    pub bundle: PathBuf,
    /// A captioned dataset.
    pub data: PathBuf,
    /// Its part.
    pub split: Split,
    /// The run that the bundle was made from.
    pub checkpoint: Option<PathBuf>,
    /// Images at most.
    pub images: Option<usize>,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Verification {
    /// The bundle's id.
    pub bundle: String,
    /// What it was compared with.
    pub reference: String,
    /// The dataset's name.
    pub dataset: String,
    /// Its part.
    pub split: &'static str,
    /// Images compared.
    pub images: usize,
    /// CIDEr-D of the float model in ONNX Runtime.
    pub float_cider: f64,
    /// Expected calibration error of the confidence, where the bundle has one: in the float model and in the bundle's graphs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration_error: Option<[f64; 2]>,
    /// Whether that was checked: on too few images it says nothing.
    pub calibration_checked: bool,
    /// By runtime.
    pub runtimes: BTreeMap<&'static str, Compared>,
    /// The images, the one that lost most first.
    #[serde(skip)]
    pub cases: Vec<Case>,
    /// The spread of every activation that is quantized, and the range that it got.
    #[serde(skip)]
    pub activations: Vec<(String, Histogram, Range)>,
}

/// A runtime beside the float model.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compared {
    /// Cosine of the memory, mean over the images.
    pub cosine: f64,
    /// The smallest.
    pub least_cosine: f64,
    /// Largest difference of a logit along the float model's captions.
    pub logit_error: f64,
    /// KL divergence of the next word there, in nats.
    pub divergence: f64,
    /// Share of the images with the float model's caption.
    pub agreement: f64,
    /// CIDEr-D.
    pub cider: f64,
    /// CIDEr-D over the float model's, less 1.
    pub change: f64,
}

/// One image in ONNX Runtime.
#[derive(Clone, Debug)]
pub struct Case {
    /// The image and its captions.
    pub sample: Sample,
    /// The float model's caption.
    pub float: String,
    /// The bundle's.
    pub caption: String,
    /// CIDEr-D of both.
    pub cider: (f64, f64),
    /// Cosine of the memory.
    pub cosine: f64,
}

/// How much further from the truth the confidence of the bundle's graphs may be than the float model's.
const MAX_CALIBRATION_LOSS: f64 = 0.02;
/// The largest calibration error of a confidence that says anything: the default bundle's is 0.05, 200 images in ten bins add 0.05 by
/// chance, and from 0.15 on a confidence of a half, from which captions are believed, may stand for a third.
const MAX_CALIBRATION_ERROR: f64 = 0.15;
/// The least AUROC of a confidence that tells anything: one half is what a constant has, the default bundle has 0.75 and more, and with 20
/// wrong captions among 200 it is known to 0.07.
const LEAST_AUROC: f64 = 0.6;
/// Images whose activations are drawn.
const DRAWN: usize = 32;

/// Compares a bundle with the float model in ONNX Runtime and tract.
///
/// # Errors
/// Also where the bundle's confidence is not calibrated, or its graphs break the calibration, on 200 images or more.
pub fn verify(request: &Request) -> Result<Verification> {
    let bundle = Bundle::read(&request.bundle)?;
    find_library().ok_or(cssa_captioner::Error::RuntimeMissing)?;
    let (dataset, all) = samples(&request.data, request.split, bundle.manifest.dev)?;
    let chosen: Vec<Sample> = spread(&all, request.images.unwrap_or(all.len()).max(1)).into_iter().cloned().collect();
    let count = chosen.len();
    let (float, reference) = float_model(&bundle, request.checkpoint.as_deref())?;
    tracing::info!("{reference} on {count} images of {dataset} {}", request.split.name());
    let evaluator = Evaluator::new(&float, chosen)?;
    let float_cider = evaluator.cider(evaluator.float().iter().map(|prediction| prediction.text.as_str()))?;
    let (mut runtimes, mut cases) = (BTreeMap::new(), Vec::new());
    for (name, choice) in [("ort", Choice::Ort), ("tract", Choice::Tract)] {
        tracing::info!("the bundle in {name}");
        let (compared, found) = compare(&bundle, &evaluator, choice, float_cider)?;
        runtimes.insert(name, compared);
        if choice == Choice::Ort {
            cases = found;
        }
    }
    let calibration_error = calibration_error(&bundle, &float, evaluator.samples())?;
    cases.sort_by(|a, b| (a.cider.1 - a.cider.0).total_cmp(&(b.cider.1 - b.cider.0)));
    Ok(Verification {
        bundle: format!("{:04x}", bundle.id),
        reference,
        dataset,
        split: request.split.name(),
        images: count,
        float_cider,
        calibration_error,
        calibration_checked: calibration_error.is_some() && count >= MIN_HELD_OUT,
        runtimes,
        cases,
        activations: activations(&bundle, &twin(&bundle)?, evaluator.samples())?,
    })
}

/// The calibration error in the float model and in the bundle's graphs, by the bundle's statistics.
fn calibration_error(bundle: &Bundle, float: &Bundle, samples: &[Sample]) -> Result<Option<[f64; 2]>> {
    let Some(trust) = &bundle.trust else { return Ok(None) };
    let float = Bundle { trust: Some(Arc::clone(trust)), ..float.clone() };
    let (float, found) = (Worth::of(&float, samples)?, Worth::of(bundle, samples)?);
    if samples.len() < MIN_HELD_OUT {
        tracing::warn!(
            "{} images are too few to check the confidence on, expected {MIN_HELD_OUT} or more",
            samples.len()
        );
    } else {
        check_calibration(float.ece, found)?;
    }
    Ok(Some([float.ece, found.ece]))
}

/// Fails where the confidence of the bundle's graphs is too far from the truth, or from the float model's calibration error, or tells
/// nothing where there are right and wrong captions enough to see it.
fn check_calibration(float: f64, found: Worth) -> Result<()> {
    let Worth { ece, auroc, right, wrong } = found;
    let (images, most) = (right + wrong, float + MAX_CALIBRATION_LOSS);
    if ece > most {
        return Err(Error::CalibrationBroken { found: ece, float, most });
    }
    if ece > MAX_CALIBRATION_ERROR {
        return Err(Error::Miscalibrated { found: ece, most: MAX_CALIBRATION_ERROR, images });
    }
    if right.min(wrong) >= MIN_OF_A_KIND && auroc < LEAST_AUROC {
        return Err(Error::Uninformative { found: auroc, least: LEAST_AUROC, images });
    }
    Ok(())
}

/// The float model and what it is called.
fn float_model(bundle: &Bundle, checkpoint: Option<&Path>) -> Result<(Bundle, String)> {
    let Some(run) = checkpoint else {
        return Ok((twin(bundle)?, "the bundle's own weights, activations in float".into()));
    };
    let checkpoint = Checkpoint::read(run)?;
    let (own, other) = (&bundle.manifest.model, &checkpoint.description.model);
    if own != other {
        return Err(Error::OtherModel { run: run.into() });
    }
    let weights = Weights::new(&checkpoint);
    let graphs = Graphs { encoder: encoder::build(&weights)?, decoder: decoder::build(&weights)? };
    let source = Source { checkpoint: &checkpoint, folder: run, groups: graphs.groups()? };
    let mut float = source.bundle(&graphs, Target::Cpu, |_| Precision::Fp32)?;
    float.manifest.search = bundle.manifest.search;
    float.document_frequencies.clone_from(&bundle.document_frequencies);
    Ok((float, format!("the float model of {}", run.display())))
}

/// The network that the bundle's graphs round.
fn twin(bundle: &Bundle) -> Result<Bundle> {
    let twin = |bytes: &[u8], file: &str| {
        let twin = || Ok::<_, Error>(graph::bytes(&dequantized(ModelProto::decode(bytes)?)?));
        twin().at(|| file.to_owned())
    };
    let (encoder, decoder) = (twin(&bundle.encoder, ENCODER)?, twin(&bundle.decoder, DECODER)?);
    Ok(Bundle { encoder, decoder, ..bundle.clone() })
}

fn compare(bundle: &Bundle, evaluator: &Evaluator, choice: Choice, float_cider: f64) -> Result<(Compared, Vec<Case>)> {
    let mut runtime = cssa_captioner::open(bundle, &evaluator::settings(choice))?;
    let mut sum = Divergence { least_cosine: 1.0, ..Divergence::default() };
    let (mut captions, mut cosines) = (Vec::new(), Vec::new());
    for (sample, float) in evaluator.samples().iter().zip(evaluator.float()) {
        let memory = runtime.encode(0, &evaluator::input(bundle, sample)?)?;
        let tokens = evaluator::searched(bundle, runtime.as_mut())?.tokens;
        captions.push(bundle.vocabulary.decode(&tokens).ok_or(Error::NoWord)?);
        let logits = evaluator::follow(bundle, runtime.as_mut(), &float.tokens)?;
        let before = sum.cosine;
        sum.add(float, &memory, &logits, bundle.vocabulary.size());
        cosines.push(sum.cosine - before);
    }
    let texts = || captions.iter().map(String::as_str);
    let Divergence { divergence, least_cosine, cosine, logit_error } = sum.over(captions.len());
    let cider = evaluator.cider(texts())?;
    let compared = Compared {
        cosine,
        least_cosine,
        logit_error,
        divergence,
        agreement: evaluator.agreement(texts()),
        cider,
        change: if float_cider > 0.0 { cider / float_cider - 1.0 } else { 0.0 },
    };
    let floats = evaluator.float().iter().map(|Prediction { text, .. }| text.as_str());
    let (float, own) =
        (metrics::cider_per_item(&evaluator.items(floats))?, metrics::cider_per_item(&evaluator.items(texts()))?);
    let cases = evaluator.samples().iter().zip(evaluator.float()).zip(captions).enumerate();
    let cases = cases.map(|(n, ((sample, prediction), caption))| Case {
        sample: sample.clone(),
        float: prediction.text.clone(),
        caption,
        cider: (float[n], own[n]),
        cosine: cosines[n],
    });
    Ok((compared, cases.collect()))
}

/// The activations of the bundle's float twin where the bundle quantizes them, with the ranges that its scales cover.
fn activations(bundle: &Bundle, float: &Bundle, samples: &[Sample]) -> Result<Vec<(String, Histogram, Range)>> {
    let (mut ranges, mut channels) = (BTreeMap::new(), BTreeMap::new());
    for bytes in [&bundle.encoder, &bundle.decoder] {
        ranges.extend(covered(&ModelProto::decode(bytes.as_slice())?));
    }
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let mut open = |bytes: &[u8]| -> Result<Vec<u8>> {
        let model = ModelProto::decode(bytes)?;
        let mut own = quantize::activations(&model)?;
        own.retain(|name, _| ranges.contains_key(name));
        channels.extend(own.clone());
        Ok(graph::bytes(&calibrate::with_outputs(model, &own)))
    };
    let open = Bundle { encoder: open(&float.encoder)?, decoder: open(&float.decoder)?, ..float.clone() };
    let inputs = spread(samples, DRAWN).into_iter().map(|sample| evaluator::input(float, sample));
    let images: Vec<Vec<f32>> = inputs.collect::<Result<_>>()?;
    let library = find_library().ok_or(cssa_captioner::Error::RuntimeMissing)?;
    let settings = evaluator::settings(Choice::Ort);
    let mut observers = calibrate::observers(&open, &channels, &library, &settings, &images)?;
    let with_range =
        ranges.into_iter().filter_map(|(name, range)| Some((observers.remove(&name)?.histogram, name, range)));
    Ok(with_range.map(|(spread, name, range)| (name, spread, range)).collect())
}

/// Name and range of every activation that a graph quantizes.
fn covered(model: &ModelProto) -> BTreeMap<String, Range> {
    let Some(graph) = &model.graph else { return BTreeMap::new() };
    let constant = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
    let range = |node: &cssa_graph::onnx::NodeProto| {
        let [input, scale, zero] = node.input.as_slice() else { return None };
        let scale = *graph::values(constant(scale)?).first()?;
        let zero = constant(zero)?;
        let byte = *zero.raw_data.first()?;
        let signed = zero.data_type == cssa_graph::onnx::DataType::Int8 as i32;
        let (lowest, highest) = if signed { (-128.0, 127.0) } else { (0.0, 255.0) };
        let zero = if signed { f32::from(byte as i8) } else { f32::from(byte) };
        Some((input.clone(), Range { low: (lowest - zero) * scale, high: (highest - zero) * scale }))
    };
    graph.node.iter().filter(|node| node.op_type == "QuantizeLinear").filter_map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confidence_is_near_the_truth_and_tells_right_from_wrong() {
        let refused = |float, ece, auroc, wrong| {
            let found = Worth { ece, auroc, right: 210 - wrong, wrong };
            check_calibration(float, found).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(refused(0.06, 0.079, 0.8, 40), "");
        assert!(refused(0.06, 0.081, 0.8, 40).contains("the float model's by 0.060"));
        // Zero whitening, or a confidence of 1 where most captions are wrong, is as far off in both.
        let far = "is off by 0.844 (ECE) on 210 images, expected at most 0.15";
        assert!(refused(0.844, 0.844, 0.5, 177).contains(far));
        // A confidence of 1 where one caption in ten is wrong is not far off.
        let constant = "does not tell wrong captions from right ones: AUROC 0.500 on 210 images, expected 0.6 or more";
        assert!(refused(0.114, 0.114, 0.5, 24).contains(constant));
        assert_eq!(refused(0.09, 0.09, 0.5, 19), "", "too few wrong captions to tell");
    }
}
