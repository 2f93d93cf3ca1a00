//! Changes that are tried again after an error, and made once: a commit that failed may have reached the disk all the same.

use super::Store;
use super::database::Refusal;
use crate::error::Result;
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::sync::atomic::Ordering;

/// The last change that was made of each kind.
pub(super) const CHANGES: TableDefinition<u8, u64> = TableDefinition::new("changes");

/// Names a change through all of its tries. Of a kind, one is tried to its end before the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    kind: ChangeKind,
    number: u64,
}

/// Who tries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The captioning thread settles a frame.
    Captioned,
    /// The source's thread settles one.
    Refused,
    /// The link's thread writes down what it sent.
    Sent,
    /// It does so of a report.
    Reported,
}

impl Change {
    /// A change that goes with it.
    #[must_use]
    pub fn with(self, kind: ChangeKind) -> Self {
        Self { kind, ..self }
    }

    /// Whether it was not made yet; it is from now on, where the transaction takes.
    pub(super) fn is_new(self, write: &WriteTransaction) -> Result<bool, Refusal> {
        let mut changes = write.open_table(CHANGES)?;
        let before = changes.insert(self.kind as u8, self.number)?.map(|before| before.value());
        Ok(before != Some(self.number))
    }
}

impl Store {
    /// A change that nobody has tried.
    #[must_use]
    pub fn change(&self, kind: ChangeKind) -> Change {
        Change { kind, number: self.changes.fetch_add(1, Ordering::Relaxed) }
    }

    /// Goes on counting where the last program ended.
    pub(super) fn count_changes(&self) -> Result<()> {
        let last = self.file.with(|database| {
            let changes = database.begin_read()?.open_table(CHANGES)?;
            let numbers = changes.iter()?.map(|entry| entry.map(|(_, number)| number.value()));
            Ok(numbers.collect::<Result<Vec<u64>, redb::StorageError>>()?.into_iter().max())
        })?;
        self.changes.store(last.map_or(0, |last| last.wrapping_add(1)), Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Dropped;
    use crate::store::{Caption, Outcome, QUEUED, SENT};
    use anyhow::Result;

    /// Each change is tried three times, as after two errors of which the disk kept what was written.
    #[test]
    fn what_is_tried_again_is_done_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for start in 0..2u64 {
            let store = Store::open(folder.path(), 100)?;
            let queued = Outcome::Queued(Caption { text: "a river".into(), ..Caption::default() });
            let (captioned, refused) = (store.change(ChangeKind::Captioned), store.change(ChangeKind::Refused));
            for _ in 0..3 {
                store.settle(captioned, None, &queued)?;
                store.settle(refused, None, &Outcome::Dropped(Dropped::Busy))?;
            }
            let packet = store.mark(store.peek(9, |_| true)?)?;
            assert_eq!(packet.len() as u64, start + 1);
            let sent = store.change(ChangeKind::Sent);
            for _ in 0..3 {
                store.sent(sent, &packet, 20, Some(3), None)?;
            }
            let counters = store.counters()?;
            assert_eq!((counters[QUEUED], counters["dropped_busy"], counters[SENT]), (start + 1, start + 1, start + 1));
            assert_eq!(store.waiting()?, start + 1, "went out less than three times");
            store.flush()?;
        }
        Ok(())
    }
}
