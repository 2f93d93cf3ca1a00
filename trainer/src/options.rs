//! What the command line takes: clap's description of every command.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cssa::backbone::Backbone;
use cssa::dataset::{DevRule, Split};
use cssa::model::{Consensus, Search};
use std::path::PathBuf;
use std::time::Duration;
use trainer::ablate::Table;
use trainer::config::Config;
use trainer::device::{self, DeviceChoice};
use trainer::run::{Places, Start};

/// Trains CSSA: contrastive image-sentence alignment, captioning, self-critical training.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Train all stages; started again with the same command, it goes on where it was stopped.
    Train {
        #[command(flatten)]
        training: Training,
    },
    /// Caption a split with a trained model and score it.
    Evaluate {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// Dataset folders.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
        /// train, dev, val or test.
        #[arg(long, default_value = "test")]
        split: Split,
        #[command(flatten)]
        searching: Searching,
        /// Also write the captions, {filename: caption}; for a single dataset.
        #[arg(long)]
        hypotheses: Option<PathBuf>,
        /// One JSON object a dataset, with its hypotheses.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: Machine,
    },
    /// Caption images with a trained model: one JSON object an image, with the probability of its caption.
    Caption {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// Images and folders of images.
        #[arg(required = true)]
        images: Vec<PathBuf>,
        #[command(flatten)]
        searching: Searching,
        /// Also the so many best captions of the beam, which is made as wide.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
        n_best: Option<u8>,
        /// Where to compute.
        #[arg(long, value_enum, default_value = "auto")]
        device: DeviceChoice,
        /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
        #[arg(long, default_value_t = 0)]
        threads: u8,
    },
    /// Try ways to search on dev and make the best one the run's own.
    Tune {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// Dataset folders.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
        /// Beams to try.
        #[arg(long, num_args = 1.., default_values_t = [3, 5], value_parser = clap::value_parser!(u8).range(1..=16))]
        beams: Vec<u8>,
        /// Length exponents to try.
        #[arg(long, num_args = 1.., default_values_t = [0.0, 0.5, 1.0])]
        length_exponents: Vec<f32>,
        /// Consensus decoding to try beside the beams, each with the exponents: BEAM,DRAWS.
        #[arg(long, num_args = 0.., value_parser = parse_consensus)]
        consensus: Vec<Consensus>,
        #[command(flatten)]
        machine: Machine,
    },
    /// Score any system's captions, with baselines.
    Score {
        /// {filename: caption} (JSON).
        #[arg(long)]
        hypotheses: PathBuf,
        /// The dataset's description, or its folder.
        #[arg(long)]
        references: PathBuf,
        /// train, dev, val or test.
        #[arg(long, default_value = "test")]
        split: Split,
        /// What dev is, for --split dev: blocks or hash.
        #[arg(long, default_value_t)]
        dev: DevRule,
        /// Folder with meteor/ and spice/ of pycocoevalcap, as tests/peers/fetch-spice.sh makes it; looked for in python3's
        /// packages where it is not given.
        #[arg(long)]
        jars: Option<PathBuf>,
        /// Backbone weights for the train-retrieval baseline.
        #[arg(long)]
        backbone_weights: Option<PathBuf>,
        /// The backbone that they are for.
        #[arg(long, default_value = "efficientnet-lite2")]
        backbone: Backbone,
        /// Side of its input in pixels.
        #[arg(long, default_value_t = 260)]
        image_size: usize,
        /// Also a row a scene class: images, CIDEr, distinct captions, share of wrong ones.
        #[arg(long)]
        by_class: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: Machine,
    },
    /// Draw what the model attends to, for a word and for a cell (PNG).
    Heatmap {
        /// Folder of the run; three of them compare models trained with DGP, without decay and without DGP.
        #[arg(long, num_args = 1..=3, required = true)]
        run: Vec<PathBuf>,
        /// The image.
        #[arg(long)]
        image: PathBuf,
        /// A word of the caption.
        #[arg(long)]
        word: String,
        /// A cell of the grid, from 0 at the upper left.
        #[arg(long, value_parser = parse_cell, default_value = "4,4")]
        cell: (usize, usize),
        /// Captions of a bundle or of another system, {filename: caption}; the run's own caption where it is not given.
        #[arg(long)]
        hypotheses: Option<PathBuf>,
        /// The picture.
        #[arg(long)]
        out: PathBuf,
    },
    /// Make a page of images with references and captions, right and wrong words coloured (HTML).
    Gallery {
        /// Folder of the run.
        #[arg(long, required_unless_present = "hypotheses", conflicts_with = "hypotheses")]
        run: Option<PathBuf>,
        /// Captions of a bundle or of another system, {filename: caption}.
        #[arg(long)]
        hypotheses: Option<PathBuf>,
        /// The dataset's folder.
        #[arg(long)]
        data: PathBuf,
        /// train, dev, val or test.
        #[arg(long, default_value = "test")]
        split: Split,
        /// What dev is, for --split dev: blocks or hash.
        #[arg(long, default_value_t)]
        dev: DevRule,
        /// The page.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        machine: Machine,
    },
    /// Make one of the paper's tables: 4 (DGP, MCCL), 5 (decay), 7 (branches of MCCL) or 9 (figure 9: learning rate,
    /// temperature, lambda and batch of MCCL), with paired differences; started again, it goes on with what is not finished.
    Ablate {
        /// Which table.
        #[arg(long)]
        table: Table,
        /// Only these cells, by name.
        #[arg(long, value_delimiter = ',')]
        cells: Vec<String>,
        /// Seeds a cell, from the recipe's on.
        #[arg(long, default_value_t = 5)]
        seeds: u64,
        #[command(flatten)]
        training: Training,
    },
    /// Report what is wrong with datasets: missing and damaged files, empty captions, images in several splits.
    CheckData {
        /// Dataset folders.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
        /// One JSON object a dataset.
        #[arg(long)]
        json: bool,
    },
    /// Measure images a second of both stages, beside plain PyTorch where an interpreter with torch is named.
    Bench {
        /// Recipe (TOML).
        #[arg(long)]
        config: PathBuf,
        /// Steps a round.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
        steps: u16,
        /// Rounds, of which the best counts; the two programs take turns.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
        rounds: u8,
        /// A Python with torch.
        #[arg(long)]
        peer: Option<PathBuf>,
        /// The peer's script.
        #[arg(long, default_value = "tests/peers/train_step.py")]
        script: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
        /// Where to compute.
        #[arg(long, value_enum, default_value = "auto")]
        device: DeviceChoice,
        /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
        #[arg(long, default_value_t = 0)]
        threads: u8,
    },
    /// Count the train captions' n-grams for a run that has no counts, or those of other captions: what packs its captions on the
    /// link, and what consensus decoding compares captions by.
    LanguageModel {
        /// Folder of the run.
        #[arg(long)]
        run: PathBuf,
        /// Dataset folders.
        #[arg(long, num_args = 1.., required = true)]
        data: Vec<PathBuf>,
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
        /// Where to compute. GPUs convolve in TF32 unless NVIDIA_TF32_OVERRIDE=0 is set.
        #[arg(long, value_enum, default_value = "cpu")]
        device: DeviceChoice,
    },
}

