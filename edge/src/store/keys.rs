//! The keys of the link: which packets were taken under each, and the key that came over the link. Nothing but the store's file, which only its
//! owner can read, has its bytes.

use super::answers::{self, Answered, Number, Same, digest_of, keep};
use super::database::{Refusal, pack, read_copy, unpack};
use super::{COMMANDS, COUNTERS, REFUSED, STORE, Store, add};
use crate::error::Result;
use cssa_wire::{Command, CommandResult, FAILED, KEY, Key, Up, Window};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which packets of the ground's stations have been, by key and station.
pub(super) const WINDOWS: TableDefinition<(u32, u8), &[u8]> = TableDefinition::new("key_windows");
/// The key that came over the link last.
pub(super) const NEW_KEY: TableDefinition<(), &[u8]> = TableDefinition::new("new_key");

/// A key that came over the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The key.
    pub key: Key,
    /// The one that it follows, where that came over the link, too; else `link.key`.
    pub before: Option<Key>,
    /// The name of what `link.key` was when it came.
    pub configured: u32,
    /// The ground has spoken under it.
    pub is_heard: bool,
}

/// As the store has it.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: [u8; KEY],
    before: Option<[u8; KEY]>,
    configured: u32,
    is_heard: bool,
}

impl NewKey {
    /// Whether it is used with this `link.key`: the one that it came above, or the one before it. Any other was written there later, by hand.
    #[must_use]
    pub fn stands_above(&self, configured: &Key) -> bool {
        self.key != *configured && (self.configured == configured.name() || self.before.as_ref() == Some(configured))
    }

    fn packed(&self) -> Result<Vec<u8>, Refusal> {
        let Self { key, before, configured, is_heard } = self;
        let before = before.as_ref().map(|before| *before.bytes());
        pack(&Kept { key: *key.bytes(), before, configured: *configured, is_heard: *is_heard })
    }

    fn unpacked(bytes: &[u8]) -> Result<Self, Refusal> {
        let Kept { key, before, configured, is_heard } = unpack(bytes)?;
        Ok(Self { key: Key::new(key), before: before.map(Key::new), configured, is_heard })
    }

    /// That of the store in `folder`, which another program may have open; nothing where there is none, or the file does not tell.
    #[must_use]
    pub fn of_store(folder: &Path) -> Option<Self> {
        read_copy(&folder.join(STORE), |database| {
            let kept = database.begin_read()?.open_table(NEW_KEY)?.get(())?;
            kept.map(|bytes| Self::unpacked(bytes.value())).transpose()
        })?
    }
}

impl Store {
    /// The key that came over the link last.
    pub fn new_key(&self) -> Result<Option<NewKey>> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(NEW_KEY)?.get(())?;
            kept.map(|bytes| NewKey::unpacked(bytes.value())).transpose()
        })
    }

    /// Takes a station's packet with a new key by its counter, as [`Store::apply_acknowledgement`] does others: keeps the key or says why
    /// not, with the answer. Whether the packet is new.
    pub fn take_new_key(
        &self,
        (key, station, counter): (u32, u8, u32),
        command: &Command,
        offered: Result<&NewKey, &str>,
    ) -> Result<bool> {
        let (number, body): (Number, _) = ((station, counter), Up::Command(command.clone()));
        let digest = digest_of(number, &body);
        self.file.with(|database| {
            let write = database.begin_write()?;
            let same = answers::within(&write, number, digest)?;
            let is_new = take_number(&write, (key, station, counter))? && same == Same::Unknown;
            if is_new {
                answers::note(&write, number, &body, digest)?;
                let (result, said) = match offered {
                    Ok(_) => (CommandResult::Done, ""),
                    Err(why) => (CommandResult::Refused(FAILED), why),
                };
                if let Ok(new) = offered {
                    write.open_table(NEW_KEY)?.insert((), new.packed()?.as_slice())?;
                }
                keep(&write, &Answered::new(number, result, said), &body)?;
            }
            write.commit()?;
            Ok(is_new)
        })
    }
}

impl Store {
    /// The highest number of a station under a key.
    pub fn highest(&self, (key, station): (u32, u8)) -> Result<u32> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(WINDOWS)?.get((key, station))?;
            let window = kept.map(|bytes| unpack::<Window>(bytes.value())).transpose()?;
            Ok(window.map_or(0, |window| window.highest()))
        })
    }
}

