//! `trainer train`: features, vocabulary, the stages, choice of the best checkpoint on dev, golden vectors.

mod cache;
mod count;
mod evaluator;
mod extend;
mod initial;
mod inputs;
mod places;
mod teachers;

pub use count::count_captions;
pub(crate) use inputs::CONFIG;
pub use places::{Places, Start};

use crate::config::Config;
use crate::data::batches::Batcher;
use crate::data::datasets::read_datasets;
use crate::data::features::Source;
use crate::data::samples::{Caches, Samples};
use crate::data::text::Synonyms;
use crate::error::{Error, Result, ensure};
use crate::held_out::HeldOut;
use crate::log::{Epoch, Log};
use crate::net::{BackboneNet, Parts, Store};
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::stages::epochs::TrainContext;
use crate::stages::state::{STATE, State};
use crate::stages::{mccl, recall, rsic, scst};
use cache::{cache, known_views};
use count::Counts;
use cssa::checkpoint::{DESCRIPTION, Description, FORMAT};
use cssa::dataset::{Captioned, Dataset, DevRule, Split};
use cssa::files;
use cssa::model::Search;
use evaluator::Evaluator;
use initial::{InitialState, initial_state};
use inputs::{Inputs, prepare};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tch::{Device, Kind, Tensor};

/// Trains all stages; started again after a stop, it goes on where its state was last saved. Gives the epochs that were scored.
/// Rank 0 alone writes the run, and its state is read there alone.
pub fn train(
    config: &Config,
    places: &Places,
    device: Device,
    ranks: &Ranks,
    progress: &Progress,
) -> Result<Vec<Epoch>> {
    let mut datasets = read_datasets(&places.data, config.data.dev)?;
    let (beside, sentences) = (places.beside.add_to(&mut datasets)?, places.beside.read_sentences()?);
    for dataset in &datasets {
        let count = |split| dataset.split(split).count();
        let [train, dev, val, test] = [Split::Train, Split::Dev, Split::Val, Split::Test].map(count);
        let mut missing = if dataset.missing > 0 { format!(", {} missing", dataset.missing) } else { String::new() };
        if dataset.uncaptioned > 0 {
            missing.push_str(&format!(", {} without a caption", dataset.uncaptioned));
        }
        progress.say(&format!("{}: {train} train, {dev} dev, {val} val, {test} test images{missing}", dataset.name));
    }
    beside.iter().for_each(|line| progress.say(line));
    if !sentences.is_empty() {
        progress.say(&format!("{} sentences beside the datasets", sentences.len()));
    }
    check_names(config, &datasets)?;
    let initial = initial_state(config, places, (&datasets, &sentences), progress)?;
    let (synonyms, inputs) = inputs(config, places, &datasets, &initial)?;
    let inputs = Inputs { processes: (ranks.size() > 1).then_some(ranks.size()), ..inputs };
    if inputs.synonyms_sha256.is_some() {
        progress.say(&synonyms.description(&places.wordnet, &initial.vocabulary));
    }
    let InitialState { vocabulary, model, backbone_tensors, earlier, has_own_manner, provenance } = initial;
    let replayed: Vec<&str> = config.data.replay.keys().map(String::as_str).collect();
    let counts = match &earlier {
        Some(run) if config.data.extend => Counts::extended(run, &replayed, (&datasets, &sentences), &vocabulary),
        _ => Counts::new((&datasets, &sentences), &vocabulary),
    };
    datasets.iter_mut().for_each(|dataset| thin(config, dataset));
    let backbone = BackboneNet::new(&model, backbone_tensors, device)?;
    let mut backbone = backbone.with_precision(config.network.precision);
    let mut store = Store::new(&model, config.seed as i64, device).with_precision(config.network.precision);
    if !config.network.train_backbone_from.is_empty() {
        backbone.unfreeze(&config.network.train_backbone_from, &mut store)?;
    }
    let mut teachers = teachers::read(config, &datasets, &vocabulary, (device, progress))?;
    let state = State::new(places.out.join(STATE), places.save_every);
    ranks.check_equal(
        || (toml::to_string(config).ok(), toml::to_string(&inputs).ok()),
        "another recipe or other data",
    )?;
    let _lock = if ranks.is_first() {
        prepare(config, places, &state, &inputs)?;
        Some(state.lock()?)
    } else {
        None
    };
    warn_of_search(config, &places.out, progress);

    let (seed, augmentation) = (config.data.view_seed.unwrap_or(config.seed), config.data.augmentation);
    let source = Source { model: &model, backbone: &backbone, device, folder: &places.cache, seed, augmentation };
    let is_own = |dataset: &&Dataset| !replayed.contains(&dataset.name.as_str());
    let views = |dataset: &Dataset| if is_own(&dataset) { config.data.views } else { 1 };
    let cached = ranks.in_turn(|| {
        let cached = |dataset| cache(&source, dataset, views(dataset), known_views(&source, views(dataset)), progress);
        datasets.iter().map(cached).collect::<Result<_>>()
    })?;
    let caches = Caches { cached, shape: backbone.frozen_output(), size: model.image_size };
    let samples = Samples::new(&datasets, caches, &vocabulary, config.data.max_tokens, &config.data.repeat);
    let samples = samples.augmented(augmentation).with_drawn(drawn(config, &datasets)).onto(device)?;
    ensure!(!samples.images.is_empty(), Error::NoTrainImages);
    ranks.in_turn(|| teachers::show(&mut teachers, &samples, &datasets, &views, (&source, progress)))?;
    let dev = match config.data.dev {
        DevRule::None => HeldOut(Vec::new()),
        DevRule::Blocks | DevRule::Hash => {
            let chosen_on = |dataset: &&Dataset| is_own(dataset) && !config.data.auxiliary.contains(&dataset.name);
            let views = augmentation.dev_views();
            ranks.in_turn(|| {
                let datasets = datasets.iter().filter(chosen_on);
                HeldOut::collect_views(&source, datasets, Split::Dev, views, progress)
            })?
        }
    };

    if config.rsic.scene_weight > 0.0 && config.rsic.epochs > 0 {
        let (classes, width) = (samples.scenes as i64, model.width as i64);
        let (fields, problem) = ("rsic.scene_weight", "needs scene classes, and no file name tells two");
        ensure!(classes > 1, Error::Contradiction { fields, problem });
        for (part, shape) in [("weight", &[classes, width][..]), ("bias", &[classes])] {
            let zeros = Tensor::zeros(shape, (Kind::Float, device));
            let _ = store.insert(format!("{}scene.{part}", Store::AUXILIARY), &zeros);
        }
    }
    let log = if ranks.is_first() { Log::open(&places.out)? } else { Log::silent() };
    let (samples, vocabulary, synonyms, max_tokens) = (&samples, &vocabulary, &synonyms, config.data.max_tokens);
    let batcher = Batcher { samples, vocabulary, synonyms, max_tokens, share: ranks.share(), device, others: &[] };
    let context = TrainContext { batcher, ranks, state: &state, log: &log, progress };
    let has = |stage: &str| ranks.decide(|| state.has(stage));
    if let Some(earlier) = &earlier {
        store.restore(&earlier.tensors)?;
    }
    let parts = Parts { model: &model, store: &store, backbone: &backbone };
    if config.mccl.epochs > 0 {
        mccl::run(config, parts, context)?;
        if !has("rsic") {
            recall(config, parts, context, &dev)?;
        }
    }
    if !has("rsic") && earlier.is_none() {
        rsic::start_from_mccl(&model, &store)?;
    }
    let mut evaluator = Evaluator {
        dev: &dev,
        description: Description {
            format: FORMAT,
            dev: config.data.dev,
            model: model.clone(),
            provenance,
            search: config.search,
        },
        search: config.search,
        vocabulary,
        language_model: counts.language_model,
        document_frequencies: Arc::new(counts.document_frequencies),
        store: &store,
        backbone: &backbone,
        golden: golden_images(&datasets),
        epochs: ranks.agree(|| {
            let has_epochs = state.has("rsic") || state.has("scst");
            if has_epochs { log.epochs() } else { Ok(Vec::new()) }
        })?,
        log: &log,
        out: &places.out,
        ranks,
        progress,
    };
    if earlier.is_some() && has_own_manner && evaluator.epochs.is_empty() {
        let _ = evaluator.epoch("from", 0, 0.0, 0)?;
    }
    let patience = config.rsic.patience;
    rsic::run(config, parts, &teachers, context, |epoch, loss| evaluator.epoch("rsic", epoch, loss, patience))?;
    if config.scst.epochs > 0 {
        if !has("scst") {
            evaluator.restore_best(&model)?;
        }
        scst::run(config, parts, context, |epoch, loss| evaluator.epoch("scst", epoch, loss, config.scst.patience))?;
    }
    Ok(evaluator.epochs)
}

