//! Chooses, by measurement, how ranges are found and which layer groups stay in float.

use crate::calibrate::{self, Images, METHODS, Method, Range, Spreads};
use crate::export::{Graphs, Request, Source};
use crate::graph::{self, Name};
use crate::judge::{self, Judge, Strayed};
use crate::quantize::{self, Plan};
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Calibration, Precision, Target, Validation};
use edge::runtime::{Choice, MISSING, find_library};
use std::collections::{BTreeMap, BTreeSet};
use tract_onnx::pb::ModelProto;

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

/// Makes candidates and measures them.
struct Workshop<'a> {
    source: &'a Source<'a>,
    float: &'a Graphs,
    target: Target,
    judge: &'a Judge,
}

/// Finds ranges by the method that strays least on the judge's images (or the one that is asked for), then, where the score
/// on the validation set falls by more than allowed, puts the most damaging groups back into float, as few as it takes.
pub fn choose(
    source: &Source<'_>,
    graphs: &Graphs,
    float: &Bundle,
    (images, asked): (&Images, Option<Method>),
    judge: &Judge,
    request: &Request,
    say: &mut dyn FnMut(&str),
) -> Result<Chosen> {
    say(&format!("calibrating with {} images", images.inputs.len()));
    let spreads = observed(graphs, float, images)?;
    let workshop = Workshop { source, float: graphs, target: request.target, judge };
    let none = BTreeSet::new();
    let (mut best, mut tried): (Option<(Method, f64)>, _) = (None, BTreeMap::new());
    let methods: &[Method] = match (&asked, request.target) {
        (Some(method), _) => std::slice::from_ref(method),
        // Without quantized activations there are no ranges to choose.
        (None, Target::Tract) => &METHODS[..1],
        (None, _) => &METHODS,
    };
    for &method in methods {
        let strayed = workshop.strayed(&none, &ranges(&spreads, method), COMPARED)?;
        say(&format!(
            "ranges by {method}: next word strays by {:.5} nats, memory cosine {:.5}",
            strayed.divergence, strayed.cosine
        ));
        tried.insert(method.to_string(), strayed.divergence);
        if best.is_none_or(|(_, least)| strayed.divergence < least) {
            best = Some((method, strayed.divergence));
        }
    }
    let (method, _) = best.context("no method")?;
    let ranges = ranges(&spreads, method);
    let (kept, validation) = match &request.validation {
        None => (none, None),
        Some(wanted) => {
            let (kept, validation) = workshop.hold(wanted, &ranges, say)?;
            (kept, Some(validation))
        }
    };
    let judged_on = match &validation {
        Some(Validation { dataset, split, .. }) => format!("{dataset} {split}"),
        None => "calibration images".into(),
    };
    let calibration = Calibration {
        method: method.to_string(),
        images: images.inputs.len(),
        sha256: images.sha256.clone(),
        judged_on: if asked.is_some() { String::new() } else { judged_on },
        divergence: tried,
    };
    Ok(Chosen { graphs: workshop.graphs(&kept, &ranges)?, kept, calibration, validation })
}

/// The spreads of all activations that INT8 needs.
pub fn observed(graphs: &Graphs, float: &Bundle, images: &Images) -> Result<Spreads> {
    let open = |model: &ModelProto| -> Result<Vec<u8>> {
        Ok(graph::bytes(&calibrate::with_outputs(model.clone(), &quantize::activations(model)?)))
    };
    let open = Bundle { encoder: open(&graphs.encoder)?, decoder: open(&graphs.decoder)?, ..float.clone() };
    let library = find_library().context(MISSING)?;
    calibrate::spreads(&open, &library, &judge::settings(Choice::Ort, open.manifest.search.beam), &images.inputs)
}

fn ranges(spreads: &Spreads, method: Method) -> BTreeMap<Name, Range> {
    spreads.iter().map(|(name, spread)| (name.clone(), method.range(spread))).collect()
}

