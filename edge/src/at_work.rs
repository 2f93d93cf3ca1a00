//! The frames at work, in a file of the state folder: should the program end by one of them, the next start knows which. A frame is at work
//! from before it is decoded until its outcome is recorded. The file is not flushed to the disk: what ends a program leaves the system's
//! memory as it is.

use super::control::{Faults, TICK};
use super::error::{Error, Result};
use super::sources::plain;
use cssa_wire::FaultKind;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Its name in the state folder.
pub(crate) const NAME: &str = "at-work";
/// A number that each start of the machine has of its own.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// Length and checksum of what follows.
const HEAD: usize = 8;

/// The frames at work.
#[derive(Debug)]
pub(crate) struct AtWork {
    file: File,
    boot: String,
    now: Mutex<Now>,
    changed: Condvar,
    faults: Faults,
}

#[derive(Debug, Default)]
struct Now {
    /// What the source decodes.
    decoding: Option<String>,
    /// What waits for its outcome, and how often.
    given: BTreeMap<String, usize>,
    /// Frames that were at work when an earlier run ended by itself: each is at work alone, so that only the one to blame is blamed.
    suspects: BTreeSet<String>,
    is_closed: bool,
}

/// What the file says.
#[derive(Serialize, Deserialize)]
struct Said {
    boot: String,
    keys: Vec<String>,
}

/// The frames that were at work when the last run ended; none where it ended as it should, where the machine did not go on, or where the
/// file is not whole.
pub(crate) fn left(state: &Path) -> Vec<String> {
    let bytes = std::fs::read(state.join(NAME)).unwrap_or_default();
    let Some((&head, rest)) = bytes.split_first_chunk::<HEAD>() else { return Vec::new() };
    let [a, b, c, d, sum @ ..] = head;
    let text = rest.get(..u32::from_le_bytes([a, b, c, d]) as usize).unwrap_or_default();
    let is_whole = crc32fast::hash(text).to_le_bytes() == sum;
    let said = is_whole.then(|| serde_json::from_slice::<Said>(text).ok()).flatten();
    said.filter(|said| said.boot == boot()).map(|said| said.keys).unwrap_or_default()
}

/// No frame is to blame for the end of the program, which comes now.
pub fn blame_nobody(state: &Path) {
    // Where it cannot be written, the next start may look at a frame alone.
    let _unwritten = File::create(state.join(NAME));
}

fn boot() -> String {
    std::fs::read_to_string(BOOT).map(|id| id.trim().into()).unwrap_or_default()
}

impl AtWork {
    /// Nothing is at work yet.
    pub(crate) fn open(state: &Path, suspects: BTreeSet<String>, faults: Faults) -> Result<Self> {
        let path = state.join(NAME);
        let file = File::create(&path).map_err(Error::path(path))?;
        let now = Mutex::new(Now { suspects, ..Now::default() });
        Ok(Self { file, boot: boot(), now, changed: Condvar::new(), faults })
    }

    /// The source is about to decode a frame, in place of what it decoded before. Where either is a suspect, this waits until the others
    /// have their outcomes, or `goes_on`, which is asked several times a second, says no.
    pub(crate) fn begin(&self, key: &str, goes_on: impl Fn() -> bool) {
        let mut now = self.now();
        while now.must_wait(plain(key)) && goes_on() {
            now = self.changed.wait_timeout(now, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        now.decoding = Some(plain(key).into());
        self.write(&now);
    }

    /// The source gives what it decoded, under this key; without a key it can never come again.
    pub(crate) fn give(&self, key: Option<&str>) {
        let mut now = self.now();
        now.decoding = None;
        if let Some(key) = key {
            *now.given.entry(plain(key).into()).or_default() += 1;
            self.write(&now);
        }
    }

    /// The source decodes nothing.
    pub(crate) fn rest(&self) {
        let mut now = self.now();
        if now.decoding.take().is_some() {
            self.write(&now);
        }
    }

    /// A frame has its outcome.
    pub(crate) fn settle(&self, key: &str) {
        let (mut now, key) = (self.now(), plain(key));
        now.suspects.remove(key);
        if let Some(count) = now.given.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                now.given.remove(key);
            }
            self.write(&now);
        }
        drop(now);
        self.changed.notify_all();
    }

