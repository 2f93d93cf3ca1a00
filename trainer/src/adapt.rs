//! `trainer adapt`: a finished run learns from a few hundred images of one's own, and keeps what it knew.
//!
//! It is `trainer train --from RUN` with a recipe that follows from the run and the data: the run's network with its backbone frozen,
//! captioning alone, the words of the data that the run lacks, and epochs chosen on the data's dev, of which the run as it was is
//! the first candidate. The recipe is `config.toml` of the new run. Dev is cut out of train by the run's own rule, of new and old data
//! alike: a run has one rule, and by another one dev would be of images that it was trained on. Data may name their dev themselves.
//!
//! What keeps what the run knew: where its old data are at hand, some of their images are shown again beside the new ones (rehearsal).
//! Where they are not, all weights are pulled toward the run's (L2-SP; Li et al. 2018). From `fixtures/run-without-drones` on half of the drone's images,
//! CIDEr on the other half, on UCM-Captions test and on RSICD val (before: 0.072, 3.363 and 2.874), one seed, weights of the last epoch:
//!
//! | without old data | drone | UCM | RSICD |
//! |---|---|---|---|
//! | nothing keeps it | 0.455 | 1.160 | 0.444 |
//! | a pull of 40 | 0.388 | 2.638 | 0.926 |
//! | a pull of 60, which was chosen after the others | 0.370 | 2.819 | 1.163 |
//! | a pull of 80 | 0.325 | 2.927 | 1.517 |
//! | 0.1 of the run's weights mixed in (WiSE-FT; Wortsman et al. 2022) | 0.428 | 1.727 | |
//! | 0.2 mixed in | 0.398 | 2.230 | 1.156 |
//! | 0.3 mixed in | 0.263 | 2.641 | |
//!
//! At like scores on the drone's images a pull keeps more of UCM than mixing does; of RSICD, 0.2 mixed in keeps as much as a pull of 60. With
//! old data, 0.2 mixed in gave 0.254, 3.457 and 2.762 where nothing mixed in gives 0.447, 3.391 and 2.627. All this was chosen on the
//! splits that it names, so these figures are no test of the choice.

use crate::config::{Config, Data, Mccl, Network, Replay, Rsic, Schedule};
use crate::data::beside::Beside;
use crate::data::datasets::read_datasets;
use crate::data::samples::Unit;
use crate::error::{Error, Result, ensure};
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::run::{self, Places, Start};
use cssa::checkpoint::{DESCRIPTION, Description};
use cssa::dataset::{Dataset, DevRule, Split};
use cssa::files::{FileError, NewFolder};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tch::Device;

/// Images of old data that are made ready for each one that an epoch shows: enough that epochs differ, few enough to take minutes.
const POOL: usize = 4;

/// How much the run's weights pull where no old data are shown.
const PULL: f64 = 60.0;