/// Takes the number of a packet under a key of that name, once; whether it is new. The ground that says something new under a key has it.
pub(super) fn take_number(write: &WriteTransaction, (key, station, counter): (u32, u8, u32)) -> Result<bool, Refusal> {
    let is_new = {
        let mut windows = write.open_table(WINDOWS)?;
        let kept = windows.get((key, station))?.map(|bytes| unpack::<Window>(bytes.value())).transpose()?;
        let mut window = kept.unwrap_or_default();
        let is_new = window.take(counter);
        if is_new {
            windows.insert((key, station), pack(&window)?.as_slice())?;
        }
        is_new
    };
    if is_new {
        let mut kept = write.open_table(NEW_KEY)?;
        let new = kept.get(())?.map(|bytes| NewKey::unpacked(bytes.value())).transpose()?;
        if let Some(new) = new.filter(|new| !new.is_heard && new.key.name() == key) {
            kept.insert((), NewKey { is_heard: true, ..new }.packed()?.as_slice())?;
        }
    }
    add(&mut write.open_table(COUNTERS)?, if is_new { COMMANDS } else { REFUSED }, 1)?;
    Ok(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use std::os::unix::fs::PermissionsExt;

    fn key(byte: u8) -> Key {
        Key::new([byte; KEY])
    }

    /// With its answer, over starts; a packet that came before changes nothing; whoever looks has no need of the store itself.
    #[test]
    fn a_new_key_is_kept_with_its_answer() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (name, new) = (key(1).name(), NewKey { key: key(2), before: None, configured: 7, is_heard: false });
        let other = NewKey { key: key(3), before: Some(key(2)), ..new.clone() };
        let store = Store::open(folder.path(), 10)?;
        assert_eq!((store.new_key()?, NewKey::of_store(folder.path())), (None, None));
        let part = Command::NewKeyPart { part: 0, parts: 1, bytes: vec![7; 40] };
        let take = |store: &Store, by, counter, offered| store.take_new_key((by, 1, counter), &part, offered);
        assert!(take(&store, name, 5, Ok(&new))? && !take(&store, name, 5, Ok(&other))?);
        assert!(take(&store, name, 6, Err("why"))?);
        assert_eq!(NewKey::of_store(folder.path()), Some(new.clone()), "of a store that is open");
        drop(store);
        let store = Store::open(folder.path(), 10)?;
        assert_eq!(store.new_key()?, Some(new.clone()));
        let answer = |counter| store.answer_to((1, counter))?.context("an answer");
        assert_eq!(answer(5)?, Answered::new((1, 5), CommandResult::Done, ""));
        assert_eq!(answer(6)?, Answered::new((1, 6), CommandResult::Refused(FAILED), "why"));
        // Heard under it, for ever; the next one is not.
        assert!(!take(&store, key(2).name(), 6, Ok(&other))?, "the packet came before, under another key");
        assert!(take(&store, key(2).name(), 7, Err(""))?);
        assert_eq!(store.new_key()?, Some(NewKey { is_heard: true, ..new.clone() }));
        assert!(take(&store, key(2).name(), 8, Ok(&other))?);
        assert_eq!(store.new_key()?, Some(other));
        Ok(())
    }

    #[test]
    fn a_link_key_that_was_written_later_stands() {
        let new = NewKey { key: key(3), before: Some(key(2)), configured: key(1).name(), is_heard: true };
        assert_eq!([1, 2, 3, 4].map(|byte| new.stands_above(&key(byte))), [true, true, false, false]);
    }

    /// A store of an earlier program, too.
    #[test]
    fn a_store_is_its_owners() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(STORE);
        for _ in 0..2 {
            Store::open(folder.path(), 10)?.flush()?;
            assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644))?;
        }
        Ok(())
    }

    #[test]
    fn what_is_no_store_tells_nothing() -> Result<()> {
        let folder = tempfile::tempdir()?;
        assert_eq!(NewKey::of_store(folder.path()), None);
        for wrong in [&[][..], &[7; 100_000]] {
            std::fs::write(folder.path().join(STORE), wrong)?;
            assert_eq!(NewKey::of_store(folder.path()), None);
        }
        Ok(())
    }
}