impl Workshop<'_> {
    fn graphs(&self, float: &BTreeSet<String>, ranges: &BTreeMap<Name, Range>) -> Result<Graphs> {
        let plan = Plan { target: self.target, float, ranges };
        Ok(Graphs {
            encoder: quantize::quantize(self.float.encoder.clone(), &plan)?,
            decoder: quantize::quantize(self.float.decoder.clone(), &plan)?,
        })
    }

    fn bundle(&self, float: &BTreeSet<String>, ranges: &BTreeMap<Name, Range>) -> Result<Bundle> {
        self.source.bundle(&self.graphs(float, ranges)?, self.target, |_| Precision::Int8)
    }

    fn strayed(&self, float: &BTreeSet<String>, ranges: &BTreeMap<Name, Range>, most: usize) -> Result<Strayed> {
        self.judge.strayed(&self.bundle(float, ranges)?, most)
    }

    /// The fewest groups in float with which the score holds, and that score.
    fn hold(
        &self,
        wanted: &crate::export::Validation,
        ranges: &BTreeMap<Name, Range>,
        say: &mut dyn FnMut(&str),
    ) -> Result<(BTreeSet<String>, Validation)> {
        let float_cider = self.judge.cider(self.judge.float().iter().map(|answer| answer.text.as_str()))?;
        let questions = self.judge.questions();
        let measure = |kept: &BTreeSet<String>, say: &mut dyn FnMut(&str)| -> Result<Validation> {
            let captions = judge::captions(&self.bundle(kept, ranges)?, questions, Choice::Ort)?;
            let found = Validation {
                dataset: dataset_name(wanted)?,
                split: wanted.split.name().into(),
                images: questions.len(),
                float_cider,
                cider: self.judge.cider(captions.iter().map(String::as_str))?,
                agreement: self.judge.agreement(captions.iter().map(String::as_str)),
                max_loss: wanted.max_loss,
            };
            say(&format!(
                "{} {}, {} groups in float: CIDEr {:.4}, float {float_cider:.4} ({:+.2} %), same caption {:.1} %",
                found.dataset,
                found.split,
                kept.len(),
                found.cider,
                (found.cider / float_cider - 1.0) * 100.0,
                found.agreement * 100.0
            ));
            Ok(found)
        };
        let holds = |found: &Validation| found.cider >= float_cider * (1.0 - wanted.max_loss);
        let all = measure(&BTreeSet::new(), say)?;
        if holds(&all) {
            return Ok((BTreeSet::new(), all));
        }
        let ranked = self.ranked(ranges, say)?;
        let worst = |count: usize| ranked.iter().take(count).cloned().collect::<BTreeSet<_>>();
        let (mut failed, mut count) = (0, 1);
        let mut held = loop {
            let found = measure(&worst(count), say)?;
            if holds(&found) {
                break found;
            }
            ensure!(
                count < ranked.len(),
                "CIDEr falls by more than {} even with all groups in float",
                wanted.max_loss
            );
            (failed, count) = (count, (2 * count).min(ranked.len()));
        };
        while failed + 1 < count {
            let middle = usize::midpoint(failed, count);
            let found = measure(&worst(middle), say)?;
            if holds(&found) {
                (count, held) = (middle, found);
            } else {
                failed = middle;
            }
        }
        Ok((worst(count), held))
    }

    /// The groups by the damage that each does alone, the worst first.
    fn ranked(&self, ranges: &BTreeMap<Name, Range>, say: &mut dyn FnMut(&str)) -> Result<Vec<String>> {
        let groups = &self.source.groups;
        say(&format!("measuring the damage of each of {} layer groups", groups.len()));
        let mut damage = Vec::with_capacity(groups.len());
        for group in groups {
            let others = groups.iter().filter(|other| *other != group).cloned().collect();
            damage.push((self.strayed(&others, ranges, RANKED)?.divergence, group.clone()));
        }
        damage.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (divergence, group) in damage.iter().take(5) {
            say(&format!("{group}: {divergence:.6} nats"));
        }
        Ok(damage.into_iter().map(|(_, group)| group).collect())
    }
}

fn dataset_name(wanted: &crate::export::Validation) -> Result<String> {
    Ok(cssa::dataset::Dataset::read(&wanted.folder)?.name)
}