/// What a training takes.
#[derive(clap::Args)]
pub(crate) struct Training {
    /// Recipe (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Dataset folders: Karpathy JSON, COCO JSON or CSV.
    #[arg(long, num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// The backbone's weights (.safetensors, or torchvision's .pth).
    #[arg(long, required_unless_present = "from", conflicts_with = "from")]
    backbone_weights: Option<PathBuf>,
    /// A finished run to start from instead, with its words and all its weights.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Folder of the run.
    #[arg(long)]
    out: PathBuf,
    /// Change a field of the recipe, for example rsic.epochs=20; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Folder with WordNet's index.sense (tests/fetch-wordnet.sh), for the text branch's synonyms.
    #[arg(long, default_value = "target/wordnet")]
    wordnet: PathBuf,
    /// Seconds after which a stage saves itself within an epoch.
    #[arg(long, default_value_t = 300)]
    save_every: u64,
    #[command(flatten)]
    machine: Machine,
}

impl Training {
    pub(crate) fn start(self) -> Result<(Config, Places, tch::Device)> {
        let Self { config, data, backbone_weights, from, out, changes, wordnet, save_every, machine } = self;
        let config = Config::read_with(&config, &changes)?;
        let device = machine.start()?;
        let start = from.map(Start::Run).or(backbone_weights.map(Start::Backbone));
        let start = start.context("--backbone-weights or --from is needed")?;
        let save_every = Duration::from_secs(save_every);
        Ok((config, Places { data, start, out, cache: machine.cache, wordnet, save_every }, device))
    }
}

/// How captions are searched: the run's own way where nothing is given.
#[derive(clap::Args)]
pub(crate) struct Searching {
    /// Width of the beam; its best caption is taken.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16), conflicts_with = "consensus")]
    beam: Option<u8>,
    /// Exponent of the length that ranks finished captions.
    #[arg(long)]
    length_exponent: Option<f32>,
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
            consensus,
        };
        search.validate()?;
        Ok(search)
    }
}

#[derive(clap::Args)]
pub(crate) struct Machine {
    /// Folder of cached features, and of the parses of trainer score.
    #[arg(long, default_value = "target/features")]
    pub(crate) cache: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceChoice,
    /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

impl Machine {
    pub(crate) fn start(&self) -> Result<tch::Device> {
        start(self.device, self.threads)
    }
}

/// The device to compute on.
pub(crate) fn start(choice: DeviceChoice, threads: u8) -> Result<tch::Device> {
    device::join_cuda(choice)?;
    if threads > 0 {
        tch::set_num_threads(i32::from(threads));
    }
    device::choose(choice)
}

fn parse_cell(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once(',').and_then(|(x, y)| Some((x.trim().parse().ok()?, y.trim().parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is no cell, expected column,row"))
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
