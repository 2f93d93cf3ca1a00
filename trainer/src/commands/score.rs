//! `trainer score`.

use super::machine::Machine;
use anyhow::Result;
use cssa::backbone::Backbone;
use cssa::dataset::{DevRule, Listing, Split};
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::config::Config;
use trainer::data::features::Source;
use trainer::net::augment::AugmentationKind;
use trainer::net::{BackboneNet, read_weights};
use trainer::progress::Progress;
use trainer::score::{self, Jars, Retrieval};

/// Options of `trainer score`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer score --hypotheses captions.json --references my-images/ --split test
      Prints BLEU, ROUGE, CIDEr and the share of wrong captions, beside baselines.")]
pub(crate) struct ScoreOptions {
    /// Captions to score: {filename: caption} (JSON).
    #[arg(long)]
    hypotheses: PathBuf,
    /// Dataset folder, or its description.
    #[arg(long)]
    references: PathBuf,
    /// Split: train, dev, val or test.
    #[arg(long, default_value = "test")]
    split: Split,
    /// Rule that makes dev, for --split dev: blocks or hash.
    #[arg(long, default_value_t)]
    dev: DevRule,
    /// Folder with meteor/ and spice/ of pycocoevalcap, as tests/peers/fetch-spice.sh makes it. Default: python3's
    /// packages.
    #[arg(long)]
    jars: Option<PathBuf>,
    /// Backbone weights for the train-retrieval baseline.
    #[arg(long)]
    backbone_weights: Option<PathBuf>,
    /// Backbone of --backbone-weights.
    #[arg(long, default_value = "efficientnet-lite2")]
    backbone: Backbone,
    /// Side of the backbone's input in pixels.
    #[arg(long, default_value_t = 260)]
    image_size: usize,
    /// Also print one row per scene class: images, CIDEr, distinct captions, share of wrong ones.
    #[arg(long)]
    by_class: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// Scores any system's captions.
pub(crate) fn score(options: ScoreOptions) -> Result<()> {
    let ScoreOptions {
        hypotheses,
        references,
        split,
        dev,
        jars,
        backbone_weights,
        backbone,
        image_size,
        by_class,
        json,
        machine,
    } = options;
    let listing = Listing::read(&references, dev)?;
    let items = score::items(&listing, split, &score::read_hypotheses(&hypotheses)?)?;
    let jars = Jars::find(jars.as_deref(), &machine.cache);
    let mut config = Config::default();
    (config.network.backbone, config.network.image_size) = (backbone, image_size);
    let model = config.model(4);
    model.validate()?;
    let device = machine.start()?;
    let read = |path: PathBuf| read_weights(&model, &path, &mut |line| Progress::Shown.say(line));
    let weights = backbone_weights.map(read).transpose()?;
    let net = weights.map(|weights| BackboneNet::new(&model, weights, device)).transpose()?;
    let folder = &machine.cache;
    let source = net.as_ref().map(|backbone| Source {
        model: &model,
        backbone,
        device,
        folder,
        seed: 0,
        augmentation: AugmentationKind::Image,
    });
    let retrieval = source.as_ref().map(|source| Retrieval { source, progress: &Progress::Shown });
    let request = score::Request { jars: &jars, retrieval, by_class };
    let report = score::report(&listing, split, &items, &request)?;
    print(&if json { serde_json::to_string(&report)? } else { report.text() })?;
    Ok(())
}
