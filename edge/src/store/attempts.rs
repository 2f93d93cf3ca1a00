//! Frames that were at work when the program ended by itself: one that was so twice is settled.

use super::{DONE, Store};
use crate::error::Result;
use crate::outcome::Dropped;
use redb::{ReadableTable, TableDefinition};
use std::collections::BTreeSet;

/// Starts after which a frame was at work when the program ended.
pub(super) const ATTEMPTS: TableDefinition<&str, u8> = TableDefinition::new("attempts");
/// So often a frame may end the program.
const MOST: u8 = 2;

/// What the frames that were at work are now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blamed {
    /// They ended the program for the last time, in this start or in one before.
    pub quarantined: Vec<String>,
    /// They, or others that were at work with them, ended it once.
    pub suspects: BTreeSet<String>,
}

impl Store {
    /// The last run ended by itself with these frames at work. `unread` is the key under which one is settled that must not be read again.
    pub fn blame(&self, at_work: &[String], unread: impl Fn(&str) -> String) -> Result<Blamed> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            let mut blamed = Blamed::default();
            {
                let (mut attempts, mut done) = (write.open_table(ATTEMPTS)?, write.open_table(DONE)?);
                for key in at_work {
                    let key = key.as_str();
                    if done.get(key)?.is_some() || done.get(unread(key).as_str())?.is_some() {
                        // It ended between its outcome and what tells of it.
                        continue;
                    }
                    let count = attempts.get(key)?.map_or(0, |count| count.value()).saturating_add(1);
                    if count < MOST {
                        attempts.insert(key, count)?;
                        continue;
                    }
                    attempts.insert(key, MOST)?;
                    done.insert(unread(key).as_str(), ())?;
                    let mut counters = write.open_table(super::COUNTERS)?;
                    super::add(&mut counters, super::FRAMES, 1)?;
                    super::add(&mut counters, Dropped::Quarantined.name(), 1)?;
                }
                // Those that have had their outcome since were innocent.
                let is_innocent = |key: &str| -> Result<bool, redb::StorageError> {
                    Ok(done.get(key)?.is_some() || done.get(unread(key).as_str())?.is_some())
                };
                let mut innocent = Vec::new();
                for entry in attempts.iter()? {
                    let (key, count) = entry?;
                    let key = key.value().to_owned();
                    if count.value() < MOST && is_innocent(&key)? {
                        innocent.push(key);
                    }
                }
                for key in innocent {
                    attempts.remove(key.as_str())?;
                }
                for entry in attempts.iter()? {
                    let (key, count) = entry?;
                    match count.value() < MOST {
                        true => drop(blamed.suspects.insert(key.value().into())),
                        false => blamed.quarantined.push(key.value().into()),
                    }
                }
            }
            write.commit()?;
            Ok(blamed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ChangeKind;
    use crate::store::Outcome;

    fn unread(key: &str) -> String {
        format!("{key}!")
    }

    #[test]
    fn a_frame_that_ended_the_program_twice_is_settled() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 10)?;
        let both = ["a".to_owned(), "b".to_owned()];
        let blamed = store.blame(&both, unread)?;
        assert_eq!((blamed.quarantined, blamed.suspects.len()), (vec![], 2));
        // It was innocent.
        store.settle(store.change(ChangeKind::Captioned), Some("b"), &Outcome::Dropped(Dropped::LowConfidence))?;
        drop(store);
        let store = Store::open(folder.path(), 10)?;
        let blamed = store.blame(&both, unread)?;
        assert_eq!((blamed.quarantined, blamed.suspects.len()), (vec!["a".to_owned()], 0));
        assert!(store.is_done("a!")? && !store.is_done("a")?);
        assert_eq!((store.counters()?["dropped_quarantined"], store.counters()?["frames"]), (1, 2));
        let later = store.blame(&both, unread)?;
        assert_eq!((later.quarantined, later.suspects.len()), (vec!["a".to_owned()], 0), "each start says it again");
        assert_eq!(store.counters()?["dropped_quarantined"], 1, "and counts it once");
        store.forget(|key| key.starts_with('a'))?;
        assert_eq!(store.blame(&[], unread)?, Blamed::default(), "until the file is gone");
        Ok(())
    }
}
