//! `trainer train`: features, vocabulary, both stages, choice of the best checkpoint on dev, golden vectors.

use crate::config::Config;
use crate::data::batches::Batcher;
use crate::data::features::{Features, Source};
use crate::data::samples::Samples;
use crate::evaluate::{self, Captioner};
use crate::net::{BackboneNet, Store};
use crate::progress::Progress;
use crate::stages::state::State;
use crate::stages::{mccl, rsic};
use crate::trained;
use anyhow::{Context, Result, ensure};
use cssa::checkpoint::{Checkpoint, Description, FORMAT, GOLDEN, Provenance};
use cssa::dataset::{Captioned, Dataset, Split};
use cssa::files;
use cssa::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tch::Device;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// Dataset folders.
    pub data: Vec<PathBuf>,
    /// The backbone's weights file.
    pub backbone_weights: PathBuf,
    /// A finished run to start from: its words and weights, on the same or on other data.
    pub from: Option<PathBuf>,
    /// The run's folder.
    pub out: PathBuf,
    /// Folder of cached features.
    pub cache: PathBuf,
}

/// One line of `metrics.json`: an epoch of RSIC.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Epoch {
    epoch: usize,
    train_loss: f64,
    dev_cider: f64,
    dev_bleu_4: f64,
    chosen: bool,
}

/// The datasets of a run.
pub(crate) fn read_datasets(folders: &[PathBuf]) -> Result<Vec<Dataset>> {
    ensure!(!folders.is_empty(), "--data names no folder, expected one or more datasets");
    folders.iter().map(|folder| Ok(Dataset::read(folder)?)).collect()
}

/// Trains both stages; started again after a stop, it goes on after the last finished epoch.
pub fn train(config: &Config, places: &Places, device: Device, progress: &Progress) -> Result<()> {
    let datasets = read_datasets(&places.data)?;
    for dataset in &datasets {
        let count = |split| dataset.split(split).count();
        let [train, dev, val, test] = [Split::Train, Split::Dev, Split::Val, Split::Test].map(count);
        let missing = if dataset.missing > 0 { format!(", {} missing", dataset.missing) } else { String::new() };
        progress.say(&format!("{}: {train} train, {dev} dev, {val} val, {test} test images{missing}", dataset.name));
    }
    check_repeat(config, &datasets)?;
    let earlier = places.from.as_deref().map(Checkpoint::read).transpose()?;
    let vocabulary = match &earlier {
        Some(earlier) => earlier.vocabulary.clone(),
        None => build_vocabulary(&datasets, config.data.minimum_count),
    };
    let model = config.model(vocabulary.size());
    model.validate()?;
    if let (Some(earlier), Some(from)) = (&earlier, &places.from) {
        let fits = earlier.description.model == model;
        ensure!(fits, "{}: its model differs from the recipe's network, expected the same", from.display());
    }
    let backbone = BackboneNet::load(&model, &places.backbone_weights, device)?;
    let hash = cssa::bundle::hexadecimal(&Sha256::digest(files::read(&places.backbone_weights, 1 << 34)?));
    prepare(config, places, &Inputs::new(&hash, &vocabulary, &datasets))?;
    let source = Source {
        model: &model,
        backbone: &backbone,
        weights_hash: hash.clone(),
        device,
        folder: &places.cache,
        seed: config.seed,
    };
    let views: Result<Vec<Vec<Features>>> = datasets
        .iter()
        .map(|dataset| {
            (0..config.data.views).map(|view| split_features(&source, dataset, Split::Train, view, progress)).collect()
        })
        .collect();
    let samples = Samples::new(&datasets, views?, &vocabulary, config.data.max_tokens, &config.data.repeat);
    ensure!(!samples.images.is_empty(), "the datasets have no train image");
    let dev = Held::collect(&source, &datasets, Split::Dev, progress)?;

    let store = Store::new(&model, config.seed as i64, device);
    let state = State::new(places.out.join("state"));
    let batcher = Batcher { samples: &samples, vocabulary: &vocabulary, max_tokens: config.data.max_tokens, device };
    if let Some(earlier) = &earlier {
        trained::restore(&store, &earlier.tensors)?;
    }
    if config.mccl.epochs > 0 {
        mccl::run(config, &model, &store, batcher, &state, progress)?;
    }
    if earlier.is_none() && !state.has("rsic") {
        rsic::start_from_mccl(&model, &store)?;
    }
    let provenance = Provenance {
        datasets: datasets.iter().map(|dataset| dataset.name.clone()).collect(),
        backbone_sha256: hash,
        seed: config.seed,
        revision: revision(),
    };
    let description = Description { format: FORMAT, model: model.clone(), provenance };
    let log = places.out.join("metrics.json");
    let mut epochs: Vec<Epoch> = if state.has("rsic") { read_log(&log)? } else { Vec::new() };
    rsic::run(config, &model, &store, batcher, &state, progress, |epoch, train_loss| {
        epochs.retain(|known| known.epoch < epoch);
        let scores = dev.score(&Captioner::new(&store, &model, &vocabulary, config.rsic.beam)?, progress)?;
        let best = epochs.iter().map(|epoch| epoch.dev_cider).fold(f64::NEG_INFINITY, f64::max);
        let chosen = scores.cider > best || epochs.is_empty();
        progress.say(&format!("epoch {epoch}: train loss {train_loss:.4}, dev CIDEr {:.4}", scores.cider));
        epochs.push(Epoch { epoch, train_loss, dev_cider: scores.cider, dev_bleu_4: scores.bleu[3], chosen });
        if chosen {
            let mut tensors = backbone.raw().to_vec();
            tensors.extend(store.arrays()?);
            let checkpoint = Checkpoint { description: description.clone(), tensors, vocabulary: vocabulary.clone() };
            checkpoint.write(&places.out)?;
            trained::golden(&store, &model, &vocabulary, &backbone, &golden_images(&datasets))?
                .write(&places.out.join(GOLDEN))?;
        }
        files::write(&log, serde_json::to_string_pretty(&epochs)?.as_bytes())?;
        Ok(())
    })
}

