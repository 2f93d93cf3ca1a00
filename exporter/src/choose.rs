//! Chooses, by measurement, how ranges are found and which layer groups stay in float.

use crate::calibrate::{self, Images, Levels, METHODS, Method, Range, Spread, Spreads};
use crate::export::{Graphs, Request, Source};
use crate::graph::{self, Name};
use crate::judge::{self, Judge, Strayed};
use crate::quantize::{self, Plan};
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Calibration, Precision, Target, Validation};
use cssa::dataset::Dataset;
use cssa_captioner::{Choice, MISSING, find_library};
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
struct Form {
    graphs: Graphs,
    spreads: Spreads,
    means: BTreeMap<Name, Vec<f32>>,
}

/// A way to quantize.
#[derive(Clone, Copy)]
struct Way<'a> {
    form: &'a Form,
    equalized: bool,
    method: Method,
    corrected: bool,
}

/// Makes candidates and measures them.
struct Workshop<'a> {
    source: &'a Source<'a>,
    target: Target,
    judge: &'a Judge,
}

/// Finds the way that strays least on the judge's images: channels evened or not, each method of finding ranges (or the one
/// that is asked for), biases corrected or not. Then, where the score on the validation set falls by more than allowed, puts
/// the most damaging groups back into float, as few as it takes.
pub fn choose(
    source: &Source<'_>,
    graphs: &Graphs,
    float: &Bundle,
    (images, asked): (&Images, Option<Method>),
    judge: &Judge,
    request: &Request,
) -> Result<Chosen> {
    tracing::info!("calibrating with {}", images.selection);
    let plain = Form::new(graphs.clone(), float, &images.inputs)?;
    let evened = plain.evened(float, &images.inputs)?;
    let workshop = Workshop { source, target: request.target, judge };
    let mut tried: Vec<(f64, Way<'_>)> = Vec::new();
    let measure = |way: Way<'_>| -> Result<f64> {
        let strayed = workshop.strayed(&BTreeSet::new(), way, COMPARED)?;
        let (nats, cosine) = (strayed.divergence, strayed.cosine);
        tracing::info!("{:34} next word strays by {nats:.5} nats, memory cosine {cosine:.5}", way.to_string());
        Ok(nats)
    };
    let methods: &[Method] = match (&asked, request.target) {
        (Some(method), _) => std::slice::from_ref(method),
        // Without quantized activations there are no ranges to choose.
        (None, Target::Tract) => &METHODS[..1],
        (None, _) => &METHODS,
    };
    for (equalized, form) in std::iter::once((false, &plain)).chain(evened.iter().map(|form| (true, form))) {
        for (&method, corrected) in methods.iter().flat_map(|method| [(method, false), (method, true)]) {
            let way = Way { form, equalized, method, corrected };
            tried.push((measure(way)?, way));
        }
    }
    let way = best(&tried)?;
    let (kept, validation) = match &request.validation {
        None => (BTreeSet::new(), None),
        Some(wanted) => {
            let (kept, validation) = workshop.hold(wanted, way)?;
            (kept, Some(validation))
        }
    };
    let judged_on = match &validation {
        Some(Validation { dataset, split, .. }) => format!("{dataset} {split}"),
        None => "calibration images".into(),
    };
    let calibration = Calibration {
        method: way.to_string(),
        images: images.inputs.len(),
        dataset: images.selection.dataset.clone(),
        split: images.selection.split.map(|split| split.name().into()),
        sha256: images.sha256.clone(),
        judged_on,
        divergence: tried.iter().map(|(nats, way)| (way.to_string(), *nats)).collect(),
    };
    Ok(Chosen { graphs: workshop.graphs(&kept, way)?, kept, calibration, validation })
}

fn best<'a>(tried: &[(f64, Way<'a>)]) -> Result<Way<'a>> {
    let least = tried.iter().min_by(|a, b| a.0.total_cmp(&b.0));
    least.map(|(_, way)| *way).context("no way to quantize")
}

impl Form {
    fn new(graphs: Graphs, float: &Bundle, images: &[Vec<f32>]) -> Result<Self> {
        let spreads = observed(&graphs, float, images)?;
        let means = spreads.iter().map(|(name, spread)| (name.clone(), spread.means())).collect();
        Ok(Self { graphs, spreads, means })
    }

