//! What becomes of files that were captioned: nothing, or they are deleted or moved, when their outcomes are on the disk.

use super::super::key::{self, State};
use super::super::ledger::Ledger;
use super::super::retries::Retries;
use crate::config::After;
use crate::error::{Error, Result};
use cssa::files::FileError;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where the disk does not take outcomes it is not asked sooner.
const RETRY: Duration = Duration::from_secs(1);

/// Files that are to be put away.
#[derive(Debug)]
pub(super) struct PutAway {
    after: After,
    root: PathBuf,
    open: Option<Leaving>,
    leaving: VecDeque<Leaving>,
    failed: Retries<Leaving>,
    /// The disk did not take outcomes: not before then again.
    pause: Option<Instant>,
}

/// A file, and the frames whose outcomes it waits for.
#[derive(Debug, PartialEq, Eq)]
struct Leaving {
    path: PathBuf,
    state: State,
    keys: Vec<String>,
}

impl PutAway {
    /// Of files below `root`.
    pub(super) fn new(after: After, root: PathBuf) -> Self {
        Self { after, root, open: None, leaving: VecDeque::new(), failed: Retries::new(None), pause: None }
    }

    /// A file is open, or was captioned earlier.
    pub(super) fn open(&mut self, path: &Path, state: State) {
        if self.after != After::Keep {
            self.open = Some(Leaving { path: path.into(), state, keys: Vec::new() });
        }
    }

    /// It gave a frame with this key.
    pub(super) fn give(&mut self, key: Option<&str>) {
        let keys = self.open.as_mut().map(|leaving| &mut leaving.keys);
        keys.into_iter().for_each(|keys| keys.extend(key.map(str::to_owned)));
    }

    /// It gives no more.
    pub(super) fn close(&mut self) {
        self.leaving.extend(self.open.take());
    }

    /// Not all of it was read: it stays.
    pub(super) fn keep(&mut self) {
        self.open = None;
    }

    /// Nothing is to be put away.
    pub(super) fn is_empty(&self) -> bool {
        self.leaving.is_empty() && self.failed.is_empty()
    }

    /// Puts away what has all its outcomes. What cannot be put away is tried again, after pauses that grow.
    pub(super) fn work(&mut self, ledger: &dyn Ledger, now: Instant) -> Result<()> {
        if self.pause.is_some_and(|until| now < until) {
            return Ok(());
        }
        let is_over = |leaving: &Leaving| leaving.keys.iter().all(|key| key::is_captioned(key, ledger));
        let over = self.leaving.iter().take_while(|leaving| is_over(leaving)).count();
        if over > 0 {
            self.pause = Some(now + RETRY);
            ledger.flush()?;
            self.pause = None;
        }
        let fresh: Vec<_> = self.leaving.drain(..over).map(|leaving| (leaving, 0)).collect();
        let again = self.failed.due(now);
        let mut last = Ok(());
        for (leaving, tries) in fresh.into_iter().chain(again) {
            // Each is tried, whatever became of the one before.
            last = self.put(leaving, tries, now).and(last);
        }
        last
    }

    fn put(&mut self, leaving: Leaving, tries: u32, now: Instant) -> Result<()> {
        // What was written anew meanwhile is another image.
        if State::of(&leaving.path).ok() != Some(leaving.state) {
            return Ok(());
        }
        let (done, action) = match &self.after {
            After::Keep => return Ok(()),
            After::Delete => (fs::remove_file(&leaving.path), "cannot be deleted"),
            After::Move(folder) => {
                let below = leaving.path.strip_prefix(&self.root).unwrap_or(&leaving.path);
                (move_to(&leaving.path, &folder.join(below)), "cannot be moved to source.after.move")
            }
        };
        done.map_err(|cause| {
            let path = leaving.path.clone();
            self.failed.add(leaving, tries, now);
            Error::File(FileError::System { path, action, cause })
        })
    }
}

/// Moves a file, also to another file system. Nothing is ever written over: where the name is taken, it gets a number.
fn move_to(path: &Path, target: &Path) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    for target in names(target) {
        let moved = match renameat_with(CWD, path, CWD, &target, RenameFlags::NOREPLACE) {
            // Another file system, or one that cannot rename so.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => copy(path, &target),
            renamed => renamed.map_err(io::Error::from),
        };
        match moved {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            moved => return moved.and_then(|()| File::open(folder)?.sync_all()),
        }
    }
    Ok(())
}

/// The name, and then the name with one number after the other: `DJI_0001-2.JPG`.
fn names(target: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    let numbered = |n: u64| {
        let mut name = target.file_stem().unwrap_or_default().to_owned();
        name.push(format!("-{n}"));
        if let Some(ending) = target.extension() {
            name.push(".");
            name.push(ending);
        }
        target.with_file_name(name)
    };
    std::iter::once(target.to_owned()).chain((2..).map(numbered))
}

/// The file is on the disk under its new name before the old one goes.
fn copy(path: &Path, target: &Path) -> io::Result<()> {
    let mut from = File::open(path)?;
    let metadata = from.metadata()?;
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut to = tempfile::Builder::new().prefix(".part-").permissions(metadata.permissions()).tempfile_in(folder)?;
    io::copy(&mut from, to.as_file_mut())?;
    to.as_file().set_modified(metadata.modified()?)?;
    to.as_file().sync_all()?;
    to.persist_noclobber(target).map_err(|failed| failed.error)?;
    File::open(folder)?.sync_all()?;
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_over() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        // Most machines have another file system here; where not, this is a second rename.
        let other = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        for target in [folder.path().join("done"), other.path().to_owned()] {
            for (text, expected) in [("one", "a.png"), ("two", "a-2.png"), ("three", "a-3.png")] {
                let path = folder.path().join("a.png");
                fs::write(&path, text)?;
                let changed = path.metadata()?.modified()?;
                move_to(&path, &target.join("DCIM/a.png"))?;
                assert!(!path.exists());
                let moved = target.join("DCIM").join(expected);
                assert_eq!((fs::read_to_string(&moved)?.as_str(), moved.metadata()?.modified()?), (text, changed));
            }
            assert_eq!(fs::read_dir(target.join("DCIM"))?.count(), 3, "no file under another name is left");
        }
        Ok(())
    }

    #[test]
    fn copies_write_over_nothing_either() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (path, target) = (folder.path().join("a.png"), folder.path().join("b.png"));
        fs::write(&path, "one")?;
        fs::write(&target, "two")?;
        assert!(copy(&path, &target).is_err_and(|error| error.kind() == ErrorKind::AlreadyExists));
        assert_eq!((fs::read_to_string(&path)?, fs::read_to_string(&target)?), ("one".into(), "two".into()));
        fs::remove_file(&target)?;
        copy(&path, &target)?;
        assert_eq!((path.exists(), fs::read_to_string(&target)?), (false, "one".into()));
        Ok(())
    }
}