/// Held-out images of all datasets with their features.
#[derive(Debug)]
pub(crate) struct Held<'a>(pub(crate) Vec<(String, Vec<&'a Captioned>, Features)>);

impl<'a> Held<'a> {
    pub(crate) fn collect(
        source: &Source<'_>,
        datasets: &'a [Dataset],
        split: Split,
        progress: &Progress,
    ) -> Result<Self> {
        let mut held = Vec::new();
        for dataset in datasets {
            let images: Vec<&Captioned> = dataset.split(split).collect();
            if !images.is_empty() {
                held.push((dataset.name.clone(), images, split_features(source, dataset, split, 0, progress)?));
            }
        }
        ensure!(!held.is_empty(), "the datasets have no {split:?} image, expected at least one");
        Ok(Self(held))
    }

    /// Mean over the datasets, each scored as a corpus of its own.
    fn score(&self, captioner: &Captioner<'_>, progress: &Progress) -> Result<cssa::metrics::Scores> {
        let mut mean = cssa::metrics::Scores { bleu: [0.0; 4], rouge_l: 0.0, cider: 0.0 };
        for (name, images, features) in &self.0 {
            let captions = captioner.captions(features, images.len(), &format!("{name} dev"), progress)?;
            let scores = evaluate::score(images, &captions)?;
            progress.say(&format!("{name} dev CIDEr {:.4}", scores.cider));
            let share = 1.0 / self.0.len() as f64;
            mean.cider += scores.cider * share;
            mean.rouge_l += scores.rouge_l * share;
            for (sum, bleu) in mean.bleu.iter_mut().zip(scores.bleu) {
                *sum += bleu * share;
            }
        }
        Ok(mean)
    }
}

fn split_features(
    source: &Source<'_>,
    dataset: &Dataset,
    split: Split,
    view: usize,
    progress: &Progress,
) -> Result<Features> {
    let images: Vec<&Captioned> = dataset.split(split).collect();
    let name = format!("{}-{}", dataset.name, format!("{split:?}").to_lowercase());
    source.features(&name, &images, view, progress)
}

/// `run/inputs.toml`: what a run was started on.
#[derive(PartialEq, Serialize, Deserialize)]
struct Inputs {
    backbone_sha256: String,
    vocabulary_sha256: String,
    datasets: Vec<String>,
}

impl Inputs {
    fn new(backbone_sha256: &str, vocabulary: &Vocabulary, datasets: &[Dataset]) -> Self {
        let described = |dataset: &Dataset| format!("{}: {} images", dataset.name, dataset.images.len());
        Self {
            backbone_sha256: backbone_sha256.into(),
            vocabulary_sha256: cssa::bundle::hexadecimal(&Sha256::digest(vocabulary.text())),
            datasets: datasets.iter().map(described).collect(),
        }
    }
}

/// Makes the run's folder, or checks that the run in it was started with the same recipe on the same inputs.
fn prepare(config: &Config, places: &Places, inputs: &Inputs) -> Result<()> {
    std::fs::create_dir_all(&places.out).with_context(|| format!("{} cannot be created", places.out.display()))?;
    let recipe = ("config.toml", toml::to_string_pretty(config)?, "--config: name another --out for another recipe");
    let inputs = ("inputs.toml", toml::to_string_pretty(inputs)?, "--data or --backbone-weights: name another --out");
    for (name, text, differs) in [recipe, inputs] {
        let path = places.out.join(name);
        if path.exists() {
            ensure!(files::read_text(&path, 1 << 20)? == text, "{} differs from {differs}", path.display());
        } else {
            files::write(&path, text.as_bytes())?;
        }
    }
    Ok(())
}

/// `data.repeat` must name datasets that are there.
fn check_repeat(config: &Config, datasets: &[Dataset]) -> Result<()> {
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    for name in config.data.repeat.keys() {
        ensure!(names.contains(&name.as_str()), "data.repeat names {name}, expected one of {}", names.join(", "));
    }
    Ok(())
}

fn build_vocabulary(datasets: &[Dataset], minimum: usize) -> Vocabulary {
    let images = datasets.iter().flat_map(|dataset| dataset.split(Split::Train));
    Vocabulary::build(images.flat_map(|image| &image.captions).map(String::as_str), minimum)
}

/// The first held-out image of each of the first two datasets, with a caption.
fn golden_images(datasets: &[Dataset]) -> Vec<(PathBuf, String)> {
    let held = |image: &&Captioned| image.split != Split::Train;
    let first = datasets.iter().filter_map(|dataset| dataset.images.iter().find(held));
    first.take(2).map(|image| (image.path.clone(), image.captions[0].clone())).collect()
}

fn read_log(path: &Path) -> Result<Vec<Epoch>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&files::read_text(path, 1 << 24)?).with_context(|| format!("{}", path.display()))
}

fn revision() -> String {
    let git = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=40"];
    let asked = std::process::Command::new("git").args(git).output();
    match asked {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
