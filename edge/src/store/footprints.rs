//! Footprints of captions that wait, beside the queue, so that an earlier program still reads that one.

use super::Store;
use super::database::{Refusal, pack, unpack};
use super::entry::Caption;
use crate::error::Result;
use cssa_wire::Position;
use redb::{ReadableDatabase, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

/// By the caption's number.
pub(super) const FOOTPRINTS: TableDefinition<u32, &[u8]> = TableDefinition::new("footprints");

/// What is kept of a footprint: the centre is the caption's place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptFootprint {
    /// In metres.
    pub accuracy: f64,
    /// Upper left, upper right, lower right, lower left.
    pub corners: [Position; 4],
}

impl Store {
    /// Footprints of captions, where they have some.
    pub fn footprints(&self, numbers: impl Iterator<Item = u32>) -> Result<Vec<(u32, KeptFootprint)>> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(FOOTPRINTS)?;
            let mut found = Vec::new();
            for number in numbers {
                if let Some(footprint) = kept.get(number)? {
                    found.push((number, unpack(footprint.value())?));
                }
            }
            Ok(found)
        })
    }
}

/// Keeps a caption's footprint, where it has one.
pub(super) fn keep(write: &WriteTransaction, number: u32, caption: &Caption) -> Result<(), Refusal> {
    if let Some(footprint) = caption.footprint {
        let kept = KeptFootprint { accuracy: footprint.accuracy, corners: footprint.corners };
        write.open_table(FOOTPRINTS)?.insert(number, pack(&kept)?.as_slice())?;
    }
    Ok(())
}

/// A caption waits no more.
pub(super) fn forget(write: &WriteTransaction, number: u32) -> Result<(), Refusal> {
    write.open_table(FOOTPRINTS)?.remove(number)?;
    Ok(())
}
