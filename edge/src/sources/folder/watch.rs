//! What changes in a folder, by the system's own account (inotify).

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Paths that are remembered until somebody asks; where there are more, everything is to be looked at.
const MOST: usize = 1 << 16;
/// File systems of which others change files without this system's knowledge, as `statfs` numbers them.
const REMOTE: [(u32, &str); 9] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB 2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "kAFS"),
];

/// What happened to a path last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was made, or what is known of it was changed.
    Seen,
    /// It is being written.
    Written,
    /// It was written, and its writer is done; or it was moved here.
    Complete,
    /// It is a folder that was not here before.
    Folder,
    /// It is not here any more.
    Gone,
}

/// What happened since the last look.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// To which paths.
    pub(super) paths: BTreeMap<PathBuf, Change>,
    /// More than is known.
    pub(super) is_more: bool,
    /// Why changes are not told any more.
    pub(super) ended: Option<String>,
}

/// A folder that is watched with all that is below it, but not behind links.
#[derive(Debug)]
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
    changes: Arc<Mutex<Changes>>,
}

impl Watch {
    /// Watches from now on; says why it is not possible.
    pub(super) fn start(folder: &Path) -> Result<Self, String> {
        let kind = rustix::fs::statfs(folder).map(|system| system.f_type as u32).unwrap_or_default();
        if let Some((_, name)) = REMOTE.iter().find(|(number, _)| *number == kind) {
            return Err(format!("it is on {name}, where others may change files"));
        }
        let changes = Arc::new(Mutex::new(Changes::default()));
        let noted = Arc::clone(&changes);
        let (given, absolute) = (folder.to_path_buf(), std::path::absolute(folder).map_err(|error| error.to_string())?);
        let note = move |event: notify::Result<Event>| {
            // Told of are absolute paths, and files are known by the one that was given.
            let event = event.map(|event| match given == absolute {
                true => event,
                false => {
                    Event { paths: event.paths.iter().map(|path| below(&given, &absolute, path)).collect(), ..event }
                }
            });
            noted.lock().unwrap_or_else(PoisonError::into_inner).note(event);
        };
        let started = RecommendedWatcher::new(note, Config::default().with_follow_symlinks(false));
        let mut watcher = started.map_err(|error| error.to_string())?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(|error| error.to_string())?;
        Ok(Self { _watcher: watcher, changes })
    }

    /// What happened since it was asked last.
    pub(super) fn changes(&self) -> Changes {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A path below a folder, by the name of it that was given.
fn below(given: &Path, absolute: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(absolute).map_or_else(|_| path.to_path_buf(), |rest| given.join(rest))
}

impl Changes {
    fn note(&mut self, event: notify::Result<Event>) {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.ended = Some(error.to_string()),
        };
        self.is_more |= event.need_rescan();
        let Some(change) = change(event.kind) else { return };
        for path in event.paths {
            let before = self.paths.get(&path).copied();
            // A change of times or rights takes nothing from what is known.
            if change != Change::Seen || matches!(before, None | Some(Change::Gone)) {
                // What was moved here may be a folder.
                let change = if change == Change::Complete && path.is_dir() { Change::Folder } else { change };
                self.paths.insert(path, change);
            }
        }
        if self.paths.len() > MOST {
            *self = Self { is_more: true, ended: self.ended.take(), ..Self::default() };
        }
    }
}

fn change(kind: EventKind) -> Option<Change> {
    match kind {
        EventKind::Create(CreateKind::Folder) => Some(Change::Folder),
        EventKind::Create(_) | EventKind::Modify(ModifyKind::Metadata(_)) => Some(Change::Seen),
        EventKind::Modify(ModifyKind::Data(_)) => Some(Change::Written),
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Change::Complete),
        EventKind::Modify(ModifyKind::Name(RenameMode::From))
        | EventKind::Remove(RemoveKind::File | RemoveKind::Folder | RemoveKind::Other | RemoveKind::Any) => {
            Some(Change::Gone)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::{Duration, Instant};

    /// What is told of a path at last.
    fn told(watch: &Watch, path: &Path, expected: Change) -> Option<Change> {
        let (mut last, until) = (None, Instant::now() + Duration::from_secs(5));
        while last != Some(expected) && Instant::now() < until {
            last = watch.changes().paths.get(path).copied().or(last);
            std::thread::sleep(Duration::from_millis(5));
        }
        last
    }

    #[test]
    fn what_happens_to_a_file_is_told() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let watch = Watch::start(folder.path()).map_err(anyhow::Error::msg)?;
        let mut file = std::fs::File::create(at("a"))?;
        file.write_all(b"half")?;
        assert_eq!(told(&watch, &at("a"), Change::Written), Some(Change::Written));
        drop(file);
        assert_eq!(told(&watch, &at("a"), Change::Complete), Some(Change::Complete));
        std::fs::rename(at("a"), at("b"))?;
        assert_eq!(told(&watch, &at("b"), Change::Complete), Some(Change::Complete));
        std::fs::remove_file(at("b"))?;
        assert_eq!(told(&watch, &at("b"), Change::Gone), Some(Change::Gone));
        std::fs::create_dir(at("c"))?;
        assert_eq!(told(&watch, &at("c"), Change::Folder), Some(Change::Folder));
        // A folder that was given by a relative path.
        let up = "../".repeat(std::env::current_dir()?.components().count() - 1);
        let relative = Path::new(&up).join(folder.path().strip_prefix("/")?);
        let watch = Watch::start(&relative).map_err(anyhow::Error::msg)?;
        std::fs::write(at("d"), "whole")?;
        assert_eq!(told(&watch, &relative.join("d"), Change::Complete), Some(Change::Complete));
        let absent = Watch::start(&at("absent"));
        assert!(absent.is_err_and(|said| said.contains("absent") || said.contains("No path")));
        Ok(())
    }
}
