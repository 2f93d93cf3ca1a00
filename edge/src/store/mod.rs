//! What outlives the program: the captions that wait for the link, which frames are done, the counters, the sequence number.
//! One transaction settles a frame, so that after kill −9 or a power cut it is either done and counted or still to do; one takes an
//! acknowledgement and retires its captions.

mod acknowledge;
mod answers;
mod asks;
mod attempts;
mod budget;
mod change;
mod commands;
mod database;
mod dating;
mod delta;
mod done;
mod earlier;
mod entry;
mod footprints;
mod keys;
mod reports;
mod tables;

pub use answers::{Answered, Number, Same, digest_of};
pub use asks::{Asked, OpenAsk};
pub use attempts::Blamed;
pub use budget::Budget;
pub use change::{Change, ChangeKind};
pub use commands::Pending;
pub use entry::{Caption, Waiting};
pub use footprints::KeptFootprint;
pub use keys::NewKey;
pub use reports::WaitingReport;

use crate::error::{Result, chain};
use crate::leftovers::clean;
use crate::outcome::Dropped;
use cssa::files::{create_folder, sync_folder};
use database::{Refusal, StoreFile, is_damage, pack, set_aside, unpack};
use entry::{QUEUE, key_of};
use redb::{Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Its name in the state folder.
pub const STORE: &str = "store.redb";
/// Frames that are settled.
const DONE: TableDefinition<&str, ()> = TableDefinition::new("done");
/// Counts of frames and packets.
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
/// The contact at hand.
const CONTACT: TableDefinition<(), &[u8]> = TableDefinition::new("contact");
/// The next caption's number.
const SEQUENCE: TableDefinition<(), u32> = TableDefinition::new("sequence");
/// Reports that were not sent yet, by when their run began and its number.
const REPORTS: TableDefinition<(u32, u32), &[u8]> = TableDefinition::new("reports");
/// The next report's number.
const REPORT_SEQUENCE: TableDefinition<(), u16> = TableDefinition::new("report_sequence");

/// Counter of settled frames.
pub const FRAMES: &str = "frames";
/// Counter of the bytes of a stream that belong to no frame.
pub const DEBRIS: &str = "debris_bytes";
/// Counter of captions that were queued and not displaced.
pub const QUEUED: &str = "queued";
/// Counter of captions that are through with the link.
pub const RETIRED: &str = "retired";
/// Counter of packets given to the link.
pub const SENT: &str = "packets_sent";
/// Counter of their bytes, with all that the link puts around them.
pub const BYTES: &str = "bytes_sent";
/// Counter of contacts in which something was sent.
pub const CONTACTS: &str = "contacts";
/// Counter of captions that were sent again.
pub const AGAIN: &str = "sent_again";
/// Counter of parts of pictures.
pub const PICTURE_PARTS: &str = "picture_parts_sent";
/// Counter of housekeeping packets.
pub const HOUSEKEEPING: &str = "housekeeping_sent";
/// Counter of commands and acknowledgements that were obeyed.
pub const COMMANDS: &str = "commands";
/// Counter of captions that are said to have arrived, but not as they were sent, or not known any more.
pub const MISMATCHED: &str = "acknowledged_otherwise";
/// Counter of those that were not authentic, or not new.
pub const REFUSED: &str = "commands_refused";

/// A contact, as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// When it began, seconds since 1970.
    pub begun: u32,
    /// Bytes that it took.
    pub spent: u64,
    /// When the ground was heard last.
    pub heard: u32,
}

/// The store. After an error of the disk it opens its file anew, so that it goes on when there is room again.
#[derive(Debug)]
pub struct Store {
    limit: u64,
    file: StoreFile,
    /// The next change's number.
    changes: AtomicU64,
    damage: Option<String>,
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A caption for the link.
    Queued(Caption),
    /// Nothing.
    Dropped(Dropped),
}

impl Store {
    /// Opens or makes the store in `folder`; the queue holds at most `limit` captions. A file that is damaged is moved aside, and a new one
    /// takes its place: [`Store::damage`] says so.
    pub fn open(folder: &Path, limit: u64) -> Result<Self> {
        create_folder(folder)?;
        let path = folder.join(STORE);
        let at =
            |path: &Path, damage| Self { limit, file: StoreFile::new(path.into()), changes: AtomicU64::new(0), damage };
        let store = at(&path, None);
        let problem = match store.prepare() {
            Err(error) if is_damage(&error) => chain(&error),
            prepared => {
                prepared?;
                // No other program has the store, and with it the folder.
                clean(folder);
                sync_folder(folder)?;
                return Ok(store);
            }
        };
        drop(store);
        let aside = set_aside(&path)?;
        let place = aside.display();
        let lost = "what waited for the link in it is not sent, and what was settled may come again";
        let store = at(&path, Some(format!("{problem}: moved to {place}, a new one takes its place: {lost}")));
        store.prepare()?;
        sync_folder(folder)?;
        Ok(store)
    }

