//! What is kept of a cell's run: scores, and CIDEr-D of every image, so that runs are compared image by image.

use crate::config::Config;
use crate::error::{Error, Result, ensure};
use crate::progress::Progress;
use crate::ranks::Ranks;
use crate::run::{self, Places};
use crate::stages::state::STATE;
use crate::trained::Trained;
use cssa::dataset::{Dataset, DevRule, Split};
use cssa::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tch::Device;

/// Where a run's outcome is kept.
const FILE: &str = "outcome.json";

/// `outcome.json` of one run, by dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Outcome {
    pub(super) datasets: BTreeMap<String, Scored>,
    /// On dev, on which epochs were chosen; outcomes of earlier programs have none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) dev: BTreeMap<String, Scored>,
}

/// A split of a dataset.
pub(super) type Part = (String, String);

impl Outcome {
    /// What there is of a part.
    pub(super) fn part(&self, (dataset, split): &Part) -> Option<&Scored> {
        let found = [&self.datasets, &self.dev].into_iter().filter_map(|scored| scored.get(dataset));
        found.into_iter().find(|scored| scored.split == *split)
    }
}

/// One dataset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scored {
    /// test, and for RSICD val: the scale of the paper's table.
    pub(super) split: String,
    /// BLEU, ROUGE-L, CIDEr over the corpus.
    pub(super) scores: BTreeMap<String, f64>,
    /// CIDEr-D by file name.
    pub(super) cider: BTreeMap<String, f64>,
}

/// Whether a run has its outcome.
pub(super) fn is_finished(places: &Places) -> bool {
    places.out.join(FILE).is_file()
}

/// Trains the run of `config` in `places.out` and scores it, or reads what an earlier call found.
pub(super) fn outcome(config: &Config, places: &Places, device: Device, progress: &Progress) -> Result<Outcome> {
    let path = places.out.join(FILE);
    run_matches(config, &places.out)?;
    let mut splits = Vec::new();
    for folder in &places.data {
        let name = Dataset::read(folder, config.data.dev)?.name;
        splits.push((folder, if name == "rsicd" { Split::Val } else { Split::Test }, name));
    }
    if path.exists() {
        run::check(config, places, progress)?;
        let text = files::read_text(&path, 1 << 26)?;
        let mut known: Outcome =
            serde_json::from_str(&text).map_err(|error| FileError::content(&path, format!("delete it: {error}")))?;
        let same =
            splits.len() == known.datasets.len() && splits.iter().all(|(_, _, name)| known.datasets.contains_key(name));
        ensure!(same, Error::other_run(&path, "is of other datasets than --data: name another --out"));
        if known.dev.is_empty() && config.data.dev != DevRule::None {
            known.dev = on_dev(&Trained::read(&places.out, device)?, places, progress)?;
            files::write(&path, serde_json::to_string_pretty(&known)?.as_bytes())?;
        }
        return Ok(known);
    }
    run::train(config, places, device, &Ranks::alone(), progress)?;
    let trained = Trained::read(&places.out, device)?;
    let mut outcome = Outcome::default();
    for (folder, split, _) in splits {
        for found in trained.evaluate(std::slice::from_ref(folder), split, trained.search(), &places.cache, progress)? {
            let scored = Scored { split: split.name().into(), scores: found.scores, cider: found.cider_by_image };
            outcome.datasets.insert(found.dataset, scored);
        }
    }
    if config.data.dev != DevRule::None {
        outcome.dev = on_dev(&trained, places, progress)?;
    }
    files::write(&path, serde_json::to_string_pretty(&outcome)?.as_bytes())?;
    // The state of a finished cell is large and of no more use.
    std::fs::remove_dir_all(places.out.join(STATE)).ok();
    Ok(outcome)
}

/// A finished run's captions of dev.
fn on_dev(trained: &Trained, places: &Places, progress: &Progress) -> Result<BTreeMap<String, Scored>> {
    let found = trained.evaluate(&places.data, Split::Dev, trained.search(), &places.cache, progress)?;
    let scored = found.into_iter().map(|found| {
        let scored = Scored { split: Split::Dev.name().into(), scores: found.scores, cider: found.cider_by_image };
        (found.dataset, scored)
    });
    Ok(scored.collect())
}

/// A folder may only hold the run that is asked for; its teachers may lie elsewhere by now.
fn run_matches(config: &Config, out: &Path) -> Result<()> {
    let path = out.join("config.toml");
    if path.exists() {
        let known: Config = files::read_toml(&path)?;
        let same = known.without_teachers() == config.clone().without_teachers();
        ensure!(same, Error::other_run(path, "differs from --config: name another --out"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    #[test]
    fn the_run_of_another_recipe_is_refused_by_name() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let config = Config::default();
        run_matches(&config, folder.path())?;
        std::fs::write(folder.path().join("config.toml"), toml::to_string_pretty(&config)?)?;
        run_matches(&config, folder.path())?;
        let refused = run_matches(&Config { seed: 2, ..config }, folder.path()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("config.toml differs from --config")));
        Ok(())
    }
}
