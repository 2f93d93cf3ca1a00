//! The command line.

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use cssa::backbone::Backbone;
use cssa::dataset::{Listing, Split};
use cssa::files;
use cssa::model::Search;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use trainer::ablate::{self, Table};
use trainer::config::Config;
use trainer::data::features::Source;
use trainer::device::{self, DeviceChoice};
use trainer::net::{BackboneNet, read_weights};
use trainer::progress::Progress;
use trainer::run::{self, Places, Start};
use trainer::score::{self, Baseline, Jars, Named, Retrieval};
use trainer::show::{gallery, heatmap};
use trainer::trained::Trained;
use trainer::{bench, check, scenes};

/// Trains CSSA: contrastive image-sentence alignment, captioning, self-critical training.
#[derive(Parser)]
#[command(version, about)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
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
        /// Width of the beam; the run's own where it is not given.
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
        beam: Option<u8>,
        /// Exponent of the length that ranks finished captions; the run's own where it is not given.
        #[arg(long)]
        length_exponent: Option<f32>,
        /// Also write the captions, {filename: caption}; for a single dataset.
        #[arg(long)]
        hypotheses: Option<PathBuf>,
        /// One JSON object a dataset, with its hypotheses.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        machine: Machine,
    },
    /// Try beams and length exponents on dev and make the best one the run's own.
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
        /// Folder with meteor/ and spice/ of pycocoevalcap; looked for in python3's packages where it is not given.
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
        /// The page.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        machine: Machine,
    },
    /// Make one of the paper's tables: 4 (DGP, MCCL), 5 (decay) or 7 (branches of MCCL).
    Ablate {
        /// Which table.
        #[arg(long)]
        table: Table,
        /// Seeds a cell, from the recipe's on.
        #[arg(long, default_value_t = 1)]
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

/// What a training takes.
#[derive(clap::Args)]
struct Training {
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
    /// Seconds after which a stage saves itself within an epoch.
    #[arg(long, default_value_t = 300)]
    save_every: u64,
    #[command(flatten)]
    machine: Machine,
}

impl Training {
    fn start(self) -> Result<(Config, Places, tch::Device)> {
        let Self { config, data, backbone_weights, from, out, save_every, machine } = self;
        let config = Config::read(&config)?;
        let device = machine.start()?;
        let start = from.map(Start::Run).or(backbone_weights.map(Start::Backbone));
        let start = start.context("--backbone-weights or --from is needed")?;
        let save_every = Duration::from_secs(save_every);
        Ok((config, Places { data, start, out, cache: machine.cache, save_every }, device))
    }
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
        start(self.device, self.threads)
    }
}

