//! Chooses, by measurement, how ranges are found and which layer groups stay in float.

use crate::calibrate::{self, ActivationObserver, ActivationObservers, Images, Levels, METHODS, Method, Range};
use crate::error::{Error, Result, unexpected};
use crate::evaluator::{self, Divergence, Evaluator};
use crate::graph::{self, Name};
use crate::quantize::{self, Plan};
use crate::request::{Graphs, Request, Source};
use cssa::bundle::{Bundle, Calibration, Precision, Target, Validation};
use cssa::dataset::Dataset;
use cssa_captioner::{Choice, find_library};
use cssa_graph::onnx::ModelProto;
use std::collections::{BTreeMap, BTreeSet};

/// Images on which candidates are compared by the divergence of the next word.
pub const COMPARED: usize = 64;
/// Images on which the damage of a single group is measured.
const RANKED: usize = 24;

/// What was chosen.
pub struct Chosen {
    /// The INT8 graphs.
    pub graphs: Graphs,
    /// Groups that stay in float.
    pub kept: BTreeSet<String>,
    /// For the manifest.
    pub calibration: Calibration,
    /// For the manifest, where there is a validation set.
    pub validation: Option<Validation>,
}

/// A float network and what was seen of its activations.
struct FloatModel {
    graphs: Graphs,
    observers: ActivationObservers,
    means: BTreeMap<Name, Vec<f32>>,
}

/// A way to quantize.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    model: &'a FloatModel,
    equalized: bool,
    method: Method,
    corrected: bool,
}

/// Makes candidates and measures them.
struct QuantizationSearch<'a> {
    source: &'a Source<'a>,
    target: Target,
    evaluator: &'a Evaluator,
}

/// Finds the way that strays least on the judge's images: channels evened or not, each method of finding ranges (or the one
/// that is asked for), biases corrected or not. Then, where the score on the validation set falls by more than allowed, puts
/// the most damaging groups back into float, as few as it takes.
pub fn choose(
    source: &Source<'_>,
    graphs: &Graphs,
    float: &Bundle,
    (images, asked): (&Images, Option<Method>),
    evaluator: &Evaluator,
    request: &Request,
) -> Result<Chosen> {
    tracing::info!("calibrating with {}", images.selection);
    let plain = FloatModel::new(graphs.clone(), float, &images.inputs)?;
    let equalized = plain.equalized(float, &images.inputs)?;
    let search = QuantizationSearch { source, target: request.target, evaluator };
    let mut tried: Vec<(f64, Candidate<'_>)> = Vec::new();
    let measure = |candidate: Candidate<'_>| -> Result<f64> {
        let found = search.divergence_of(&BTreeSet::new(), candidate, COMPARED)?;
        let (nats, cosine) = (found.divergence, found.cosine);
        tracing::info!("{:34} next word strays by {nats:.5} nats, memory cosine {cosine:.5}", candidate.to_string());
        Ok(nats)
    };
    let methods: &[Method] = match (&asked, request.target) {
        (Some(method), _) => std::slice::from_ref(method),
        // Without quantized activations there are no ranges to choose.
        (None, Target::Tract) => &METHODS[..1],
        (None, _) => &METHODS,
    };
    for (equalized, model) in std::iter::once((false, &plain)).chain(equalized.iter().map(|model| (true, model))) {
        for (&method, corrected) in methods.iter().flat_map(|method| [(method, false), (method, true)]) {
            let candidate = Candidate { model, equalized, method, corrected };
            tried.push((measure(candidate)?, candidate));
        }
    }
    let candidate = best(&tried)?;
    let (kept, validation) = match &request.validation {
        None => (BTreeSet::new(), None),
        Some(wanted) => {
            let (kept, validation) = search.hold(wanted, candidate)?;
            (kept, Some(validation))
        }
    };
    let judged_on = match &validation {
        Some(Validation { dataset, split, .. }) => format!("{dataset} {split}"),
        None => "calibration images".into(),
    };
    let calibration = Calibration {
        method: candidate.to_string(),
        images: images.inputs.len(),
        dataset: images.selection.dataset.clone(),
        split: images.selection.split.map(|split| split.name().into()),
        sha256: images.sha256.clone(),
        judged_on,
        divergence: tried.iter().map(|(nats, candidate)| (candidate.to_string(), *nats)).collect(),
    };
    Ok(Chosen { graphs: search.graphs(&kept, candidate)?, kept, calibration, validation })
}

fn best<'a>(tried: &[(f64, Candidate<'a>)]) -> Result<Candidate<'a>> {
    let least = tried.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    least.map(|(_, candidate)| *candidate).ok_or_else(|| unexpected!("no way to quantize"))
}

impl FloatModel {
    fn new(graphs: Graphs, float: &Bundle, images: &[Vec<f32>]) -> Result<Self> {
        let observers = observed(&graphs, float, images)?;
        let means = observers.iter().map(|(name, observer)| (name.clone(), observer.means())).collect();
        Ok(Self { graphs, observers, means })
    }

    /// The same network with evener channels; none where it has no channels that could be evened, as behind ReLU6.
    fn equalized(&self, float: &Bundle, images: &[Vec<f32>]) -> Result<Option<Self>> {
        let largest = self.observers.iter().map(|(name, observer)| (name.clone(), observer.largest.clone())).collect();
        let encoder = quantize::equalize(self.graphs.encoder.clone(), &largest)?;
        if encoder == self.graphs.encoder {
            return Ok(None);
        }
        Self::new(Graphs { encoder, decoder: self.graphs.decoder.clone() }, float, images).map(Some)
    }
}

