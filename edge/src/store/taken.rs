//! What stood in the last packets of each station that asked for something, by its digest: the same again, under whichever key, is that one,
//! whose answer was lost; another under its number is of a station that has lost its count.

use super::Store;
use super::answers::Number;
use super::database::Refusal;
use crate::error::Result;
use cssa_wire::{Checksum, Key, Up, UpPacket};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

/// Digests, by station and number.
pub(super) const TAKEN: TableDefinition<Number, u32> = TableDefinition::new("taken_packets");
/// Those of a station that are remembered.
const MAX_TAKEN: usize = 256;

/// How a packet is to one that was taken under its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// It is that one.
    Yes,
    /// It is another one.
    No,
    /// Nobody knows any more, or an acknowledgement had the number.
    Unknown,
}

/// What tells packets apart, whatever key they are under.
#[must_use]
pub fn digest_of((station, counter): Number, body: &Up) -> u32 {
    let packet = UpPacket { vehicle: 0, station, counter, body: body.clone() };
    // One that was taken has a form. Not with its own CRC-32 at the end: that of both is the same for all.
    crc32fast::hash(&packet.encode(&Key::new([0; 32]), Checksum::Crc16).unwrap_or_default())
}

impl Store {
    /// How a packet is to the one that was taken under its number.
    pub fn taken(&self, number: Number, digest: u32) -> Result<Same> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(TAKEN)?.get(number)?;
            Ok(kept.map_or(Same::Unknown, |kept| if kept.value() == digest { Same::Yes } else { Same::No }))
        })
    }

    /// Remembers a packet that was taken elsewhere.
    pub fn note_taken(&self, number: Number, digest: u32) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            note(&write, number, digest)?;
            Ok(write.commit()?)
        })
    }
}

/// Whether this packet was taken before, within the transaction that would take it.
pub(super) fn is_there(write: &WriteTransaction, number: Number, digest: u32) -> Result<bool, Refusal> {
    Ok(write.open_table(TAKEN)?.get(number)?.is_some_and(|kept| kept.value() == digest))
}

/// Remembers a packet, within the transaction that takes it.
pub(super) fn note(write: &WriteTransaction, number: Number, digest: u32) -> Result<(), Refusal> {
    let mut taken = write.open_table(TAKEN)?;
    taken.insert(number, digest)?;
    let of_station = (number.0, 0)..=(number.0, u32::MAX);
    let count = taken.range(of_station.clone())?.count();
    for _ in MAX_TAKEN..count {
        let first = taken.range(of_station.clone())?.next().transpose()?.map(|(number, _)| number.value());
        first.map(|first| taken.remove(first)).transpose()?;
    }
    Ok(())
}
