//! `trainer train` and `trainer ablate`.

use super::machine::Machine;
use anyhow::{Context, Result};
use cssa::errors::chain;
use cssa_terminal::print;
use std::path::PathBuf;
use std::time::Duration;
use trainer::ablate::{self, Table};
use trainer::config::Config;
use trainer::data::beside::{Beside, FurtherCaptions};
use trainer::progress::Progress;
use trainer::report::{self, REPORT, Request};
use trainer::run::{self, Places, Start};

/// Options of `trainer train`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer train --config recipe.toml --data my-images/ \\
    --backbone-weights efficientnet_lite2.safetensors --out runs/new
      Trains all stages; the same command again continues.")]
pub(crate) struct TrainOptions {
    #[command(flatten)]
    training: Training,
}

/// Options of `trainer ablate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer ablate --table 4 --config recipe.toml --data my-images/ \\
    --backbone-weights efficientnet_lite2.safetensors --seeds 1 --out ablation
      Trains each cell of table 4 once and writes the table. Takes hours with a real recipe.")]
pub(crate) struct AblateOptions {
    /// Table of the paper: 4, 5, 7, or 9 for figure 9.
    #[arg(long)]
    table: Table,
    /// Only these cells, by name, separated by commas.
    #[arg(long, value_delimiter = ',')]
    cells: Vec<String>,
    /// Seeds per cell, counted from the recipe's.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    #[command(flatten)]
    training: Training,
}

/// What a training takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Training {
    /// Recipe (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Dataset folders: Karpathy JSON, COCO JSON or CSV.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Further captions of a dataset's train images: DATASET=FILE, a description with the same file names. They are
    /// learned, and are never references of a score. May be repeated.
    #[arg(long, value_name = "DATASET=FILE")]
    further: Vec<FurtherCaptions>,
    /// Text without images, one sentence per line, for the words and the link's n-gram model. May be repeated.
    #[arg(long, value_name = "FILE")]
    sentences: Vec<PathBuf>,
    /// Weights of the backbone (.safetensors, or torchvision's .pth).
    #[arg(long, required_unless_present = "from", conflicts_with = "from")]
    backbone_weights: Option<PathBuf>,
    /// Finished run to start from instead, with its words and all its weights.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Folder of the run. A run that is there continues.
    #[arg(long)]
    out: PathBuf,
    /// Change a field of the recipe, for example rsic.epochs=20. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Folder with WordNet's index.sense (tests/fetch-wordnet.sh), for the text branch's synonyms.
    #[arg(long, default_value = "target/wordnet")]
    wordnet: PathBuf,
    /// Seconds between saves within an epoch.
    #[arg(long, default_value_t = 300)]
    save_every: u64,
    #[command(flatten)]
    machine: Machine,
}

impl Training {
    fn read(self) -> Result<(Config, Places)> {
        let Self {
            config,
            data,
            further,
            sentences,
            backbone_weights,
            from,
            out,
            changes,
            wordnet,
            save_every,
            machine,
        } = self;
        let beside = Beside { further, sentences };
        let config = Config::read_with(&config, &changes)?;
        let start = from.map(Start::Run).or(backbone_weights.map(Start::Backbone));
        let start = start.context("--backbone-weights or --from is needed")?;
        let save_every = Duration::from_secs(save_every);
        Ok((config, Places { data, beside, start, out, cache: machine.cache, wordnet, save_every }))
    }
}

/// Trains all stages.
pub(crate) fn train(options: TrainOptions) -> Result<()> {
    let TrainOptions { training } = options;
    training.machine.clone().together(|ranks, device| {
        let (config, places) = training.read()?;
        run::train(&config, &places, device, ranks, &ranks.progress())?;
        if ranks.is_first() {
            leave_report(&Request { run: &places.out, data: &places.data, cache: &places.cache, device });
        }
        Ok(())
    })
}

/// Writes the page of a run into its folder; a run without it is whole all the same.
pub(super) fn leave_report(request: &Request<'_>) {
    let (out, progress) = (request.run.join(REPORT), Progress::Shown);
    match report::write(request, &out, &progress) {
        Ok(()) => progress.say(&format!("{}: curves, captions, reliability, classes", out.display())),
        Err(error) => progress.say(&format!("warning: no {}: {}", out.display(), chain(&error))),
    }
}

/// Makes one of the paper's tables.
pub(crate) fn ablate(options: AblateOptions) -> Result<()> {
    let AblateOptions { table, cells, seeds, training } = options;
    let device = training.machine.start()?;
    let (config, places) = training.read()?;
    print(&ablate::ablate(&ablate::Request { table, cells, seeds }, &config, &places, device, &Progress::Shown)?)?;
    Ok(())
}