    /// What was wrong with the store that was here before.
    #[must_use]
    pub fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Opens the file, checks all of it, and makes the tables that are not there.
    fn prepare(&self) -> Result<()> {
        self.file.check()?;
        self.file.with(|database| {
            let write = database.begin_write()?;
            tables::make(&write)?;
            earlier::adopt(&write)?;
            for entry in write.open_table(QUEUE)?.iter()? {
                unpack::<Waiting>(entry?.1.value())?;
            }
            Ok(write.commit()?)
        })?;
        self.count_changes()
    }

    /// Settles a frame: `key` names it where it could come again. A queued caption, whose number is given, is on the disk when this returns; a drop
    /// is with the next queued one, and until then the frame would only be looked at again. After an error it is tried again as the same
    /// change.
    pub fn settle(&self, change: Change, key: Option<&str>, outcome: &Outcome) -> Result<Option<u32>> {
        self.file.with(|database| {
            let mut write = database.begin_write()?;
            if matches!(outcome, Outcome::Dropped(_)) {
                write.set_durability(Durability::None)?;
            }
            if change.is_new(&write)? {
                let mut counters = write.open_table(COUNTERS)?;
                add(&mut counters, FRAMES, 1)?;
                if let Some(key) = key {
                    write.open_table(DONE)?.insert(key, ())?;
                }
                match outcome {
                    Outcome::Dropped(reason) => add(&mut counters, reason.name(), 1)?,
                    Outcome::Queued(caption) => {
                        let mut numbers = write.open_table(SEQUENCE)?;
                        let sequence = numbers.get(())?.map_or(0, |number| number.value());
                        numbers.insert((), sequence.wrapping_add(1))?;
                        let mut queue = write.open_table(QUEUE)?;
                        let waiting = Waiting { sequence, tries: 0, sent: 0, caption: caption.clone() };
                        queue.insert(key_of(&waiting), pack(&waiting)?.as_slice())?;
                        footprints::keep(&write, sequence, caption)?;
                        add(&mut counters, QUEUED, 1)?;
                        while queue.len()? > self.limit {
                            if let Some((key, _)) = queue.pop_last()? {
                                footprints::forget(&write, key.value().2)?;
                            }
                            add(&mut counters, Dropped::QueueFull.name(), 1)?;
                            add(&mut counters, QUEUED, -1)?;
                        }
                    }
                }
            }
            let last = write.open_table(SEQUENCE)?.get(())?.map(|next| next.value().wrapping_sub(1));
            write.commit()?;
            Ok(last.filter(|_| matches!(outcome, Outcome::Queued(_))))
        })
    }

    /// The most urgent captions of those that are `due`, at most `most`.
    pub fn peek(&self, most: usize, due: impl Fn(u32) -> bool) -> Result<Vec<Waiting>> {
        self.file.with(|database| {
            let queue = database.begin_read()?.open_table(QUEUE)?;
            let mut found = Vec::new();
            for entry in queue.iter()? {
                let (key, waiting) = entry?;
                if found.len() == most {
                    break;
                }
                if due(key.value().2) {
                    found.push(unpack(waiting.value())?);
                }
            }
            Ok(found)
        })
    }