impl std::fmt::Display for Candidate<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [before, after] = [(self.equalized, "equalized, "), (self.corrected, ", corrected")]
            .map(|(done, word)| if done { word } else { "" });
        write!(out, "{before}{}{after}", self.method)
    }
}

/// The spreads of all activations that INT8 needs.
pub fn observed(graphs: &Graphs, float: &Bundle, images: &[Vec<f32>]) -> Result<ActivationObservers> {
    let open = |model: &ModelProto| -> Result<Vec<u8>> {
        Ok(graph::bytes(&calibrate::with_outputs(model.clone(), &quantize::activations(model)?)))
    };
    let open = Bundle { encoder: open(&graphs.encoder)?, decoder: open(&graphs.decoder)?, ..float.clone() };
    let mut channels = quantize::activations(&graphs.encoder)?;
    channels.extend(quantize::activations(&graphs.decoder)?);
    let library = find_library().ok_or(cssa_captioner::Error::RuntimeMissing)?;
    let settings = evaluator::settings(Choice::Ort);
    calibrate::observers(&open, &channels, &library, &settings, images)
}

impl QuantizationSearch<'_> {
    fn graphs(&self, float: &BTreeSet<String>, candidate: Candidate<'_>) -> Result<Graphs> {
        let FloatModel { graphs, observers, means } = candidate.model;
        let levels = Levels::of(self.target);
        let range = |observer: &ActivationObserver| candidate.method.range(&observer.histogram, levels);
        let ranges: BTreeMap<Name, Range> =
            observers.iter().map(|(name, observer)| (name.clone(), range(observer))).collect();
        let unmoved = BTreeMap::new();
        let means = if candidate.corrected { means } else { &unmoved };
        let plan = Plan { target: self.target, float, ranges: &ranges, means };
        Ok(Graphs {
            encoder: quantize::quantize(graphs.encoder.clone(), &plan)?,
            decoder: quantize::quantize(graphs.decoder.clone(), &plan)?,
        })
    }

    fn bundle(&self, float: &BTreeSet<String>, candidate: Candidate<'_>) -> Result<Bundle> {
        self.source.bundle(&self.graphs(float, candidate)?, self.target, |_| Precision::Int8)
    }

    fn divergence_of(&self, float: &BTreeSet<String>, candidate: Candidate<'_>, most: usize) -> Result<Divergence> {
        self.evaluator.divergence_of(&self.bundle(float, candidate)?, most)
    }

    /// The fewest groups in float with which the score holds, and that score.
    fn hold(
        &self,
        wanted: &crate::request::Validation,
        candidate: Candidate<'_>,
    ) -> Result<(BTreeSet<String>, Validation)> {
        let float_cider =
            self.evaluator.cider(self.evaluator.float().iter().map(|prediction| prediction.text.as_str()))?;
        let samples = self.evaluator.samples();
        let dataset = Dataset::read(&wanted.folder, self.source.checkpoint.description.dev)?.name;
        let measure = |kept: &BTreeSet<String>| -> Result<Validation> {
            let captions = evaluator::captions(&self.bundle(kept, candidate)?, samples, Choice::Ort)?;
            let found = Validation {
                dataset: dataset.clone(),
                split: wanted.split.name().into(),
                images: samples.len(),
                float_cider,
                cider: self.evaluator.cider(captions.iter().map(String::as_str))?,
                agreement: self.evaluator.agreement(captions.iter().map(String::as_str)),
                max_loss: wanted.max_loss,
            };
            tracing::info!(
                "{} {}, {} groups in float: CIDEr {:.4}, float {float_cider:.4} ({:+.2} %), same caption {:.1} %",
                found.dataset,
                found.split,
                kept.len(),
                found.cider,
                (found.cider / float_cider - 1.0) * 100.0,
                found.agreement * 100.0
            );
            Ok(found)
        };
        let holds = |found: &Validation| found.cider >= float_cider * (1.0 - wanted.max_loss);
        let all = measure(&BTreeSet::new())?;
        if holds(&all) {
            return Ok((BTreeSet::new(), all));
        }
        let ranked = self.ranked(candidate)?;
        let worst = |count: usize| ranked.iter().take(count).cloned().collect::<BTreeSet<_>>();
        let (mut failed, mut count) = (0, 1);
        let mut held = loop {
            let found = measure(&worst(count))?;
            if holds(&found) {
                break found;
            }
            if count >= ranked.len() {
                return Err(Error::Score { max_loss: wanted.max_loss });
            }
            (failed, count) = (count, (2 * count).min(ranked.len()));
        };
        while failed + 1 < count {
            let middle = usize::midpoint(failed, count);
            let found = measure(&worst(middle))?;
            if holds(&found) {
                (count, held) = (middle, found);
            } else {
                failed = middle;
            }
        }
        Ok((worst(count), held))
    }

    /// The groups by the damage that each does alone, the worst first.
    fn ranked(&self, candidate: Candidate<'_>) -> Result<Vec<String>> {
        let groups = &self.source.groups;
        tracing::info!("measuring the damage of each of {} layer groups", groups.len());
        let mut damage = Vec::with_capacity(groups.len());
        for group in groups {
            let others = groups.iter().filter(|other| *other != group).cloned().collect();
            damage.push((self.divergence_of(&others, candidate, RANKED)?.divergence, group.clone()));
        }
        damage.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (divergence, group) in damage.iter().take(5) {
            tracing::info!("{group}: {divergence:.6} nats");
        }
        Ok(damage.into_iter().map(|(_, group)| group).collect())
    }
}
