//! `trainer average`: a run with the mean of several runs' weights (Wortsman et al. 2022, "model soups"). Runs that went on from one
//! start in different ways lie close enough that the mean captions about as well as all of them together would, in the time of one.
//!
//! The first run gives words, search and what is counted; another one may lack the last of its words, as the run does that it was
//! extended from: of those words it takes no part in the mean.

use crate::config::Config;
use crate::data::datasets::read_datasets;
use crate::error::{Error, Result, ensure};
use crate::progress::Progress;
use crate::run::{CONFIG, golden_images};
use crate::stages::state::{STATE, State};
use crate::trained::Trained;
use cssa::checkpoint::{Checkpoint, GOLDEN};
use cssa::dataset::{DevRule, Split};
use cssa::files::NewFolder;
use cssa::model::Model;
use cssa::tensors::Array;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tch::Device;

/// What is averaged.
#[derive(Clone, Debug)]
pub struct Request {
    /// Finished runs, the one with the most words first.
    pub runs: Vec<PathBuf>,
    /// Whether a run counts with the weights that its last stage left, where its `state` has them, instead of those chosen on dev: what
    /// it adds to the mean counts, not how it does alone.
    pub last: bool,
    /// Dataset folders whose dev they are scored on.
    pub data: Vec<PathBuf>,
    /// The new run.
    pub out: PathBuf,
    /// Where features are cached.
    pub cache: PathBuf,
}

/// CIDEr-D on dev, mean over the datasets.
#[derive(Clone, Debug, PartialEq)]
pub struct Averaged {
    /// Of each run.
    pub runs: Vec<f64>,
    /// Of the mean of their weights.
    pub mean: f64,
}

/// Writes the run of the mean weights and scores all of them on dev.
///
/// # Errors
/// Fewer than two runs, runs that differ in more than weights and the last words, data without dev images, files that cannot be
/// read or written.
pub fn average(request: &Request, device: Device, progress: &Progress) -> Result<Averaged> {
    let Request { runs, last, data, out, cache } = request;
    let read = |run: &Path| if *last { last_weights(run) } else { Ok(Checkpoint::read(run)?) };
    // None of them is trained meanwhile: what is read is one state of it.
    let mut folders = BTreeSet::new();
    for run in runs {
        let is_new = folders.insert(run.canonicalize().unwrap_or_else(|_| run.clone()));
        ensure!(is_new, Error::other_run(run, "is named twice, expected each run once"));
    }
    let locks = folders.iter().map(|run| State::new(run.join(STATE), Duration::MAX).lock_to_read());
    let _locks = locks.collect::<Result<Vec<_>>>()?;
    let (Some((first, others)), true) = (runs.split_first(), runs.len() > 1) else {
        return Err(Error::Broken("fewer than two runs to average"));
    };
    let mut mean = read(first)?;
    let mut sums: Vec<Sum> = mean.tensors.iter().map(|(_, array)| Sum::of(array)).collect();
    for run in others {
        let other = read(run)?;
        check(&mean, &other, (first, run))?;
        for (sum, (_, array)) in sums.iter_mut().zip(&other.tensors) {
            sum.add(array);
        }
        for name in other.description.provenance.datasets {
            if !mean.description.provenance.datasets.contains(&name) {
                mean.description.provenance.datasets.push(name);
            }
        }
    }
    for ((_, array), sum) in mean.tensors.iter_mut().zip(sums) {
        array.data = sum.mean();
    }
    mean.description.provenance.revision = env!("CSSA_REVISION").into();
    let dev = mean.description.dev;
    let problem = || format!("was trained with dev {dev}, expected a rule that holds images out to score on");
    ensure!(dev != DevRule::None, Error::other_run(first, problem()));

    let datasets = read_datasets(data, dev)?;
    for dataset in &datasets {
        let count = dataset.split(Split::Dev).count();
        let problem = || format!("has {count} dev images by the runs' rule, expected one or more to score on");
        ensure!(count > 0, Error::other_run(&dataset.name, problem()));
        if count == 1 {
            // It weighs words by how rare they are among the images.
            progress.say(&format!("warning: {} has one dev image: its CIDEr is 0, whatever is said", dataset.name));
        }
    }
    let golden = golden_images(&datasets);
    let folder = NewFolder::create(out)?;
    mean.write(folder.path())?;
    Trained::read(folder.path(), Device::Cpu)?.golden(&golden)?.write(&folder.path().join(GOLDEN))?;
    let score = |run: &Path| -> Result<f64> {
        let trained = Trained::read(run, device)?;
        let scored = trained.evaluate(data, Split::Dev, trained.search(), cache, progress)?;
        let cider = scored.iter().filter_map(|dataset| dataset.scores.get("cider")).sum::<f64>();
        Ok(cider / scored.len().max(1) as f64)
    };
    let each = runs.iter().map(|run| score(run)).collect::<Result<_>>()?;
    let scored = Averaged { runs: each, mean: score(folder.path())? };
    folder.finish()?;
    Ok(scored)
}