fn start(choice: DeviceChoice, threads: u8) -> Result<tch::Device> {
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

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command.action {
        Action::Train { training } => {
            let (config, places, device) = training.start()?;
            run::train(&config, &places, device, &Progress)?;
        }
        Action::Ablate { table, seeds, training } => {
            let (config, places, device) = training.start()?;
            print(&ablate::ablate(table, &config, &places, seeds, device, &Progress)?);
        }
        Action::Evaluate { run, data, split, beam, length_exponent, hypotheses, json, machine } => {
            let trained = Trained::read(&run, machine.start()?)?;
            let own = trained.search();
            let beam = beam.map_or(own.beam, usize::from);
            let search = Search { beam, length_exponent: length_exponent.unwrap_or(own.length_exponent) };
            ensure!(hypotheses.is_none() || data.len() == 1, "--hypotheses takes the captions of a single dataset");
            for found in trained.evaluate(&data, split, search, &machine.cache, &Progress)? {
                if let Some(path) = &hypotheses {
                    files::write(path, serde_json::to_string_pretty(&found.hypotheses)?.as_bytes())?;
                }
                if json {
                    print(&serde_json::to_string(&found)?);
                } else {
                    print(&format!("{} ({} images)\n{}", found.dataset, found.images, lines(&found.scores)));
                }
            }
        }
        Action::Tune { run, data, beams, length_exponents, machine } => {
            let mut trained = Trained::read(&run, machine.start()?)?;
            let beams = beams.into_iter().map(usize::from);
            let tried = beams
                .flat_map(|beam| length_exponents.iter().map(move |&length_exponent| Search { beam, length_exponent }));
            let mut best: Option<(f64, Search)> = None;
            for search in tried {
                let found = trained.evaluate(&data, Split::Dev, search, &machine.cache, &Progress)?;
                let cider = found.iter().map(|found| found.scores["cider"]).sum::<f64>() / found.len() as f64;
                print(&format!(
                    "beam {} length exponent {}: dev CIDEr {cider:.4}",
                    search.beam, search.length_exponent
                ));
                if best.is_none_or(|(other, _)| cider > other) {
                    best = Some((cider, search));
                }
            }
            let (_, search) = best.context("nothing to try")?;
            trained.choose(&run, search)?;
            print(&format!("chosen: beam {} length exponent {}", search.beam, search.length_exponent));
        }
        Action::Score {
            hypotheses,
            references,
            split,
            jars,
            backbone_weights,
            backbone,
            image_size,
            json,
            machine,
        } => {
            let listing = Listing::read(&references)?;
            let items = score::items(&listing, split, &score::read_hypotheses(&hypotheses)?)?;
            let jars = Jars::find(jars.as_deref());
            let mut config = Config::default();
            (config.network.backbone, config.network.image_size) = (backbone, image_size);
            let model = config.model(4);
            model.validate()?;
            let device = machine.start()?;
            let weights = backbone_weights.map(|path| read_weights(&model, &path)).transpose()?;
            let net = weights.map(|weights| BackboneNet::new(&model, weights, device)).transpose()?;
            let folder = &machine.cache;
            let source = net.as_ref().map(|backbone| Source { model: &model, backbone, device, folder, seed: 0 });
            let retrieval = source.as_ref().map(|source| Retrieval { source, progress: &Progress });
            let report = score::report(&listing, split, &items, &jars, retrieval)?;
            print(&if json { serde_json::to_string(&report)? } else { text(&report) });
        }
        Action::Heatmap { run, image, word, cell, hypotheses, out } => {
            files::check_writable(&out)?;
            let runs = run.iter().map(|run| Trained::read(run, tch::Device::Cpu)).collect::<Result<Vec<_>>>()?;
            let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let caption = match hypotheses {
                Some(path) => {
                    let mut all = score::read_hypotheses(&path)?;
                    Some(all.remove(&name).with_context(|| format!("{} has no caption of {name}", path.display()))?)
                }
                None => None,
            };
            let request = heatmap::Request { image: &image, word: &word, cell, caption };
            let drawn = heatmap::draw(&runs.iter().collect::<Vec<_>>(), &request)?;
            let mut png = Vec::new();
            drawn.picture.write_with_encoder(image::codecs::png::PngEncoder::new(&mut png))?;
            files::write(&out, &png)?;
            print(&format!("{}: {}", out.display(), drawn.caption));
            print("columns: image, with DGP, without decay, without DGP; rows: the word, the cell");
        }
        Action::Gallery { run, hypotheses, data, split, out, machine } => {
            files::check_writable(&out)?;
            let captions = match (run, hypotheses) {
                (Some(run), _) => {
                    let trained = Trained::read(&run, machine.start()?)?;
                    let found = trained.evaluate(
                        std::slice::from_ref(&data),
                        split,
                        trained.search(),
                        &machine.cache,
                        &Progress,
                    )?;
                    found.into_iter().flat_map(|found| found.hypotheses).collect()
                }
                (None, Some(path)) => score::read_hypotheses(&path)?,
                (None, None) => Default::default(),
            };
            let listing = Listing::read(&data)?;
            let entries: Vec<_> = listing
                .entries
                .iter()
                .filter(|entry| entry.split == split && entry.path.is_file())
                .filter_map(|entry| Some((entry, captions.get(&entry.filename)?.as_str())))
                .collect();
            ensure!(!entries.is_empty(), "no image of {} {} has a caption", listing.name, split.name());
            let page = gallery::page(&format!("{} {}", listing.name, split.name()), &entries)?;
            files::write(&out, page.as_bytes())?;
            print(&format!("{}: {} images", out.display(), entries.len()));
        }
        Action::CheckData { data, json } => {
            let mut clean = true;
            for folder in &data {
                let bar =
                    Progress.stage(format!("checking {}", folder.display()), Listing::read(folder)?.entries.len());
                let found = check::check(folder, |images| bar.advance(images))?;
                drop(bar);
                clean &= found.is_clean();
                print(&if json { serde_json::to_string(&found)? } else { found.text() });
            }
            return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::Bench { config, steps, rounds, peer, script, json, device, threads } => {
            let device = start(device, threads)?;
            let peer = peer.as_deref().map(|python| (python, script.as_path()));
            let times = (usize::from(steps), usize::from(rounds));
            let report = bench::run(&Config::read(&config)?, times, peer, device)?;
            print(&if json { serde_json::to_string(&report)? } else { serde_json::to_string_pretty(&report)? });
        }
        Action::Golden { run, image, caption, out } => {
            Trained::read(&run, tch::Device::Cpu)?.golden(&[(image, caption)])?.write(&out)?;
        }
        Action::Scenes { out, count, seed } => scenes::write(&out, count, seed)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the result of the command")]
fn print(text: &str) {
    println!("{text}");
}

fn lines(scores: &Named) -> String {
    scores.iter().map(|(name, score)| format!("  {name:8} {score:.4}")).collect::<Vec<_>>().join("\n")
}

/// A score report for people.
fn text(report: &score::Report) -> String {
    let mut parts = vec![format!("{} images\n{}", report.images, lines(&report.scores))];
    parts.extend(report.absent.iter().map(|(name, reason)| format!("  {name:8} absent: {reason}")));
    match &report.deduplicated {
        Some(distinct) => {
            parts.push(format!("de-duplicated, {} images\n{}", distinct.images, lines(&distinct.scores)));
        }
        None => parts.push("de-duplicated: no image keeps three references".into()),
    }
    for (name, baseline) in [("class lookup", &report.class_lookup), ("train retrieval", &report.train_retrieval)] {
        parts.push(match baseline {
            Baseline::Scores(scores) => format!("{name}\n{}", lines(scores)),
            Baseline::Absent(reason) => format!("{name}: absent: {reason}"),
        });
    }
    parts.join("\n")
}
