//! What each command does.

use crate::options::{Action, Command, start};
use anyhow::{Context, Result, ensure};
use cssa::checkpoint::Checkpoint;
use cssa::dataset::{DevRule, Listing, Split};
use cssa::files;
use cssa::model::Search;
use std::process::ExitCode;
use trainer::ablate::{self, Request};
use trainer::config::Config;
use trainer::data::features::Source;
use trainer::net::{BackboneNet, read_weights};
use trainer::progress::Progress;
use trainer::run;
use trainer::score::{self, Baseline, Jars, Named, Retrieval};
use trainer::show::{gallery, heatmap};
use trainer::trained::Trained;
use trainer::{bench, check, scenes};

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command.action {
        Action::Train { training } => {
            let (config, places, device) = training.start()?;
            run::train(&config, &places, device, &Progress)?;
        }
        Action::Ablate { table, cells, seeds, training } => {
            let (config, places, device) = training.start()?;
            print(&ablate::ablate(&Request { table, cells, seeds }, &config, &places, device, &Progress)?);
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
        Action::LanguageModel { run, data } => {
            let bytes = run::language_model_of(&data, Checkpoint::read(&run)?.description.dev)?.to_bytes();
            let path = run.join(cssa::checkpoint::LANGUAGE_MODEL);
            files::write(&path, &bytes)?;
            print(&format!("{}: {} bytes", path.display(), bytes.len()));
        }
        Action::Score {
            hypotheses,
            references,
            split,
            dev,
            jars,
            backbone_weights,
            backbone,
            image_size,
            json,
            machine,
        } => {
            let listing = Listing::read(&references, dev)?;
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
        Action::Gallery { run, hypotheses, data, split, dev, out, machine } => {
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
            let listing = Listing::read(&data, dev)?;
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
                let bar = Progress.stage(
                    format!("checking {}", folder.display()),
                    Listing::read(folder, DevRule::default())?.entries.len(),
                );
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
        Action::Golden { run, image, caption, out, device } => {
            Trained::read(&run, start(device, 0)?)?.golden(&[(image, caption)])?.write(&out)?;
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
