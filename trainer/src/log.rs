//! The numbers of a run: `metrics.json`, a line an epoch, and event files under `events/` for TensorBoard.

use crate::error::{Error, Result};
use crate::events::{Event, PREFIX, Summary, Value, record};
use cssa::files::{self, FileError};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The file of all epochs.
pub const METRICS: &str = "metrics.json";
/// The folder of event files.
pub const EVENTS: &str = "events";
/// Steps between two points of a curve.
const EVERY: usize = 10;
/// Steps of a stage in which a loss falls fast: each is a point.
const FIRST: usize = 100;

/// An epoch of a stage that captions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// `rsic` or `scst`.
    pub stage: String,
    /// From 1.
    pub epoch: usize,
    /// Mean over the batches.
    pub train_loss: f64,
    /// CIDEr-D on dev, mean over the datasets; none in a refit, which has no dev.
    pub dev_cider: Option<f64>,
    /// BLEU-4 on dev.
    pub dev_bleu_4: Option<f64>,
    /// Whether the run's checkpoint was taken here.
    pub chosen: bool,
}

/// Where a run's numbers go.
#[derive(Debug)]
pub struct Log {
    metrics: PathBuf,
    /// None where another rank writes.
    events: Option<RefCell<File>>,
}

impl Log {
    /// The log of the run in `folder`; every start of the program has an event file of its own.
    pub fn open(folder: &Path) -> Result<Self> {
        let events = folder.join(EVENTS);
        std::fs::create_dir_all(&events).map_err(Error::system(&events, "cannot be created"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = events.join(format!("{PREFIX}{}.{}", now.as_secs(), std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(Error::system(path, "cannot be written"))?;
        let log = Self { metrics: folder.join(METRICS), events: Some(RefCell::new(file)) };
        log.write(Event { file_version: Some("brain.Event:2".into()), ..Event::default() })?;
        Ok(log)
    }

    /// The log of a rank that is not the first, which writes nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self { metrics: PathBuf::new(), events: None }
    }

    /// A step of a stage: mean loss of the epoch so far, learning rate, images a second. The first steps are logged one by one.
    pub fn step(&self, stage: &str, step: usize, loss: f64, rate: f64, speed: f64) -> Result<()> {
        if step > FIRST && !step.is_multiple_of(EVERY) {
            return Ok(());
        }
        self.scalars(stage, step, &[("loss", loss), ("learning_rate", rate), ("images_per_second", speed)])
    }

    /// The epochs so far.
    pub fn epochs(&self) -> Result<Vec<Epoch>> {
        epochs(&self.metrics)
    }

    /// What a stage reached when it ended.
    pub fn reached(&self, stage: &str, step: usize, values: &[(&str, f64)]) -> Result<()> {
        self.scalars(stage, step, values)
    }

    /// All epochs, of which the last is new.
    pub fn finished(&self, epochs: &[Epoch]) -> Result<()> {
        if self.events.is_none() {
            return Ok(());
        }
        files::write(&self.metrics, serde_json::to_string_pretty(epochs)?.as_bytes())?;
        let Some(epoch) = epochs.last() else { return Ok(()) };
        let scores = [("dev_cider", epoch.dev_cider), ("dev_bleu_4", epoch.dev_bleu_4)];
        let scores = scores.into_iter().filter_map(|(name, score)| Some((name, score?)));
        let scores: Vec<(&str, f64)> = scores.chain([("epoch_loss", epoch.train_loss)]).collect();
        self.scalars(&epoch.stage, epoch.epoch, &scores)
    }

    fn scalars(&self, stage: &str, step: usize, values: &[(&str, f64)]) -> Result<()> {
        let value = |(name, value): &(&str, f64)| Value { tag: format!("{stage}/{name}"), simple_value: *value as f32 };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let summary = Some(Summary { value: values.iter().map(value).collect() });
        self.write(Event { wall_time: now, step: step as i64, file_version: None, summary })
    }

    fn write(&self, event: Event) -> Result<()> {
        let Some(events) = &self.events else { return Ok(()) };
        let bytes = record(&event.encode_to_vec());
        events.borrow_mut().write_all(&bytes).map_err(Error::Events)
    }
}

/// The epochs in a file `metrics.json`; none where it is not there.
pub fn epochs(path: &Path) -> Result<Vec<Epoch>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = files::read_text(path, 1 << 24)?;
    Ok(serde_json::from_str(&text).map_err(|error| FileError::content(path, error))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A resumed run compares with scores that it reads back: one that came back a bit lower would be beaten by itself.
    #[test]
    fn scores_are_read_back_to_the_last_bit() -> Result<()> {
        for score in [0.122_877_748_356_282_73_f64, 0.1, 1.0 / 3.0, 2.775_878_659_643_862] {
            let back: f64 = serde_json::from_str(&serde_json::to_string(&score)?)?;
            assert_eq!(back.to_bits(), score.to_bits(), "{score}");
        }
        Ok(())
    }
}
