//! What each command does.

use crate::options::{Action, Command, start};
use anyhow::{Context, Result, ensure};
use cssa::dataset::{DevRule, Listing};
use cssa::files;
use cssa_terminal::print;
use std::process::ExitCode;
use trainer::ablate::{self, Request};
use trainer::config::Config;
use trainer::data::features::Source;
use trainer::net::{BackboneNet, read_weights};
use trainer::progress::Progress;
use trainer::run;
use trainer::score::{self, Jars, Retrieval};
use trainer::show::{gallery, heatmap};
use trainer::trained::Trained;
use trainer::{bench, caption, check, tune};

/// Does what was asked.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command.action {
        Action::Train { training } => {
            let (config, places, device) = training.start()?;
            run::train(&config, &places, device, &Progress)?;
        }
        Action::Ablate { table, cells, seeds, training } => {
            let (config, places, device) = training.start()?;
            print(&ablate::ablate(&Request { table, cells, seeds }, &config, &places, device, &Progress)?)?;
        }
        Action::Evaluate { run, data, split, searching, hypotheses, json, machine } => {
            let trained = Trained::read(&run, machine.start()?)?;
            let search = searching.over(trained.search())?;
            ensure!(hypotheses.is_none() || data.len() == 1, "--hypotheses takes the captions of a single dataset");
            hypotheses.as_deref().map(files::check_writable).transpose()?;
            for found in trained.evaluate(&data, split, search, &machine.cache, &Progress)? {
                if let Some(path) = &hypotheses {
                    files::write(path, serde_json::to_string_pretty(&found.hypotheses)?.as_bytes())?;
                }
                if json {
                    print(&serde_json::to_string(&found)?)?;
                } else {
                    print(&format!("{} ({} images)\n{}", found.dataset, found.images, score::lines(&found.scores)))?;
                }
            }
        }
        Action::Caption { run, images, searching, n_best, device, threads } => {
            let trained = Trained::read(&run, start(device, threads)?)?;
            let search = searching.over(trained.search())?;
            caption::each(&trained, &images, search, n_best.map(usize::from), &mut print)?;
        }
        Action::Tune { run, data, beams, length_exponents, consensus, machine } => {
            let tried = tune::searches(&beams, &length_exponents, &consensus);
            tried.iter().try_for_each(cssa::model::Search::validate)?;
            let mut trained = Trained::read(&run, machine.start()?)?;
            ensure!(
                trained.has_document_frequencies() || tried.iter().all(|search| search.consensus.is_none()),
                "{} has no document frequencies for consensus: trainer language-model makes them",
                run.display()
            );
            let chosen = tune::best(&trained, &tried, &data, &machine.cache, &mut print)?;
            trained.choose(&run, chosen)?;
            print(&format!("chosen: {chosen}"))?;
        }
        Action::LanguageModel { run, data } => {
            for (path, bytes) in run::count_captions(&run, &data)? {
                print(&format!("{}: {bytes} bytes", path.display()))?;
            }
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
            by_class,
            json,
            machine,
        } => {
            let listing = Listing::read(&references, dev)?;
            let items = score::items(&listing, split, &score::read_hypotheses(&hypotheses)?)?;
            let jars = Jars::find(jars.as_deref(), &machine.cache);
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
            let request = score::Request { jars: &jars, retrieval, by_class };
            let report = score::report(&listing, split, &items, &request)?;
            print(&if json { serde_json::to_string(&report)? } else { report.text() })?;
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
            print(&format!("{}: {}", out.display(), drawn.caption))?;
            print("columns: image, with DGP, without decay, without DGP; rows: the word, the cell")?;
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
            print(&format!("{}: {} images", out.display(), entries.len()))?;
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
                print(&if json { serde_json::to_string(&found)? } else { found.text() })?;
            }
            return Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::Bench { config, steps, rounds, peer, script, json, device, threads } => {
            let device = start(device, threads)?;
            let peer = peer.as_deref().map(|python| bench::PeerProgram { python, script: &script });
            let effort = bench::Effort { steps: usize::from(steps), rounds: usize::from(rounds) };
            let report = bench::run(&Config::read(&config)?, effort, peer, device)?;
            print(&if json { serde_json::to_string(&report)? } else { serde_json::to_string_pretty(&report)? })?;
        }
        Action::Golden { run, image, caption, out, device } => {
            Trained::read(&run, start(device, 0)?)?.golden(&[(image, caption)])?.write(&out)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