/// What is adapted to what.
#[derive(Clone, Debug)]
pub struct Request {
    /// The finished run.
    pub run: PathBuf,
    /// Dataset folders of the new data.
    pub own: Vec<PathBuf>,
    /// Dataset folders of old data that are shown again.
    pub replay: Vec<PathBuf>,
    /// Share of old images in an epoch, where there are any.
    pub replay_share: f64,
    /// Passes over the new images.
    pub epochs: usize,
    /// How often the new captions say a word that is learned.
    pub minimum_count: usize,
    /// The new run's folder.
    pub out: PathBuf,
    /// Folder of cached features.
    pub cache: PathBuf,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adapted {
    /// CIDEr-D on the new data's dev of the run as it was.
    pub before: f64,
    /// The same of the new run.
    pub after: f64,
    /// The epoch whose weights the new run has; 0 where none was better than the run as it was.
    pub epoch: usize,
}

/// Adapts a run; `request.out` is then a run as `trainer train` makes it, and is not there before it is whole.
pub fn adapt(request: &Request, device: Device, ranks: &Ranks, progress: &Progress) -> Result<Adapted> {
    let description = check_run(&request.run)?;
    let out = if ranks.is_first() { Some(NewFolder::create(&request.out)?) } else { None };
    let config = recipe(request, &description)?;
    let places = Places {
        data: request.own.iter().chain(&request.replay).cloned().collect(),
        beside: Beside::default(),
        start: Start::Run(request.run.clone()),
        out: out.as_ref().map_or(&*request.out, NewFolder::path).to_path_buf(),
        cache: request.cache.clone(),
        wordnet: PathBuf::new(),
        save_every: Duration::MAX,
    };
    let epochs = run::train(&config, &places, device, ranks, progress)?;
    let start = epochs.first().ok_or(Error::Broken("a run without epochs"))?;
    let best = epochs.iter().rfind(|epoch| epoch.chosen).unwrap_or(start);
    let cider = |cider: Option<f64>| cider.ok_or(Error::Broken("an epoch without a score on dev"));
    let adapted = Adapted { before: cider(start.dev_cider)?, after: cider(best.dev_cider)?, epoch: best.epoch };
    out.map(NewFolder::finish).transpose()?;
    Ok(adapted)
}

/// The recipe that a run and the data ask for.
fn recipe(request: &Request, description: &Description) -> Result<Config> {
    let &Description { dev, ref model, ref search, .. } = description;
    let own = read_datasets(&request.own, dev)?;
    let train = own.iter().map(|dataset| dataset.split(Split::Train).count()).sum::<usize>();
    for split in [Split::Train, Split::Dev] {
        let datasets = || own.iter().map(|dataset| dataset.name.clone()).collect();
        let is_there = own.iter().any(|dataset| dataset.split(split).next().is_some());
        ensure!(is_there, Error::NoImages { datasets: datasets(), split });
    }
    let replay = if request.replay.is_empty() {
        BTreeMap::new()
    } else {
        ensure!(
            request.replay_share > 0.0 && request.replay_share < 1.0,
            Error::setting("--replay-share", request.replay_share, "more than 0 and less than 1")
        );
        let shown = train as f64 * request.replay_share / (1.0 - request.replay_share);
        replay(&read_datasets(&request.replay, dev)?, shown.round() as usize)?
    };
    let vocabulary = description.vocabulary(&request.run)?;
    let pull = if replay.is_empty() { PULL } else { 0.0 };
    Ok(Config {
        network: Network { dropout: 0.2, ..Network::of(model) },
        data: Data {
            minimum_count: request.minimum_count,
            max_tokens: model.max_tokens,
            dev,
            styles: vocabulary.has_styles(),
            lengths: vocabulary.lengths(),
            extend: true,
            replay,
            ..Data::default()
        },
        mccl: Mccl { epochs: 0, ..Mccl::default() },
        rsic: Rsic {
            epochs: request.epochs,
            unit: Unit::Images,
            batch: 16,
            schedule: Schedule::Cosine { peak: 3e-4, warmup: 20 },
            continues_schedule: false,
            clip: 2.0,
            weight_decay: 0.01,
            average: 0.98,
            pull,
            augment: true,
            ..Rsic::default()
        },
        search: *search,
        ..Config::default()
    })
}

/// `shown` images an epoch in all, of each dataset as many.
fn replay(datasets: &[Dataset], shown: usize) -> Result<BTreeMap<String, Replay>> {
    let per_epoch = shown.div_ceil(datasets.len()).max(1);
    let of = |dataset: &Dataset| {
        let all = dataset.split(Split::Train).count();
        ensure!(all > 0, Error::NoImages { datasets: vec![dataset.name.clone()], split: Split::Train });
        let images = all.min(POOL * per_epoch);
        Ok((dataset.name.clone(), Replay { images, per_epoch: per_epoch.min(images) }))
    };
    datasets.iter().map(of).collect()
}

/// The description of a finished run.
fn check_run(run: &Path) -> Result<Description> {
    let problem = "is no run: it has no model.toml, expected a folder that trainer train or trainer adapt wrote";
    ensure!(run.join(DESCRIPTION).is_file(), FileError::content(run, problem).into());
    let description = Description::read(run)?;
    let problem = "has no dev, on which epochs are chosen: it was trained on all its images, expected a run with dev blocks or hash";
    ensure!(description.dev != DevRule::None, FileError::content(run, problem).into());
    Ok(description)
}
