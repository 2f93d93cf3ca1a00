//! Event files as TensorBoard reads them: a sequence of TFRecords, each its length (u64, little-endian), the length's masked CRC-32C,
//! the bytes of an `Event` (`tensorflow/core/util/event.proto`), their masked CRC-32C.

use crate::error::{Error, Result};
use cssa::files::{self, FileError};
use prost::Message;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const CRC_32C: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);
/// The name of an event file before its time.
pub(crate) const PREFIX: &str = "events.out.tfevents.";
/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1 << 28;
/// Bytes of a length with its checksum, and of a checksum.
const HEAD: usize = 12;
const TAIL: usize = 4;

#[derive(Message)]
pub(crate) struct Event {
    #[prost(double, tag = "1")]
    pub(crate) wall_time: f64,
    #[prost(int64, tag = "2")]
    pub(crate) step: i64,
    #[prost(string, optional, tag = "3")]
    pub(crate) file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(crate) summary: Option<Summary>,
}

#[derive(Message)]
pub(crate) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(crate) value: Vec<Value>,
}

#[derive(Message)]
pub(crate) struct Value {
    #[prost(string, tag = "1")]
    pub(crate) tag: String,
    #[prost(float, tag = "2")]
    pub(crate) simple_value: f32,
}

/// What a run's event files say: by name, `rsic/loss` for example, a value by step.
pub type Curves = BTreeMap<String, BTreeMap<i64, f64>>;

pub(crate) fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [length.as_slice(), &masked(&length), data, &masked(data)].concat()
}

fn masked(bytes: &[u8]) -> [u8; TAIL] {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// Reads all event files in a folder, the oldest first: a step that a resumed run did again counts as it was done last. Without a
/// folder there are no curves.
///
/// # Errors
/// A file that cannot be read, or has a record that is not whole before its end; one that was cut off when the program ended is
/// read as far as it goes.
pub fn read(folder: &Path) -> Result<Curves> {
    let mut curves = Curves::new();
    if !folder.is_dir() {
        return Ok(curves);
    }
    let entries = std::fs::read_dir(folder).map_err(Error::system(folder, "cannot be read"))?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::system(folder, "cannot be read"))?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let bytes = files::read(&path, MAX_FILE)?;
        for event in events(&bytes, &path)? {
            for Value { tag, simple_value } in event.summary.into_iter().flat_map(|summary| summary.value) {
                curves.entry(tag).or_default().insert(event.step, f64::from(simple_value));
            }
        }
    }
    Ok(curves)
}

fn events(mut bytes: &[u8], path: &Path) -> Result<Vec<Event>> {
    let whole = bytes.len();
    let mut events = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(HEAD) {
        let damaged = |what: &str| {
            let place = whole - bytes.len();
            FileError::content(path, format!("the record at byte {place} {what}, expected an event of TensorBoard"))
        };
        let (length, check) = head.split_at(8);
        let length = length.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
        if masked(&head[..8]) != check {
            return Err(damaged("has a length with another checksum").into());
        }
        let Some((data, rest)) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)) else {
            break;
        };
        let Some((check, rest)) = rest.split_at_checked(TAIL) else { break };
        if masked(data) != check {
            return Err(damaged("has another checksum").into());
        }
        events.push(Event::decode(data).map_err(|error| damaged(&format!("is none ({error})")))?);
        bytes = rest;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(tag: &str, step: i64, value: f32) -> Vec<u8> {
        let value = vec![Value { tag: tag.into(), simple_value: value }];
        let event = Event { wall_time: 1.0, step, file_version: None, summary: Some(Summary { value }) };
        record(&event.encode_to_vec())
    }

    #[test]
    fn a_record_has_the_bytes_that_tensorflow_writes() {
        // The bytes of tensorboard's own RecordWriter for b"abc".
        let found: String = record(b"abc").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, "0300000000000000b099490e6162636e57f121");
    }

    /// What a resumed run did again counts once, a file that ends in the middle of a record counts as far as it goes, and one that is
    /// damaged is named.
    #[test]
    fn curves_are_read_from_all_files_and_damage_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let write = |time: &str, bytes: &[u8]| std::fs::write(folder.path().join(format!("{PREFIX}{time}")), bytes);
        let cut = &scalar("rsic/loss", 3, 7.0)[..20];
        write("100.1", &[scalar("rsic/loss", 1, 4.0), scalar("rsic/loss", 2, 3.0), cut.to_vec()].concat())?;
        write("200.1", &[scalar("rsic/loss", 2, 2.5), scalar("scst/loss", 1, -1.0)].concat())?;
        std::fs::write(folder.path().join("notes.txt"), "no events")?;
        let expected: Curves = [
            ("rsic/loss".to_owned(), BTreeMap::from([(1, 4.0), (2, 2.5)])),
            ("scst/loss".to_owned(), BTreeMap::from([(1, -1.0)])),
        ]
        .into();
        assert_eq!(read(folder.path())?, expected);
        assert_eq!(read(&folder.path().join("nowhere"))?, Curves::new());
        let mut spoiled = scalar("rsic/loss", 4, 1.0);
        spoiled[14] ^= 1;
        write("300.1", &[scalar("rsic/loss", 3, 2.0), spoiled].concat())?;
        let refused = read(folder.path()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains("300.1") && refused.contains("has another checksum"), "{refused}");
        Ok(())
    }
}