/// Keeps others from training a run for as long as the file is there; nothing where it keeps no state.
pub fn lock(run: &Path) -> Result<Option<File>> {
    let folder = run.join(STATE);
    folder.is_dir().then(|| State::new(folder, Duration::MAX).lock()).transpose()
}

/// Fails where the run in `places.out` was started with another recipe or on other inputs than these.
pub(crate) fn check(config: &Config, places: &Places, progress: &Progress) -> Result<()> {
    let mut datasets = read_datasets(&places.data, config.data.dev)?;
    let _ = places.beside.add_to(&mut datasets)?;
    let initial = initial_state(config, places, (&datasets, &places.beside.read_sentences()?), progress)?;
    let state = State::new(places.out.join(STATE), places.save_every);
    prepare(config, places, &state, &inputs(config, places, &datasets, &initial)?.1)
}

/// Says that a better checkpoint will be searched as the recipe says, where `trainer tune` chose otherwise.
fn warn_of_search(config: &Config, out: &Path, progress: &Progress) {
    // A run that has no checkpoint yet has nothing that was chosen.
    let Ok(chosen) = files::read_toml::<Description>(&out.join(DESCRIPTION)).map(|known| known.search) else { return };
    let length = config.search.length.or(chosen.length);
    if chosen != (Search { length, ..config.search }) {
        progress.say(&format!(
            "warning: this run was tuned ({chosen}); a better checkpoint is searched as the recipe says ({}): tune it again then",
            config.search
        ));
    }
}

