//! The numbers of a run: `metrics.json`, a line an epoch, and event files under `events/` for TensorBoard.
//!
//! An event file is a sequence of TFRecords: length (u64, little-endian), its masked CRC-32C, the bytes of an `Event`
//! (`tensorflow/core/util/event.proto`), their masked CRC-32C.

use crate::error::{Error, Result};
use cssa::files::{self, FileError};
use prost::Message;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const CRC_32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
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

#[derive(Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

impl Log {
    /// The log of the run in `folder`; every start of the program has an event file of its own.
    pub fn open(folder: &Path) -> Result<Self> {
        let events = folder.join("events");
        std::fs::create_dir_all(&events).map_err(Error::system(&events, "cannot be created"))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let path = events.join(format!("events.out.tfevents.{}.{}", now.as_secs(), std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(Error::system(path, "cannot be written"))?;
        let log = Self { metrics: folder.join("metrics.json"), events: Some(RefCell::new(file)) };
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
        if !self.metrics.exists() {
            return Ok(Vec::new());
        }
        let text = files::read_text(&self.metrics, 1 << 24)?;
        Ok(serde_json::from_str(&text).map_err(|error| FileError::content(&self.metrics, error))?)
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

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let masked = |bytes: &[u8]| CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    [length.as_slice(), &masked(&length), data, &masked(data)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_bytes_that_tensorflow_writes() {
        // The bytes of tensorboard's own RecordWriter for b"abc".
        let found: String = record(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, "0300000000000000b099490e6162636e57f121");
    }

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