    /// Marks captions as tried, on the disk, before anyone sends them, so that whatever happens then, their next packets say that
    /// they may be repeats. Gives those that are still there.
    pub fn mark(&self, packet: Vec<Waiting>) -> Result<Vec<Waiting>> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            let mut marked = Vec::new();
            {
                let mut queue = write.open_table(QUEUE)?;
                for waiting in packet {
                    let tried = Waiting { tries: waiting.tries.saturating_add(1), ..waiting };
                    if queue.get(key_of(&tried))?.is_some() {
                        queue.insert(key_of(&tried), pack(&tried)?.as_slice())?;
                        marked.push(tried);
                    }
                }
            }
            write.commit()?;
            Ok(marked)
        })
    }

    /// Counts a packet of `bytes` that went out. Where nobody acknowledges, its captions retire when they went out `sends` times, or
    /// wait behind those that went out less often; else (`None`) they wait where they are.
    /// After an error it is tried again as the same change.
    pub fn sent(
        &self,
        change: Change,
        packet: &[Waiting],
        bytes: usize,
        sends: Option<u8>,
        contact: Option<&Contact>,
    ) -> Result<()> {
        self.file.with(|database| {
            let mut write = database.begin_write()?;
            if sends.is_none() {
                // With the next one that is marked.
                write.set_durability(Durability::None)?;
            }
            if change.is_new(&write)? {
                let mut counters = write.open_table(COUNTERS)?;
                add(&mut counters, SENT, 1)?;
                add(&mut counters, BYTES, bytes as i64)?;
                add(&mut counters, AGAIN, packet.iter().filter(|waiting| waiting.tries > 1).count() as i64)?;
                let mut queue = write.open_table(QUEUE)?;
                for waiting in packet {
                    let Some(sends) = sends else { break };
                    let was_there = queue.remove(key_of(waiting))?.is_some();
                    let again = Waiting { sent: waiting.sent.saturating_add(1), ..waiting.clone() };
                    if was_there && again.sent >= sends {
                        footprints::forget(&write, waiting.sequence)?;
                        add(&mut counters, RETIRED, 1)?;
                    } else if was_there {
                        queue.insert(key_of(&again), pack(&again)?.as_slice())?;
                    }
                }
                if let Some(contact) = contact {
                    let mut kept = write.open_table(CONTACT)?;
                    let before = kept.get(())?.map(|bytes| unpack::<Contact>(bytes.value())).transpose()?;
                    let is_new = before.is_none_or(|before| before.begun != contact.begun);
                    add(&mut counters, CONTACTS, i64::from(is_new))?;
                    kept.insert((), pack(contact)?.as_slice())?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// Takes a caption out of the queue that no packet of the link holds.
    pub fn give_up(&self, waiting: &Waiting) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut counters = write.open_table(COUNTERS)?;
                if write.open_table(QUEUE)?.remove(key_of(waiting))?.is_some() {
                    footprints::forget(&write, waiting.sequence)?;
                    add(&mut counters, Dropped::TooLong.name(), 1)?;
                    add(&mut counters, QUEUED, -1)?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// Counts something.
    pub fn count(&self, counter: &str) -> Result<()> {
        self.count_by(counter, 1)
    }

    /// Counts so many of something.
    pub fn count_by(&self, counter: &str, by: u64) -> Result<()> {
        self.file.with(|database| {
            let mut write = database.begin_write()?;
            write.set_durability(Durability::None)?;
            add(&mut write.open_table(COUNTERS)?, counter, i64::try_from(by).unwrap_or(i64::MAX))?;
            Ok(write.commit()?)
        })
    }

    /// The contact that was at hand when the program ended.
    pub fn contact(&self) -> Result<Option<Contact>> {
        self.file.with(|database| {
            let kept = database.begin_read()?.open_table(CONTACT)?.get(())?;
            kept.map(|bytes| unpack(bytes.value())).transpose()
        })
    }

    /// What waits begins anew as never sent: from now on the ground acknowledges.
    pub fn sends_anew(&self) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut queue = write.open_table(QUEUE)?;
                let mut sent = Vec::new();
                for entry in queue.range((1, 0, 0)..)? {
                    sent.push(unpack::<Waiting>(entry?.1.value())?);
                }
                for waiting in sent {
                    queue.remove(key_of(&waiting))?;
                    let anew = Waiting { sent: 0, ..waiting };
                    queue.insert(key_of(&anew), pack(&anew)?.as_slice())?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// Captions that wait.
    pub fn waiting(&self) -> Result<u64> {
        self.file.with(|database| Ok(database.begin_read()?.open_table(QUEUE)?.len()?))
    }

    /// All counters.
    pub fn counters(&self) -> Result<BTreeMap<String, u64>> {
        self.file.with(|database| {
            let counters = database.begin_read()?.open_table(COUNTERS)?;
            let entries = counters.iter()?.map(|entry| entry.map(|(name, count)| (name.value().into(), count.value())));
            Ok(entries.collect::<Result<_, redb::StorageError>>()?)
        })
    }

    /// Writes what was settled without waiting for the disk.
    pub fn flush(&self) -> Result<()> {
        self.file.with(|database| Ok(database.begin_write()?.commit()?))
    }
}

fn add(counters: &mut redb::Table<'_, &str, u64>, name: &str, by: i64) -> Result<(), Refusal> {
    let count = counters.get(name)?.map_or(0, |count| count.value());
    counters.insert(name, count.saturating_add_signed(by))?;
    Ok(())
}

#[cfg(test)]
mod tests;