/// The synonyms of a run, and what it is started on; synonyms count where MCCL has its text branch.
fn inputs(
    config: &Config,
    places: &Places,
    datasets: &[Dataset],
    InitialState { vocabulary, provenance, .. }: &InitialState,
) -> Result<(Synonyms, Inputs)> {
    let synonyms = Synonyms::read(&places.wordnet, vocabulary)?;
    let used = config.mccl.epochs > 0 && config.mccl.gamma_sentence > 0.0;
    let inputs = Inputs::new(provenance, vocabulary, datasets, places)?;
    let teachers_sha256 = teachers::hashes(config)?;
    let inputs = Inputs { synonyms_sha256: used.then(|| synonyms.digest()), teachers_sha256, ..inputs };
    Ok((synonyms, inputs))
}

/// Says what the first stage has learned, on dev.
fn recall(
    config: &Config,
    parts: Parts<'_>,
    TrainContext { batcher, ranks, log, progress, .. }: TrainContext<'_>,
    dev: &HeldOut<'_>,
) -> Result<()> {
    let net = mccl::Net::new(parts)?;
    for held in dev.0.iter().filter(|held| held.view == 0) {
        let name = &held.name;
        let found = recall::of(&net, &batcher, held, parts.backbone.frozen_output(), ranks)?;
        progress.say(&format!("mccl on {name} dev: {found}"));
        let [[image_1, image_5], [sentence_1, sentence_5]] = [found.image_to_sentence, found.sentence_to_image];
        let values = [
            (format!("{name}/image_to_sentence_at_1"), image_1),
            (format!("{name}/image_to_sentence_at_5"), image_5),
            (format!("{name}/sentence_to_image_at_1"), sentence_1),
            (format!("{name}/sentence_to_image_at_5"), sentence_5),
        ];
        let values: Vec<(&str, f64)> = values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        log.reached("mccl", config.mccl.epochs, &values)?;
    }
    Ok(())
}

/// `data.repeat`, `data.replay` and `data.auxiliary` must name datasets that are there.
fn check_names(config: &Config, datasets: &[Dataset]) -> Result<()> {
    let names: Vec<&str> = datasets.iter().map(|dataset| dataset.name.as_str()).collect();
    let repeat = config.data.repeat.keys().map(|name| ("data.repeat", name));
    let replay = config.data.replay.keys().map(|name| ("data.replay", name));
    let auxiliary = config.data.auxiliary.iter().map(|name| ("data.auxiliary", name));
    for (field, name) in repeat.chain(replay).chain(auxiliary) {
        let expected = || format!("one of {}", names.join(", "));
        ensure!(names.contains(&name.as_str()), Error::Unknown { field, found: name.clone(), expected: expected() });
    }
    let (fields, problem) = ("data.auxiliary", "names all datasets that are learned: none is left to choose on");
    let is_aside =
        |name: &&str| config.data.auxiliary.iter().chain(config.data.replay.keys()).any(|aside| aside == name);
    let is_needed = !config.data.auxiliary.is_empty() && config.data.dev != DevRule::None;
    ensure!(!is_needed || !names.iter().all(is_aside), Error::Contradiction { fields, problem });
    Ok(())
}

/// Leaves of a dataset that is replayed only the train images that are used.
fn thin(config: &Config, dataset: &mut Dataset) {
    let Some(replay) = config.data.replay.get(&dataset.name) else { return };
    let (all, mut n) = (dataset.split(Split::Train).count(), 0);
    let wanted = replay.images.min(all);
    dataset.images.retain(|image| {
        if image.split != Split::Train {
            return true;
        }
        n += 1;
        // Image n of 1 to `all` is the one in which a share of wanted / all completes the next whole one.
        n * wanted / all > (n - 1) * wanted / all
    });
}

/// How many images or pairs of each dataset an epoch shows that is replayed.
fn drawn(config: &Config, datasets: &[Dataset]) -> BTreeMap<usize, usize> {
    let count = |(n, dataset): (usize, &Dataset)| Some((n, config.data.replay.get(&dataset.name)?.per_epoch));
    datasets.iter().enumerate().filter_map(count).collect()
}

/// The first held-out image of each of the first two datasets, with a caption.
pub(crate) fn golden_images(datasets: &[Dataset]) -> Vec<(PathBuf, String)> {
    let held = |image: &&Captioned| image.split != Split::Train;
    let first = datasets.iter().filter_map(|dataset| dataset.images.iter().find(held));
    first.take(2).map(|image| (image.path.clone(), image.captions[0].clone())).collect()
}