    /// The same network with evener channels; none where it has no channels that could be evened, as behind ReLU6.
    fn evened(&self, float: &Bundle, images: &[Vec<f32>]) -> Result<Option<Self>> {
        let largest = self.spreads.iter().map(|(name, spread)| (name.clone(), spread.largest.clone())).collect();
        let encoder = quantize::equalize(self.graphs.encoder.clone(), &largest)?;
        if encoder == self.graphs.encoder {
            return Ok(None);
        }
        Self::new(Graphs { encoder, decoder: self.graphs.decoder.clone() }, float, images).map(Some)
    }
}

impl std::fmt::Display for Way<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [before, after] = [(self.equalized, "equalized, "), (self.corrected, ", corrected")]
            .map(|(done, word)| if done { word } else { "" });
        write!(out, "{before}{}{after}", self.method)
    }
}

/// The spreads of all activations that INT8 needs.
pub fn observed(graphs: &Graphs, float: &Bundle, images: &[Vec<f32>]) -> Result<Spreads> {
    let open = |model: &ModelProto| -> Result<Vec<u8>> {
        Ok(graph::bytes(&calibrate::with_outputs(model.clone(), &quantize::activations(model)?)))
    };
    let open = Bundle { encoder: open(&graphs.encoder)?, decoder: open(&graphs.decoder)?, ..float.clone() };
    let mut channels = quantize::activations(&graphs.encoder)?;
    channels.extend(quantize::activations(&graphs.decoder)?);
    let library = find_library().context(MISSING)?;
    let settings = judge::settings(Choice::Ort);
    calibrate::spreads(&open, &channels, &library, &settings, images)
}

impl Workshop<'_> {
    fn graphs(&self, float: &BTreeSet<String>, way: Way<'_>) -> Result<Graphs> {
        let Form { graphs, spreads, means } = way.form;
        let levels = Levels::of(self.target);
        let range = |spread: &Spread| way.method.range(&spread.histogram, levels);
        let ranges: BTreeMap<Name, Range> =
            spreads.iter().map(|(name, spread)| (name.clone(), range(spread))).collect();
        let unmoved = BTreeMap::new();
        let means = if way.corrected { means } else { &unmoved };
        let plan = Plan { target: self.target, float, ranges: &ranges, means };
        Ok(Graphs {
            encoder: quantize::quantize(graphs.encoder.clone(), &plan)?,
            decoder: quantize::quantize(graphs.decoder.clone(), &plan)?,
        })
    }

    fn bundle(&self, float: &BTreeSet<String>, way: Way<'_>) -> Result<Bundle> {
        self.source.bundle(&self.graphs(float, way)?, self.target, |_| Precision::Int8)
    }

    fn strayed(&self, float: &BTreeSet<String>, way: Way<'_>, most: usize) -> Result<Strayed> {
        self.judge.strayed(&self.bundle(float, way)?, most)
    }

    /// The fewest groups in float with which the score holds, and that score.
    fn hold(&self, wanted: &crate::export::Validation, way: Way<'_>) -> Result<(BTreeSet<String>, Validation)> {
        let float_cider = self.judge.cider(self.judge.float().iter().map(|answer| answer.text.as_str()))?;
        let questions = self.judge.questions();
        let dataset = Dataset::read(&wanted.folder, self.source.checkpoint.description.dev)?.name;
        let measure = |kept: &BTreeSet<String>| -> Result<Validation> {
            let captions = judge::captions(&self.bundle(kept, way)?, questions, Choice::Ort)?;
            let found = Validation {
                dataset: dataset.clone(),
                split: wanted.split.name().into(),
                images: questions.len(),
                float_cider,
                cider: self.judge.cider(captions.iter().map(String::as_str))?,
                agreement: self.judge.agreement(captions.iter().map(String::as_str)),
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
        let ranked = self.ranked(way)?;
        let worst = |count: usize| ranked.iter().take(count).cloned().collect::<BTreeSet<_>>();
        let (mut failed, mut count) = (0, 1);
        let mut held = loop {
            let found = measure(&worst(count))?;
            if holds(&found) {
                break found;
            }
            ensure!(count < ranked.len(), "CIDEr falls by more than {} even with all groups in float", wanted.max_loss);
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
    fn ranked(&self, way: Way<'_>) -> Result<Vec<String>> {
        let groups = &self.source.groups;
        tracing::info!("measuring the damage of each of {} layer groups", groups.len());
        let mut damage = Vec::with_capacity(groups.len());
        for group in groups {
            let others = groups.iter().filter(|other| *other != group).cloned().collect();
            damage.push((self.strayed(&others, way, RANKED)?.divergence, group.clone()));
        }
        damage.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (divergence, group) in damage.iter().take(5) {
            tracing::info!("{group}: {divergence:.6} nats");
        }
        Ok(damage.into_iter().map(|(_, group)| group).collect())
    }
}
