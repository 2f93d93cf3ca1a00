//! `trainer train`: features, vocabulary, the stages, choice of the best checkpoint on dev, golden vectors.

use crate::config::Config;
use crate::data::batches::Batcher;
use crate::data::features::Source;
use crate::data::rows::Rows;
use crate::data::samples::{Cached, Samples};
use crate::data::text::Synonyms;
use crate::evaluate::{self, Captioner};
use crate::log::{Epoch, Log};
use crate::net::{BackboneNet, Store, read_weights};
use crate::progress::Progress;
use crate::stages::epochs::Surroundings;
use crate::stages::state::State;
use crate::stages::{mccl, rsic, scst};
use crate::trained;
use anyhow::{Context, Result, bail, ensure};
use cssa::checkpoint::{
    Checkpoint, DOCUMENT_FREQUENCIES, Description, FORMAT, GOLDEN, LANGUAGE_MODEL, Provenance, WEIGHTS,
};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::files;
use cssa::language_model::LanguageModel;
use cssa::model::Model;
use cssa::search::{DocumentFrequencies, Strategy};
use cssa::vocabulary::{TokenId, Vocabulary};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Places {
    /// Dataset folders.
    pub data: Vec<PathBuf>,
    /// What the run starts from.
    pub start: Start,
    /// The run's folder.
    pub out: PathBuf,
    /// Folder of cached features.
    pub cache: PathBuf,
    /// Folder with WordNet's `index.sense`, which need not be there.
    pub wordnet: PathBuf,
    /// A stage saves itself at least this often.
    pub save_every: Duration,
}

/// What a run starts from.
#[derive(Clone, Debug)]
pub enum Start {
    /// The backbone's weights file; the rest is random.
    Backbone(PathBuf),
    /// A finished run: its words and all its weights, on the same or on other data.
    Run(PathBuf),
}

/// The datasets of a run.
pub(crate) fn read_datasets(folders: &[PathBuf], dev: DevRule) -> Result<Vec<Dataset>> {
    ensure!(!folders.is_empty(), "--data names no folder, expected one or more datasets");
    folders.iter().map(|folder| Ok(Dataset::read(folder, dev)?)).collect()
}

