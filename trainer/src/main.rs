//! `trainer`: trains and evaluates CSSA, and renders scenes.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cssa::dataset::Split;
use cssa::model::Search;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use trainer::config::Config;
use trainer::device::{self, DeviceChoice};
use trainer::progress::Progress;
use trainer::run::{self, Places, Start};
use trainer::trained::{Evaluation, Trained};

/// Trains CSSA: contrastive image-sentence alignment, then captioning.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Train all stages; started again with the same command, it goes on where it was stopped.
    Train {
        /// Recipe (TOML).
        #[arg(long)]
        config: PathBuf,
        /// Dataset folders in the Karpathy layout.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
        /// The backbone's weights (.safetensors).
        #[arg(long, required_unless_present = "from", conflicts_with = "from")]
        backbone_weights: Option<PathBuf>,
        /// A finished run to start from instead, with its words and all its weights.
        #[arg(long)]
        from: Option<PathBuf>,
        /// Seconds after which a stage saves itself within an epoch.
        #[arg(long, default_value_t = 300)]
        save_every: u64,
        /// Folder of the run.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        machine: Machine,
    },
    /// Caption a split with a trained model and score it.
    Evaluate {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// Dataset folders in the Karpathy layout.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
        /// train, dev, val or test.
        #[arg(long, default_value = "test")]
        split: Split,
        /// Width of the beam; the run's own where it is not given.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
        beam: Option<u8>,
        /// Exponent of the length that ranks finished captions; the run's own where it is not given.
        #[arg(long)]
        length_exponent: Option<f32>,
        /// One JSON object a dataset, with its hypotheses.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: Machine,
    },
    /// Write what every layer group gives for an image: golden vectors for other runtimes.
    Golden {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// The image.
        #[arg(long)]
        image: PathBuf,
        /// The caption that is fed to the decoder.
        #[arg(long)]
        caption: String,
        /// The file (.safetensors).
        #[arg(long)]
        out: PathBuf,
    },
    /// Render aerial-like scenes with true captions, as a dataset in the Karpathy layout.
    Scenes {
        /// Folder of the dataset, new or empty.
        #[arg(long)]
        out: PathBuf,
        /// How many.
        #[arg(long)]
        count: usize,
        /// Another seed gives other scenes; the same gives the same, to the byte.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(clap::Args)]
struct Machine {
    /// Folder of cached features.
    #[arg(long, default_value = "target/features")]
    cache: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

impl Machine {
    fn start(&self) -> Result<tch::Device> {
        device::join_cuda(self.device)?;
        if self.threads > 0 {
            tch::set_num_threads(i32::from(self.threads));
        }
        device::choose(self.device)
    }
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Progress.say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command.action {
        Action::Train { config, data, backbone_weights, from, save_every, out, machine } => {
            let config = Config::read(&config)?;
            let device = machine.start()?;
            let start = from.map(Start::Run).or(backbone_weights.map(Start::Backbone));
            let start = start.context("--backbone-weights or --from is needed")?;
            let save_every = Duration::from_secs(save_every);
            run::train(&config, &Places { data, start, out, cache: machine.cache, save_every }, device, &Progress)
        }
        Action::Evaluate { run, data, split, beam, length_exponent, json, machine } => {
            let trained = Trained::read(&run, machine.start()?)?;
            let own = trained.search();
            let search = Search {
                beam: beam.map_or(own.beam, usize::from),
                length_exponent: length_exponent.unwrap_or(own.length_exponent),
            };
            show(&trained.evaluate(&data, split, search, &machine.cache, &Progress)?, json)
        }
        Action::Golden { run, image, caption, out } => {
            Ok(Trained::read(&run, tch::Device::Cpu)?.golden(&image, &caption)?.write(&out)?)
        }
        Action::Scenes { out, count, seed } => trainer::scenes::write(&out, count, seed),
    }
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn show(found: &[Evaluation], json: bool) -> Result<()> {
    for evaluation in found {
        if json {
            println!("{}", serde_json::to_string(evaluation)?);
            continue;
        }
        println!("{} ({} images)", evaluation.dataset, evaluation.images);
        for (name, score) in &evaluation.scores {
            println!("  {name:8} {score:.4}");
        }
    }
    Ok(())
}
