//! `run/state`: all that a run needs to go on exactly where it was: weights, moments, averages, step, and the place in the
//! epoch. Random streams are keyed by seed, stage, epoch and batch, and need no state of their own.

use super::optimizer::Optimizer;
use crate::error::{Error, Result};
use crate::net::Store;
use cssa::files::{self, FileError};
use cssa::tensors::{self, Array, Tensors};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The folder's name in a run.
pub const STATE: &str = "state";

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct State {
    folder: PathBuf,
    every: Duration,
}

/// Where a stage stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Whole epochs done.
    pub epoch: usize,
    /// Batches done in the epoch that is under way.
    pub batches: usize,
    /// Sum of their losses.
    pub loss: f64,
    /// Steps of the optimizer.
    pub step: usize,
    /// The stage has ended.
    pub ended: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    tensors: String,
    position: Position,
}

impl State {
    /// State in `folder`, saved after every epoch and where an epoch takes longer at least once in `every`.
    pub fn new(folder: PathBuf, every: Duration) -> Self {
        Self { folder, every }
    }

    /// Whether a stage has saved anything.
    pub fn has(&self, stage: &str) -> bool {
        self.place(stage).is_file()
    }

    /// Epochs of a stage that are done.
    pub fn epochs(&self, stage: &str) -> Result<usize> {
        Ok(self.read(stage)?.map_or(0, |saved| saved.position.epoch))
    }

    /// Takes the folder for this process: the lock ends with the file that is given.
    pub fn lock(&self) -> Result<File> {
        let folder = &self.folder;
        std::fs::create_dir_all(folder).map_err(Error::system(folder, "cannot be created"))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(Error::system(&path, "cannot be created"))?;
        file.try_lock().map_err(Error::lock(path))?;
        Ok(file)
    }

    /// Keeps others from training for as long as the file is there; others may read beside. `None` where nobody can train: where nothing was
    /// trained, or nothing can be written and was locked before.
    pub fn lock_to_read(&self) -> Result<Option<File>> {
        if !self.folder.is_dir() {
            return Ok(None);
        }
        let path = self.folder.join("lock");
        let made = match File::create(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
                File::open(&path)
            }
            made => made,
        };
        let file = match made {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            made => made.map_err(Error::system(&path, "cannot be opened"))?,
        };
        file.try_lock_shared().map_err(Error::lock(path))?;
        Ok(Some(file))
    }

    /// Whether it is time to save again.
    pub fn is_due(&self, last: Instant) -> bool {
        last.elapsed() >= self.every
    }

    /// Saves a stage. The tensors go into a new file, then the small file that names them is replaced, then the old tensors
    /// are removed: at any moment one complete state is there, also when the disk is full.
    pub fn save(&self, stage: &str, position: &Position, optimizer: &Optimizer) -> Result<()> {
        optimizer.check()?;
        let folder = &self.folder;
        std::fs::create_dir_all(folder).map_err(Error::system(folder, "cannot be created"))?;
        let file = format!("{stage}-{}-{}.safetensors", position.epoch, position.batches);
        let arrays = optimizer.arrays()?;
        tensors::write(&folder.join(&file), arrays.iter().map(|(name, array)| (name.as_str(), array)))?;
        let old = self.read(stage)?;
        let saved = Saved { tensors: file.clone(), position: position.clone() };
        files::write(&self.place(stage), toml::to_string(&saved)?.as_bytes())?;
        if let Some(old) = old.filter(|old| old.tensors != file) {
            std::fs::remove_file(folder.join(old.tensors)).ok();
        }
        Ok(())
    }

    /// Restores what [`State::save`] wrote and says where the stage stands, at its beginning where nothing is saved.
    pub fn resume(&self, stage: &str, optimizer: &mut Optimizer) -> Result<Position> {
        let Some(Saved { tensors, position }) = self.read(stage)? else { return Ok(Position::default()) };
        let tensors = Tensors::read(&self.folder.join(tensors))?;
        optimizer.restore(&tensors, position.step)?;
        Ok(position)
    }

    /// The weights that a stage of `epochs` left, by name: averaged over its steps where it averages. What served training alone is not
    /// among them.
    ///
    /// # Errors
    /// The stage has not ended; files that cannot be read.
    pub fn left_by(&self, stage: &str, epochs: usize) -> Result<Vec<(String, Array)>> {
        let path = self.place(stage);
        let none = || FileError::content(&path, "is not there, expected what the run's last stage saved");
        let Saved { tensors, position } = self.read(stage)?.ok_or_else(none)?;
        if !position.ended && position.epoch < epochs {
            let problem = format!("has done {} of {epochs} epochs, expected a stage that has ended", position.epoch);
            return Err(FileError::content(&path, problem).into());
        }
        let tensors = Tensors::read(&self.folder.join(tensors))?;
        let of_kind = |kind: &str| -> Result<Vec<(String, Array)>> {
            let names = tensors.names().filter_map(|name| Some((name, name.strip_prefix(kind)?)));
            let names = names.filter(|(_, tensor)| !tensor.starts_with(Store::AUXILIARY));
            names.map(|(name, tensor)| Ok((tensor.to_owned(), tensors.get(name)?.clone()))).collect()
        };
        let averaged = of_kind("average.")?;
        if averaged.is_empty() { of_kind("weights.") } else { Ok(averaged) }
    }

    fn place(&self, stage: &str) -> PathBuf {
        self.folder.join(format!("{stage}.toml"))
    }

    fn read(&self, stage: &str) -> Result<Option<Saved>> {
        let path = self.place(stage);
        if !path.exists() {
            return Ok(None);
        }
        let saved: Saved = files::read_toml(&path)?;
        if saved.tensors.contains('/') {
            let problem = format!("tensors is {:?}, expected a file beside it", saved.tensors);
            return Err(FileError::content(&path, problem).into());
        }
        Ok(Some(saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heads that only training has are no weights of the run.
    #[test]
    fn what_served_training_alone_is_left_out() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::system("a folder", "cannot be made"))?;
        let state = State::new(folder.path().into(), Duration::MAX);
        let array = Array { shape: vec![2], data: vec![1.0, 2.0] };
        let arrays = ["weights.decoder.bias", "weights.auxiliary.scene.bias", "moments.decoder.bias"];
        tensors::write(&folder.path().join("rsic.safetensors"), arrays.iter().map(|name| (*name, &array)))?;
        let position = Position { epoch: 2, ..Position::default() };
        let saved = Saved { tensors: "rsic.safetensors".into(), position };
        files::write(&state.place("rsic"), toml::to_string(&saved)?.as_bytes())?;
        let left: Vec<String> = state.left_by("rsic", 2)?.into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["decoder.bias"]);
        assert!(state.left_by("rsic", 3).is_err_and(|error| error.to_string().contains("has done 2 of 3 epochs")));
        Ok(())
    }
}