/// Trains all stages; started again after a stop, it goes on where its state was last saved.
pub fn train(config: &Config, places: &Places, device: Device, progress: &Progress) -> Result<()> {
    let datasets = read_datasets(&places.data, config.data.dev)?;
    for dataset in &datasets {
        let count = |split| dataset.split(split).count();
        let [train, dev, val, test] = [Split::Train, Split::Dev, Split::Val, Split::Test].map(count);
        let missing = if dataset.missing > 0 { format!(", {} missing", dataset.missing) } else { String::new() };
        progress.say(&format!("{}: {train} train, {dev} dev, {val} val, {test} test images{missing}", dataset.name));
    }
    check_repeat(config, &datasets)?;
    let beginning = begin(config, places, &datasets, progress)?;
    let (synonyms, inputs) = inputs(config, places, &datasets, &beginning)?;
    if inputs.synonyms_sha256.is_some() {
        progress.say(&synonyms.description(&places.wordnet, &beginning.vocabulary));
    }
    let Beginning { vocabulary, model, backbone_tensors, earlier, provenance } = beginning;
    let mut backbone = BackboneNet::new(&model, backbone_tensors, device)?;
    backbone.set_precision(config.network.precision);
    let mut store = Store::new(&model, config.seed as i64, device).with_precision(config.network.precision);
    if !config.network.train_backbone_from.is_empty() {
        backbone.unfreeze(&config.network.train_backbone_from, &mut store)?;
    }
    prepare(config, places, &inputs)?;

    let seed = config.data.view_seed.unwrap_or(config.seed);
    let source = Source { model: &model, backbone: &backbone, device, folder: &places.cache, seed };
    let cached = datasets.iter().map(|dataset| cache(&source, dataset, config.data.views, progress));
    let (cached, shape) = (cached.collect::<Result<Vec<_>>>()?, (backbone.frozen_output(), model.image_size));
    let samples = Samples::new(&datasets, cached, shape, &vocabulary, config.data.max_tokens, &config.data.repeat);
    let samples = samples.onto(device)?;
    ensure!(!samples.images.is_empty(), "the datasets have no train image");
    let dev = Held::collect(&source, &datasets, Split::Dev, progress)?;

    if config.rsic.scene_weight > 0.0 && config.rsic.epochs > 0 {
        let (classes, width) = (samples.scenes as i64, model.width as i64);
        ensure!(classes > 1, "rsic.scene_weight needs scene classes, and no file name tells two");
        for (part, shape) in [("weight", &[classes, width][..]), ("bias", &[classes])] {
            let zeros = Tensor::zeros(shape, (Kind::Float, device));
            let _ = store.insert(format!("{}scene.{part}", Store::AUXILIARY), &zeros);
        }
    }
    let state = State::new(places.out.join("state"), places.save_every);
    let log = Log::open(&places.out)?;
    let (samples, vocabulary, synonyms, max_tokens) = (&samples, &vocabulary, &synonyms, config.data.max_tokens);
    let batcher = Batcher { samples, vocabulary, synonyms, max_tokens, device };
    let surroundings = Surroundings { batcher, state: &state, log: &log, progress };
    if let Some(earlier) = &earlier {
        trained::restore(&store, &earlier.tensors)?;
    }
    if config.mccl.epochs > 0 {
        mccl::run(config, &model, (&store, &backbone), surroundings)?;
    }
    if earlier.is_none() && !state.has("rsic") {
        rsic::start_from_mccl(&model, &store)?;
    }
    let mut judge = Judge {
        dev: &dev,
        description: Description {
            format: FORMAT,
            dev: config.data.dev,
            model: model.clone(),
            provenance,
            search: config.search,
        },
        vocabulary,
        language_model: language_model(&datasets),
        document_frequencies: Arc::new(document_frequencies(&datasets, vocabulary)),
        store: &store,
        backbone: &backbone,
        golden: golden_images(&datasets),
        epochs: if state.has("rsic") || state.has("scst") { log.epochs()? } else { Vec::new() },
        log: &log,
        out: &places.out,
        progress,
    };
    if earlier.is_some() && judge.epochs.is_empty() {
        let _ = judge.epoch("from", 0, 0.0, 0)?;
    }
    let net = (&store, &backbone);
    rsic::run(config, &model, net, surroundings, |epoch, loss| judge.epoch("rsic", epoch, loss, config.rsic.patience))?;
    if config.scst.epochs > 0 {
        if !state.has("scst") {
            judge.restore_best(&model)?;
        }
        scst::run(config, &model, net, surroundings, |epoch, loss| {
            judge.epoch("scst", epoch, loss, config.scst.patience)
        })?;
    }
    Ok(())
}

/// Fails where the run in `places.out` was started with another recipe or on other inputs than these.
pub(crate) fn check(config: &Config, places: &Places, progress: &Progress) -> Result<()> {
    let datasets = read_datasets(&places.data, config.data.dev)?;
    let beginning = begin(config, places, &datasets, progress)?;
    prepare(config, places, &inputs(config, places, &datasets, &beginning)?.1)
}

/// The synonyms of a run, and what it is started on; synonyms count where MCCL has its text branch.
fn inputs(
    config: &Config,
    places: &Places,
    datasets: &[Dataset],
    Beginning { vocabulary, provenance, .. }: &Beginning,
) -> Result<(Synonyms, Inputs)> {
    let synonyms = Synonyms::read(&places.wordnet, vocabulary)?;
    let used = config.mccl.epochs > 0 && config.mccl.gamma_sentence > 0.0;
    let inputs = Inputs::new(provenance, vocabulary, datasets, &places.start)?;
    let inputs = Inputs { synonyms_sha256: used.then(|| synonyms.digest()), ..inputs };
    Ok((synonyms, inputs))
}

/// Vocabulary, model and weights that a run begins with.
struct Beginning {
    vocabulary: Vocabulary,
    model: Model,
    backbone_tensors: Vec<(String, cssa::tensors::Array)>,
    earlier: Option<Checkpoint>,
    provenance: Provenance,
}

