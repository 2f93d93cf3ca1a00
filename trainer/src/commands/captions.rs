//! `trainer evaluate`, `trainer caption` and `trainer tune`: what a trained model says.

use super::machine::{DeviceOption, Machine, start};
use anyhow::{Result, ensure};
use cssa::dataset::Split;
use cssa::files;
use cssa::model::{Consensus, Search};
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::progress::Progress;
use trainer::trained::Trained;
use trainer::{caption as captioning, score, tune};

/// Options of `trainer evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer evaluate --run runs/mine --data my-images/ --split test --hypotheses captions.json
      Prints the scores and writes the captions for `trainer score`.")]
pub(crate) struct EvaluateOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Dataset folders.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Split: train, dev, val or test.
    #[arg(long, default_value = "test")]
    split: Split,
    #[command(flatten)]
    searching: Searching,
    /// Also write the captions to this file as {filename: caption} (JSON). For a single dataset.
    #[arg(long)]
    hypotheses: Option<PathBuf>,
    /// Print one JSON object per dataset, with its hypotheses.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machine: Machine,
}

/// Options of `trainer caption`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer caption images/ --run runs/mine --n-best 5
      Prints a JSON object per image with the five best captions.")]
pub(crate) struct CaptionOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Images and folders of images.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    searching: Searching,
    /// Also print this many best captions of the beam, which is made as wide.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
    n_best: Option<u8>,
    /// Device to compute on.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceOption,
    /// Threads of libtorch on the CPU. 0: libtorch's own choice.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

/// Options of `trainer tune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer tune --run runs/mine --data my-images/ --consensus 5,16
      Tries searches on dev and writes the best into the run.")]
pub(crate) struct TuneOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Dataset folders.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Beam widths to try.
    #[arg(long, num_args = 1.., default_values_t = [3, 5], value_parser = clap::value_parser!(u8).range(1..=16))]
    beams: Vec<u8>,
    /// Length exponents to try.
    #[arg(long, num_args = 1.., default_values_t = [0.0, 0.5, 1.0])]
    length_exponents: Vec<f32>,
    /// Length classes to try, from 1; all that the run has where none is named.
    #[arg(long, num_args = 1.., value_parser = clap::value_parser!(u8).range(1..=8))]
    lengths: Vec<u8>,
    /// Consensus decoding to try, with each length exponent: BEAM,DRAWS.
    #[arg(long, num_args = 0.., value_parser = parse_consensus)]
    consensus: Vec<Consensus>,
    #[command(flatten)]
    machine: Machine,
}

/// How captions are searched: the run's own way where nothing is given.
#[derive(Debug, clap::Args)]
pub(crate) struct Searching {
    /// Beam width. Default: the run's own search.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16), conflicts_with = "consensus")]
    beam: Option<u8>,
    /// Exponent of the length that ranks finished captions.
    #[arg(long)]
    length_exponent: Option<f32>,
    /// The length class that captions are asked for, from 1, of a run that has such classes.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=8))]
    length: Option<u8>,
    /// Consensus decoding: BEAM,DRAWS (candidates of the beam, captions drawn).
    #[arg(long, value_parser = parse_consensus)]
    consensus: Option<Consensus>,
}

impl Searching {
    pub(crate) fn over(&self, own: Search) -> Result<Search> {
        let consensus = if self.beam.is_some() { None } else { self.consensus.or(own.consensus) };
        let search = Search {
            beam: self.beam.map_or(own.beam, usize::from),
            length_exponent: self.length_exponent.unwrap_or(own.length_exponent),
            length: self.length.or(own.length),
            consensus,
        };
        search.validate()?;
        Ok(search)
    }
}

/// Captions a split and scores it.
pub(crate) fn evaluate(options: EvaluateOptions) -> Result<()> {
    let EvaluateOptions { run, data, split, searching, hypotheses, json, machine } = options;
    let trained = Trained::read(&run, machine.start()?)?;
    let search = searching.over(trained.search())?;
    ensure!(hypotheses.is_none() || data.len() == 1, "--hypotheses takes the captions of a single dataset");
    hypotheses.as_deref().map(files::check_writable).transpose()?;
    for found in trained.evaluate(&data, split, search, &machine.cache, &Progress::Shown)? {
        if let Some(path) = &hypotheses {
            files::write(path, serde_json::to_string_pretty(&found.hypotheses)?.as_bytes())?;
        }
        if json {
            print(&serde_json::to_string(&found)?)?;
        } else {
            print(&format!("{} ({} images)\n{}", found.dataset, found.images, score::lines(&found.scores)))?;
        }
    }
    Ok(())
}

/// Captions images.
pub(crate) fn caption(options: CaptionOptions) -> Result<()> {
    let CaptionOptions { run, images, searching, n_best, device, threads } = options;
    let trained = Trained::read(&run, start(device, threads)?)?;
    let search = searching.over(trained.search())?;
    captioning::each(&trained, &images, search, n_best.map(usize::from), &mut print)?;
    Ok(())
}

/// Chooses how the run is searched.
pub(crate) fn tune(options: TuneOptions) -> Result<()> {
    let TuneOptions { run, data, beams, length_exponents, lengths, consensus, machine } = options;
    let tried = |lengths: &[Option<u8>]| tune::searches(&beams, &length_exponents, lengths, &consensus);
    tried(&[None]).iter().try_for_each(cssa::model::Search::validate)?;
    let _lock = trainer::run::lock(&run)?;
    let mut trained = Trained::read(&run, machine.start()?)?;
    let named: Vec<Option<u8>> = lengths.into_iter().map(Some).collect();
    let tried = tried(&if named.is_empty() { trained.lengths() } else { named });
    ensure!(
        trained.has_document_frequencies() || tried.iter().all(|search| search.consensus.is_none()),
        "{} has no document frequencies for consensus: trainer language-model makes them",
        run.display()
    );
    let chosen = tune::best(&trained, &tried, &data, &machine.cache, &mut print)?;
    trained.choose(&run, chosen)?;
    print(&format!("chosen: {chosen}"))?;
    Ok(())
}

fn parse_consensus(text: &str) -> Result<Consensus, String> {
    let parsed = text.split_once(',').and_then(|(beam, draws)| {
        Some(Consensus { beam: beam.trim().parse().ok()?, draws: draws.trim().parse().ok()? })
    });
    let consensus = parsed.ok_or_else(|| format!("{text:?} is no consensus, expected BEAM,DRAWS"))?;
    let search = Search { consensus: Some(consensus), ..Search::default() };
    search.validate().map_err(|error| error.to_string())?;
    Ok(consensus)
}
