//! Files that are new and may still be written.

use super::super::key::State;
use super::watch::Change;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// A file of which nothing else is known is complete when it has not changed for so long.
const SETTLING: Duration = Duration::from_secs(2);
/// One that is being written, or that was no whole image, is what it is when it has not changed for so long.
const ABANDONED: Duration = Duration::from_secs(30);

/// A file to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    pub(super) path: PathBuf,
    pub(super) state: State,
    /// When it changed last.
    pub(super) since: Instant,
    /// Tries that failed.
    pub(super) tries: u32,
}

/// Such files.
#[derive(Debug, Default)]
pub(super) struct Arrivals(BTreeMap<PathBuf, Arrival>);

#[derive(Debug)]
struct Arrival {
    state: State,
    since: Instant,
    writing: Writing,
}

/// What is known of a file's writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// Nothing.
    Unknown,
    /// It writes, or what it has written was no whole image.
    Begun,
    /// It is done.
    Over,
}

impl Arrived {
    /// Of a file that was found.
    pub(super) fn new(path: PathBuf, state: State, now: Instant) -> Self {
        Self { path, state, since: changed(&state, now), tries: 0 }
    }

    /// Whether more of it may still be written.
    pub(super) fn may_grow(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < ABANDONED
    }
}

impl Arrivals {
    /// A file is there, or something happened to it.
    pub(super) fn note(&mut self, path: PathBuf, state: State, change: Change, now: Instant) {
        let arrival = self.0.entry(path).or_insert_with(|| Arrival::new(state, now));
        if arrival.state != state {
            *arrival = Arrival::new(state, now);
        }
        match change {
            Change::Written => arrival.writing = Writing::Begun,
            Change::Complete => arrival.writing = Writing::Over,
            _ => {}
        }
    }

    /// It was no whole image: more of it may come.
    pub(super) fn wait(&mut self, arrived: Arrived) {
        let Arrived { path, state, since, .. } = arrived;
        self.0.insert(path, Arrival { state, since, writing: Writing::Begun });
    }

    /// It is not there any more, nor is what was below it.
    pub(super) fn forget(&mut self, path: &Path) {
        self.0.retain(|other, _| !other.starts_with(path));
    }

    /// Those that are complete, by name.
    pub(super) fn take_complete(&mut self, now: Instant) -> Vec<Arrived> {
        let mut complete = Vec::new();
        self.0.retain(|path, arrival| {
            let Ok(state) = State::of(path) else { return false };
            if arrival.state != state {
                // Its writer, where one is known, goes on.
                let writing = if arrival.writing == Writing::Over { Writing::Begun } else { arrival.writing };
                *arrival = Arrival { writing, ..Arrival::new(state, now) };
            }
            let is_complete = arrival.is_complete(now);
            if is_complete {
                let Arrival { state, since, .. } = *arrival;
                complete.push(Arrived { path: path.clone(), state, since, tries: 0 });
            }
            !is_complete
        });
        complete
    }
}

impl Arrival {
    fn new(state: State, now: Instant) -> Self {
        Self { state, since: changed(&state, now), writing: Writing::Unknown }
    }

    fn is_complete(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.since);
        match self.writing {
            Writing::Over => true,
            Writing::Unknown => quiet >= SETTLING,
            Writing::Begun => quiet >= ABANDONED,
        }
    }
}

/// When a file changed, on the clock that nobody sets; a time in the future is now.
fn changed(state: &State, now: Instant) -> Instant {
    let age = SystemTime::now().duration_since(state.changed).unwrap_or_default();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_complete_when_their_writer_says_so_or_is_quiet() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let (began, mut arrivals) = (Instant::now(), Arrivals::default());
        let after = |seconds| began + Duration::from_secs(seconds);
        let note = |arrivals: &mut Arrivals, name: &str, change| -> anyhow::Result<()> {
            if !path(name).exists() {
                std::fs::write(path(name), name)?;
            }
            arrivals.note(path(name), State::of(&path(name))?, change, began);
            Ok(())
        };
        let taken = |arrivals: &mut Arrivals, now| -> Vec<String> {
            let names = arrivals.take_complete(now).into_iter();
            names.map(|arrived| arrived.path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
        };
        note(&mut arrivals, "found", Change::Seen)?;
        note(&mut arrivals, "written", Change::Written)?;
        note(&mut arrivals, "closed", Change::Written)?;
        note(&mut arrivals, "closed", Change::Complete)?;
        assert_eq!(taken(&mut arrivals, after(0)), ["closed"]);
        assert_eq!(taken(&mut arrivals, after(3)), ["found"]);
        // A pause of its writer is not its end.
        assert!(taken(&mut arrivals, after(29)).is_empty());
        assert_eq!(taken(&mut arrivals, after(31)), ["written"]);
        assert!(arrivals.0.is_empty());
        // What changes begins anew.
        note(&mut arrivals, "grows", Change::Seen)?;
        std::fs::write(path("grows"), "has grown")?;
        assert_eq!(arrivals.take_complete(after(10)).len(), 0);
        assert_eq!(taken(&mut arrivals, after(13)), ["grows"]);
        note(&mut arrivals, "gone", Change::Seen)?;
        std::fs::remove_file(path("gone"))?;
        assert!(arrivals.take_complete(after(60)).is_empty() && arrivals.0.is_empty());
        Ok(())
    }
}