    /// The program ends as it should: no frame is to blame for that.
    pub(crate) fn close(&self) {
        let mut now = self.now();
        *now = Now { is_closed: true, ..Now::default() };
        if let Err(error) = self.file.set_len(0) {
            self.faults.record(FaultKind::StoreErrors, format_args!("{NAME}: {error}"));
        }
    }

    fn write(&self, now: &Now) {
        if now.is_closed {
            return;
        }
        let keys = now.decoding.iter().chain(now.given.keys()).cloned().collect();
        let text = serde_json::to_vec(&Said { boot: self.boot.clone(), keys }).unwrap_or_default();
        let length = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
        // In one piece: whoever ends the program ends it before or after.
        let bytes = [&length[..], &crc32fast::hash(&text).to_le_bytes(), &text].concat();
        if let Err(error) = self.file.write_all_at(&bytes, 0) {
            self.faults.record(FaultKind::StoreErrors, format_args!("{NAME}: {error}"));
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn must_wait(&self, key: &str) -> bool {
        let is_suspect = |key: &str| self.suspects.contains(key);
        !self.given.is_empty() && (is_suspect(key) || self.given.keys().any(|key| is_suspect(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    fn open(folder: &Path, suspects: &[&str]) -> Result<AtWork> {
        AtWork::open(folder, suspects.iter().map(|key| (*key).into()).collect(), Faults::default())
    }

    #[test]
    fn what_was_at_work_is_known_after_any_end() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at_work = open(folder.path(), &[])?;
        at_work.begin("a", || true);
        assert_eq!(left(folder.path()), ["a"]);
        at_work.give(Some("a!"));
        at_work.begin("a long name \u{fc}", || true);
        assert_eq!(left(folder.path()), ["a long name \u{fc}", "a"]);
        at_work.settle("a!");
        at_work.rest();
        assert!(left(folder.path()).is_empty());
        at_work.begin("b", || true);
        let path = folder.path().join(NAME);
        let mut bytes = std::fs::read(&path)?;
        assert_eq!(left(folder.path()), ["b"]);
        bytes[HEAD] ^= 1;
        std::fs::write(&path, &bytes)?;
        assert!(left(folder.path()).is_empty(), "it is not whole");
        at_work.begin("b", || true);
        at_work.close();
        at_work.begin("c", || true);
        assert!(left(folder.path()).is_empty(), "it ended as it should");
        let other = AtWork { boot: "another start of the machine".into(), ..open(folder.path(), &[])? };
        other.begin("d", || true);
        assert!(left(folder.path()).is_empty(), "the machine itself went down");
        let same = open(folder.path(), &[])?;
        same.begin("e", || true);
        assert_eq!(left(folder.path()), ["e"]);
        blame_nobody(folder.path());
        assert!(left(folder.path()).is_empty());
        Ok(())
    }

    /// A suspect is decoded when nothing else is at work, and nothing else until it has its outcome.
    #[test]
    fn a_suspect_is_at_work_alone() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at_work = Arc::new(open(folder.path(), &["suspect"])?);
        let begun = |key: &'static str| {
            let at_work = Arc::clone(&at_work);
            std::thread::spawn(move || at_work.begin(key, || true))
        };
        at_work.begin("a", || true);
        at_work.give(Some("a"));
        let waiting = begun("suspect");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished() && left(folder.path()) == ["a"]);
        at_work.settle("a");
        assert!(waiting.join().is_ok() && left(folder.path()) == ["suspect"]);
        at_work.give(Some("suspect"));
        let waiting = begun("b");
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        at_work.begin("b", || false);
        at_work.settle("suspect");
        assert!(waiting.join().is_ok() && left(folder.path()) == ["b"]);
        Ok(())
    }
}