fn begin(config: &Config, places: &Places, datasets: &[Dataset], progress: &Progress) -> Result<Beginning> {
    let mut provenance = Provenance {
        datasets: datasets.iter().map(|dataset| dataset.name.clone()).collect(),
        backbone_sha256: String::new(),
        seed: config.seed,
        revision: revision(),
    };
    match &places.start {
        Start::Backbone(weights) => {
            let mut vocabulary = build_vocabulary(datasets, config.data.minimum_count);
            if config.data.styles {
                vocabulary = vocabulary.with_styles(datasets.iter().map(|dataset| dataset.name.as_str()));
            }
            let model = config.model(vocabulary.size());
            model.validate()?;
            let backbone_tensors = read_weights(&model, weights)?;
            provenance.backbone_sha256 = sha256(weights)?;
            Ok(Beginning { vocabulary, model, backbone_tensors, earlier: None, provenance })
        }
        Start::Run(run) => {
            let earlier = Checkpoint::read(run)?;
            progress.say(&unknown_words(datasets, &earlier.vocabulary, run));
            if earlier.description.dev != config.data.dev {
                progress.say(&format!(
                    "warning: {} has dev {}, the recipe {}: its scores on dev may be of images that it has trained on",
                    run.display(),
                    earlier.description.dev,
                    config.data.dev
                ));
            }
            let model = config.model(earlier.vocabulary.size());
            let fits = earlier.description.model == model;
            ensure!(fits, "{}: its model differs from the recipe's network, expected the same", run.display());
            let own = |(name, _): &&(String, _)| name.starts_with(cssa::parameters::BACKBONE);
            let backbone_tensors = earlier.tensors.iter().filter(own).cloned().collect();
            provenance.backbone_sha256.clone_from(&earlier.description.provenance.backbone_sha256);
            for name in &earlier.description.provenance.datasets {
                if !provenance.datasets.contains(name) {
                    provenance.datasets.push(name.clone());
                }
            }
            let vocabulary = earlier.vocabulary.clone();
            Ok(Beginning { vocabulary, model, backbone_tensors, earlier: Some(earlier), provenance })
        }
    }
}

fn sha256(path: &Path) -> Result<String> {
    Ok(cssa::bundle::hexadecimal(&Sha256::digest(files::read(path, 1 << 34)?)))
}

/// Features of images that are augmented anew are kept up to this many times the size of the pixels.
const LARGEST_KNOWN: usize = 3;

/// What is on disk for the train images of a dataset.
fn cache(source: &Source<'_>, dataset: &Dataset, views: usize, progress: &Progress) -> Result<Cached> {
    let pixels = if views == 0 {
        let images: Vec<&Captioned> = dataset.split(Split::Train).collect();
        Some(source.pixels(&format!("{}-train", dataset.name), &images, progress)?)
    } else {
        None
    };
    // The image itself need not go through the frozen layers again and again, where their output is no larger than a few images.
    let (cells, channels) = source.backbone.frozen_output();
    let small = cells * channels * 2 <= LARGEST_KNOWN * 3 * source.model.image_size.pow(2);
    let known = if views == 0 { usize::from(small) } else { views };
    let features = (0..known).map(|view| split_features(source, dataset, Split::Train, view, progress));
    Ok(Cached { features: features.collect::<Result<_>>()?, pixels })
}

/// Scores every epoch on dev and keeps the best checkpoint.
struct Judge<'a> {
    dev: &'a Held<'a>,
    description: Description,
    vocabulary: &'a Vocabulary,
    language_model: LanguageModel,
    document_frequencies: Arc<DocumentFrequencies>,
    store: &'a Store,
    backbone: &'a BackboneNet,
    golden: Vec<(PathBuf, String)>,
    epochs: Vec<Epoch>,
    log: &'a Log,
    out: &'a Path,
    progress: &'a Progress,
}

