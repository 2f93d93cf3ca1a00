//! `run/state`: weights, moments, averages and step after each epoch of a stage, so that a run that was stopped goes on.
//! Random streams are keyed by seed, stage, epoch and step, and need no state of their own.

use super::optimizer::Optimizer;
use crate::net::{Store, from_array, to_array};
use anyhow::{Context, Result, bail};
use cssa::files;
use cssa::tensors::{self, Array, Tensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tch::Tensor;

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    epoch: usize,
    step: usize,
    tensors: String,
}

impl State {
    /// State in `folder`.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Whether a stage has saved anything.
    pub fn has(&self, stage: &str) -> bool {
        self.position(stage).is_file()
    }

    /// Saves a stage after `epoch` epochs. The tensors go into a new file, then the small file that names them is
    /// replaced, then the old tensors are removed: at any moment one complete state is there.
    pub fn save(&self, stage: &str, epoch: usize, store: &Store, optimizer: &Optimizer) -> Result<()> {
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be created", self.folder.display()))?;
        let mut arrays: Vec<(String, Array)> = Vec::new();
        for (name, tensor) in store.tensors() {
            arrays.push((format!("weights.{name}"), to_array(tensor)?));
        }
        let kinds = [("first", &optimizer.first), ("second", &optimizer.second), ("average", &optimizer.average)];
        for (kind, tensors) in kinds {
            for (name, tensor) in tensors {
                arrays.push((format!("{kind}.{name}"), to_array(tensor)?));
            }
        }
        let file = format!("{stage}-{epoch}.safetensors");
        tensors::write(&self.folder.join(&file), arrays.iter().map(|(name, array)| (name.as_str(), array)))?;
        let old = self.read_position(stage)?;
        let position = Position { epoch, step: optimizer.step, tensors: file.clone() };
        files::write(&self.position(stage), toml::to_string(&position)?.as_bytes())?;
        if let Some(old) = old.filter(|old| old.tensors != file) {
            std::fs::remove_file(self.folder.join(old.tensors)).ok();
        }
        Ok(())
    }

    /// Restores what [`State::save`] wrote and gives the number of epochs done, 0 where there is nothing yet.
    pub fn resume(&self, stage: &str, store: &Store, optimizer: &mut Optimizer) -> Result<usize> {
        let Some(position) = self.read_position(stage)? else { return Ok(0) };
        let path = self.folder.join(&position.tensors);
        let tensors = Tensors::read(&path)?;
        for (name, _) in store.tensors() {
            store
                .set(name, &from_array(tensors.get(&format!("weights.{name}"))?, store.device()))
                .with_context(|| format!("{}: start a new run or restore the configuration", path.display()))?;
            let restore = |kind: &str, moments: &mut BTreeMap<String, Tensor>| {
                if let Ok(array) = tensors.get(&format!("{kind}.{name}")) {
                    moments.insert(name.to_owned(), from_array(array, store.device()));
                }
            };
            restore("first", &mut optimizer.first);
            restore("second", &mut optimizer.second);
            restore("average", &mut optimizer.average);
        }
        optimizer.step = position.step;
        Ok(position.epoch)
    }

    fn position(&self, stage: &str) -> PathBuf {
        self.folder.join(format!("{stage}.toml"))
    }

    fn read_position(&self, stage: &str) -> Result<Option<Position>> {
        let path = self.position(stage);
        if !path.exists() {
            return Ok(None);
        }
        let position: Position = files::read_toml(&path)?;
        if position.tensors.contains('/') {
            bail!("{}: tensors is {:?}, expected a file beside it", path.display(), position.tensors);
        }
        Ok(Some(position))
    }
}
