//! What stood in the last packets of each station that asked for something, by its digest: the same again, under whichever key, is that one,
//! whose answer was lost; another under its number is of a station that has lost its count.

use super::Store;
use super::answers::Number;
use super::database::Refusal;
use crate::error::Result;
use cssa_wire::{Checksum, Key, Up, UpPacket};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

/// Digests of commands, by station and number; of requests for pictures, of which there are many.
pub(super) const COMMANDS: TableDefinition<Number, u32> = TableDefinition::new("taken_commands");
pub(super) const REQUESTS: TableDefinition<Number, u32> = TableDefinition::new("taken_requests");
/// Those of a station that are remembered of each.
const MAX_TAKEN: usize = 1024;

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
            let read = database.begin_read()?;
            let commands = read.open_table(COMMANDS)?.get(number)?.map(|kept| kept.value());
            let requests = read.open_table(REQUESTS)?.get(number)?.map(|kept| kept.value());
            Ok(same(commands.or(requests), digest))
        })
    }

    /// Remembers a packet that was taken elsewhere.
    pub fn note_taken(&self, number: Number, body: &Up, digest: u32) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            note(&write, number, body, digest)?;
            Ok(write.commit()?)
        })
    }
}

fn same(kept: Option<u32>, digest: u32) -> Same {
    kept.map_or(Same::Unknown, |kept| if kept == digest { Same::Yes } else { Same::No })
}

/// How a packet is to the one that was taken under its number, within the transaction that would take it.
pub(super) fn within(write: &WriteTransaction, number: Number, digest: u32) -> Result<Same, Refusal> {
    let commands = write.open_table(COMMANDS)?.get(number)?.map(|kept| kept.value());
    let requests = write.open_table(REQUESTS)?.get(number)?.map(|kept| kept.value());
    Ok(same(commands.or(requests), digest))
}

/// Remembers a packet, within the transaction that takes it. What is said to have arrived may be said again.
pub(super) fn note(write: &WriteTransaction, number: Number, body: &Up, digest: u32) -> Result<(), Refusal> {
    let table = match body {
        Up::Acknowledge(_) | Up::Missing(_) => return Ok(()),
        Up::Ask(_) => REQUESTS,
        Up::Command(_) => COMMANDS,
    };
    let mut taken = write.open_table(table)?;
    taken.insert(number, digest)?;
    let of_station = (number.0, 0)..=(number.0, u32::MAX);
    let count = taken.range(of_station.clone())?.count();
    for _ in MAX_TAKEN..count {
        let mut all = taken.range(of_station.clone())?.map(|entry| entry.map(|(kept, _)| kept.value()));
        let first = all.find(|kept| kept.as_ref().map_or(true, |kept| *kept != number)).transpose()?;
        drop(all);
        first.map(|first| taken.remove(first)).transpose()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa_wire::{Ask, Command};
    use std::collections::BTreeMap;

    /// However many requests came since, and whatever the order of numbers; over starts.
    #[test]
    fn a_command_is_known_again() -> Result<()> {
        let (folder, none) = (tempfile::tempdir()?, BTreeMap::new());
        let take = |store: &Store, key, counter, body: &Up| store.apply_acknowledgement((key, 1, counter), body, &none);
        let (pause, resume) = (Up::Command(Command::Pause), Up::Command(Command::Resume));
        let store = Store::open(folder.path(), 100)?;
        assert!(take(&store, 7, 5000, &pause)?.is_some());
        for n in 0..1500 {
            let ask = Up::Ask(Ask { ask: n % 16, caption: 1, pixels: 160, crop: None });
            assert!(take(&store, 7, 5001 + u32::from(n), &ask)?.is_some());
        }
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        // Under the other key, and another one under its number.
        assert!(take(&store, 8, 5000, &pause)?.is_none() && take(&store, 8, 5000, &resume)?.is_none());
        let known = |body: &Up| store.taken((1, 5000), digest_of((1, 5000), body));
        assert_eq!((known(&pause)?, known(&resume)?), (Same::Yes, Same::No));
        // The lowest number of very many is not the one that goes out.
        for n in 0..1200 {
            assert!(take(&store, 9, 9000 + n, &pause)?.is_some());
        }
        assert!(take(&store, 10, 4000, &resume)?.is_some());
        assert_eq!(store.taken((1, 4000), digest_of((1, 4000), &resume))?, Same::Yes);
        assert_eq!(store.taken((2, 4000), 7)?, Same::Unknown, "another station's");
        Ok(())
    }
}