impl Judge<'_> {
    fn epoch(&mut self, stage: &str, epoch: usize, train_loss: f64, patience: usize) -> Result<ControlFlow<()>> {
        self.epochs.retain(|known| known.stage != stage || known.epoch < epoch);
        let Self { description: Description { model, search, .. }, store, backbone, vocabulary, .. } = self;
        let strategy = Strategy::new(model, *search, Some(&self.document_frequencies))?;
        let captioner = Captioner::new(model, (store, backbone), vocabulary, strategy)?;
        let scores = self.dev.score(&captioner, self.progress)?;
        let best = self.epochs.iter().map(|epoch| epoch.dev_cider).fold(f64::NEG_INFINITY, f64::max);
        let chosen = scores.cider > best || self.epochs.is_empty();
        let (dev_cider, dev_bleu_4) = (scores.cider, scores.bleu[3]);
        self.progress.say(&format!("{stage} epoch {epoch}: train loss {train_loss:.4}, dev CIDEr {dev_cider:.4}"));
        self.epochs.push(Epoch { stage: stage.into(), epoch, train_loss, dev_cider, dev_bleu_4, chosen });
        if chosen {
            self.write()?;
        }
        self.log.finished(&self.epochs)?;
        let since = self.epochs.iter().rev().take_while(|epoch| epoch.stage == stage && !epoch.chosen).count();
        Ok(if patience > 0 && since >= patience { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn write(&self) -> Result<()> {
        let mut tensors = self.backbone.tensors()?;
        tensors.extend(self.store.arrays()?);
        let (description, vocabulary) = (self.description.clone(), self.vocabulary.clone());
        let language_model = self.language_model.clone();
        let document_frequencies = Some(Arc::clone(&self.document_frequencies));
        Checkpoint { description, tensors, vocabulary, language_model, document_frequencies }.write(self.out)?;
        // In FP32 on a CPU wherever training runs: other runtimes have to agree with it, and GPUs convolve in TF32.
        let golden = trained::Trained::read(self.out, Device::Cpu)?.golden(&self.golden)?;
        Ok(golden.write(&self.out.join(GOLDEN))?)
    }

    /// Puts the best checkpoint so far into the store.
    fn restore_best(&self, model: &Model) -> Result<()> {
        if self.epochs.is_empty() {
            return Ok(());
        }
        let best = Checkpoint::read(self.out)?;
        if best.description.model != *model {
            bail!("{}: its model differs from the run's", self.out.join(WEIGHTS).display());
        }
        trained::restore(self.store, &best.tensors)?;
        self.backbone.restore(&best.tensors)
    }
}

/// Held-out images of all datasets with their features.
#[derive(Debug)]
pub(crate) struct Held<'a>(pub(crate) Vec<(String, Vec<&'a Captioned>, Rows)>);

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
) -> Result<Rows> {
    let images: Vec<&Captioned> = dataset.split(split).collect();
    let name = format!("{}-{}", dataset.name, format!("{split:?}").to_lowercase());
    source.features(&name, &images, view, progress)
}

/// `run/inputs.toml`: what a run was started on.
#[derive(PartialEq, Serialize, Deserialize)]
struct Inputs {
    backbone_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_sha256: Option<String>,
    vocabulary_sha256: String,
    /// Of the synonyms, where the run has MCCL's text branch; `none` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    synonyms_sha256: Option<String>,
    datasets: Vec<String>,
}

impl Inputs {
    fn new(provenance: &Provenance, vocabulary: &Vocabulary, datasets: &[Dataset], start: &Start) -> Result<Self> {
        let described = |dataset: &Dataset| format!("{}: {} images", dataset.name, dataset.images.len());
        let from_sha256 = match start {
            Start::Backbone(_) => None,
            Start::Run(run) => Some(sha256(&run.join(WEIGHTS))?),
        };
        Ok(Self {
            backbone_sha256: provenance.backbone_sha256.clone(),
            from_sha256,
            vocabulary_sha256: cssa::bundle::hexadecimal(&Sha256::digest(vocabulary.text())),
            synonyms_sha256: None,
            datasets: datasets.iter().map(described).collect(),
        })
    }
}

/// Makes the run's folder, or checks that the run in it was started with the same recipe on the same inputs.
fn prepare(config: &Config, places: &Places, inputs: &Inputs) -> Result<()> {
    std::fs::create_dir_all(&places.out).with_context(|| format!("{} cannot be created", places.out.display()))?;
    let path = places.out.join("config.toml");
    if path.exists() {
        let known: Config = files::read_toml(&path)?;
        let same = known.without_epochs() == config.without_epochs();
        ensure!(same, "{} differs from --config: name another --out for another recipe", path.display());
        for (stage, before, now, next) in [
            ("mccl", known.mccl.epochs, config.mccl.epochs, Some("rsic")),
            ("rsic", known.rsic.epochs, config.rsic.epochs, Some("scst")),
            ("scst", known.scst.epochs, config.scst.epochs, None),
        ] {
            let begun = next.is_some_and(|next| places.out.join(format!("state/{next}.toml")).exists());
            ensure!(
                before == now || !begun,
                "{}: {stage} had {before} epochs and the next stage has begun, so it cannot have {now} any more",
                path.display()
            );
        }
    }
    files::write(&path, toml::to_string_pretty(config)?.as_bytes())?;
    let (path, text) = (places.out.join("inputs.toml"), toml::to_string_pretty(inputs)?);
    if path.exists() {
        let same = files::read_text(&path, 1 << 20)? == text;
        ensure!(same, "{} differs from --data, --backbone-weights or --wordnet: name another --out", path.display());
    }
    Ok(files::write(&path, text.as_bytes())?)
}

