//! `trainer average`: the mean of the weights of several runs of one model, where a later run started from an earlier one
//! (a model soup, Wortsman et al. 2022). It costs nothing on board and generalizes better than either.

use crate::trained::Trained;
use anyhow::{Context, Result, ensure};
use cssa::checkpoint::{Checkpoint, GOLDEN};
use cssa::files::NewFolder;
use std::path::{Path, PathBuf};
use tch::Device;

/// Writes the mean of `runs` as the run `out`, with golden vectors of an image and its caption.
pub fn average(runs: &[PathBuf], image: &Path, caption: &str, out: &Path) -> Result<()> {
    let folder = NewFolder::create(out)?;
    let (first, others) = runs.split_first().context("--run names no run")?;
    let mut mean = Checkpoint::read(first)?;
    for run in others {
        let other = Checkpoint::read(run)?;
        let fits = other.description.model == mean.description.model && other.vocabulary == mean.vocabulary;
        ensure!(fits, "{}: model or vocabulary differs from {}", run.display(), first.display());
        for ((_, sum), (_, array)) in mean.tensors.iter_mut().zip(&other.tensors) {
            for (sum, value) in sum.data.iter_mut().zip(&array.data) {
                *sum += value;
            }
        }
    }
    let count = runs.len() as f32;
    for value in mean.tensors.iter_mut().flat_map(|(_, array)| &mut array.data) {
        *value /= count;
    }
    mean.write(folder.path())?;
    Trained::read(folder.path(), Device::Cpu)?.golden(image, caption)?.write(&folder.path().join(GOLDEN))?;
    Ok(folder.finish()?)
}