/// A run with the weights that its last stage left.
fn last_weights(run: &Path) -> Result<Checkpoint> {
    let mut checkpoint = Checkpoint::read(run)?;
    let folder = run.join(STATE);
    if !folder.is_dir() {
        return Ok(checkpoint);
    }
    let config = Config::read(&run.join(CONFIG))?;
    let (stage, epochs) =
        if config.scst.epochs > 0 { ("scst", config.scst.epochs) } else { ("rsic", config.rsic.epochs) };
    if epochs == 0 {
        return Ok(checkpoint);
    }
    for (name, array) in State::new(folder.clone(), Duration::MAX).left_by(stage, epochs)? {
        let place = checkpoint.tensors.iter_mut().find(|(known, _)| *known == name);
        let Some((_, place)) = place.filter(|(_, known)| known.shape == array.shape) else {
            let problem = format!("has {name} of shape {:?}, which the run has not", array.shape);
            return Err(Error::other_run(&folder, problem));
        };
        *place = array;
    }
    Ok(checkpoint)
}

/// Fails where two runs differ in more than their weights and the last words of the first.
fn check(mean: &Checkpoint, other: &Checkpoint, (first, run): (&Path, &Path)) -> Result<()> {
    let known = mean.vocabulary.text();
    let (mut known, words) = (known.lines(), other.vocabulary.text());
    if let Some(word) = words.trim_end().lines().find(|word| known.next() != Some(*word)) {
        let first = first.display();
        let problem = format!(
            "has {word} where {first} has another word, expected the same ones; the run with most words goes first"
        );
        return Err(Error::other_run(run, problem));
    }
    let model = Model { vocabulary: mean.description.model.vocabulary, ..other.description.model.clone() };
    let problem = || format!("has another network than {}, expected the same", first.display());
    ensure!(model == mean.description.model, Error::other_run(run, problem()));
    let (own, others) = (mean.description.dev, other.description.dev);
    let problem = || format!("had dev {others}, and {} {own}: one was trained on the other's", first.display());
    ensure!(own == others, Error::other_run(run, problem()));
    Ok(())
}

/// The sum of arrays, of which some have fewer rows.
struct Sum {
    values: Vec<f64>,
    counts: Vec<u32>,
}

impl Sum {
    fn of(array: &Array) -> Self {
        Self { values: array.data.iter().map(|&value| f64::from(value)).collect(), counts: vec![1; array.data.len()] }
    }

    fn add(&mut self, array: &Array) {
        for ((sum, count), &value) in self.values.iter_mut().zip(&mut self.counts).zip(&array.data) {
            *sum += f64::from(value);
            *count += 1;
        }
    }

    fn mean(self) -> Vec<f32> {
        self.values.iter().zip(&self.counts).map(|(sum, &count)| (sum / f64::from(count)) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_one_lacks_are_the_others_mean() {
        let array = |data: &[f32]| Array { shape: vec![data.len() / 2, 2], data: data.to_vec() };
        let mut sum = Sum::of(&array(&[1.0, 2.0, 3.0, 4.0]));
        sum.add(&array(&[3.0, 6.0]));
        assert_eq!(sum.mean(), [2.0, 4.0, 3.0, 4.0]);
    }
}