/// `data.repeat` must name datasets that are there.
fn check_repeat(config: &Config, datasets: &[Dataset]) -> Result<()> {
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    for name in config.data.repeat.keys() {
        ensure!(names.contains(&name.as_str()), "data.repeat names {name}, expected one of {}", names.join(", "));
    }
    Ok(())
}

/// How many of the train captions' words a run does not know: it can never say them.
fn unknown_words(datasets: &[Dataset], vocabulary: &Vocabulary, run: &Path) -> String {
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let (mut words, mut lost) = (0_usize, 0_usize);
    for caption in datasets.iter().flat_map(|dataset| dataset.split(Split::Train)).flat_map(|image| &image.captions) {
        for word in cssa::vocabulary::words(caption) {
            words += 1;
            if vocabulary.id(&word) == TokenId::UNKNOWN {
                lost += 1;
                *unknown.entry(word).or_default() += 1;
            }
        }
    }
    let mut frequent: Vec<(String, usize)> = unknown.into_iter().collect();
    frequent.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let examples: Vec<String> = frequent.iter().take(5).map(|(word, count)| format!("{word} ({count})")).collect();
    let share = 100.0 * lost as f64 / words.max(1) as f64;
    let (count, of) = (frequent.len(), vocabulary.size() - TokenId::FIRST_WORD.index());
    let examples = if examples.is_empty() { String::new() } else { format!(": {}", examples.join(", ")) };
    format!(
        "{} knows {of} words and not {count} of the train captions', {share:.1} % of all said{examples}",
        run.display()
    )
}

fn build_vocabulary(datasets: &[Dataset], minimum: usize) -> Vocabulary {
    let images = datasets.iter().flat_map(|dataset| dataset.split(Split::Train));
    Vocabulary::build(images.flat_map(|image| &image.captions).map(String::as_str), minimum)
}

/// Counts the train captions of the datasets in `folders` and writes the n-gram model and the document frequencies of a run.
/// Gives the files with their sizes in bytes.
pub fn count_captions(run: &Path, folders: &[PathBuf]) -> Result<Vec<(PathBuf, usize)>> {
    let description = Description::read(run)?;
    let vocabulary = description.vocabulary(run)?;
    let datasets = read_datasets(folders, description.dev)?;
    let counted = [
        (run.join(LANGUAGE_MODEL), language_model(&datasets).to_bytes()),
        (run.join(DOCUMENT_FREQUENCIES), document_frequencies(&datasets, &vocabulary).to_bytes()),
    ];
    let write = |(path, bytes): (PathBuf, Vec<u8>)| {
        files::write(&path, &bytes)?;
        Ok((path, bytes.len()))
    };
    counted.into_iter().map(write).collect()
}

/// In how many train images' captions each n-gram occurs.
fn document_frequencies(datasets: &[Dataset], vocabulary: &Vocabulary) -> DocumentFrequencies {
    let captions = |image: &Captioned| image.captions.iter().map(|caption| vocabulary.encode(caption)).collect();
    DocumentFrequencies::count(datasets.iter().flat_map(|dataset| dataset.split(Split::Train)).map(captions))
}

fn language_model(datasets: &[Dataset]) -> LanguageModel {
    let images = datasets.iter().flat_map(|dataset| dataset.split(Split::Train));
    LanguageModel::build(images.flat_map(|image| image.captions.iter().map(|caption| caption.to_lowercase())))
}

/// The first held-out image of each of the first two datasets, with a caption.
fn golden_images(datasets: &[Dataset]) -> Vec<(PathBuf, String)> {
    let held = |image: &&Captioned| image.split != Split::Train;
    let first = datasets.iter().filter_map(|dataset| dataset.images.iter().find(held));
    first.take(2).map(|image| (image.path.clone(), image.captions[0].clone())).collect()
}

fn revision() -> String {
    let git = ["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--abbrev=40"];
    let asked = std::process::Command::new("git").args(git).output();
    match asked {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
