//! The images that are in a folder and below it.

use super::super::key::State;
use crate::error::{Error, Result};
use cssa_image::EXTENSIONS;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// Looks through a folder.
#[derive(Debug)]
pub(super) struct Walk {
    root: PathBuf,
    /// It may not be there, and come.
    may_come: bool,
    /// The folder's device and number when it was looked through last.
    folder: Option<(u64, u64)>,
    /// Folders that cannot be read, and have been said.
    closed: BTreeSet<PathBuf>,
    absence: Absence,
}

/// Whether the folder is there.
#[derive(Debug, Default)]
enum Absence {
    #[default]
    There,
    /// It is not, and that is still to be said.
    Unsaid(Error),
    Said,
}

impl Walk {
    /// Of which nothing is known yet.
    pub(super) fn new(root: PathBuf, may_come: bool) -> Self {
        Self { root, may_come, folder: None, closed: BTreeSet::new(), absence: Absence::There }
    }

    /// The images that are there now. A folder below that cannot be read is said once.
    pub(super) fn images(&mut self) -> Result<impl Iterator<Item = (PathBuf, State)> + use<>> {
        if self.root.metadata().is_ok_and(|there| !there.is_dir()) {
            return Err(Error::path(&self.root)(ErrorKind::NotADirectory.into()));
        }
        self.folder = identity(&self.root);
        let (mut images, mut is_there) = (Vec::new(), true);
        for entry in WalkDir::new(&self.root).into_iter().filter_entry(is_open) {
            let error = match entry {
                Ok(entry) => {
                    images.extend(found(&entry));
                    continue;
                }
                Err(error) => error,
            };
            let (path, depth) = (error.path().unwrap_or(&self.root).to_path_buf(), error.depth());
            let error = io::Error::from(error);
            let is_absent = error.kind() == ErrorKind::NotFound;
            if depth == 0 && !(is_absent && self.may_come) {
                return Err(Error::path(&self.root)(error));
            }
            if depth == 0 {
                is_there = false;
                if matches!(self.absence, Absence::There) {
                    self.absence = Absence::Unsaid(Error::path(&path)(error));
                }
                continue;
            }
            if !is_absent && self.closed.insert(path.clone()) {
                tracing::warn!("{}: its images are not seen: {error}", path.display());
            }
        }
        if is_there {
            self.absence = Absence::There;
        }
        Ok(images.into_iter())
    }

    /// The images of a folder below that is new.
    pub(super) fn below(&self, folder: &Path) -> impl Iterator<Item = (PathBuf, State)> + use<> {
        let entries = WalkDir::new(folder).into_iter().filter_entry(is_open);
        entries.filter_map(|entry| found(&entry.ok()?))
    }

    /// Whether there is another folder by now, or none, or one where there was none.
    pub(super) fn has_another_folder(&self) -> bool {
        identity(&self.root) != self.folder
    }

    /// Whether a path below the folder is none that is hidden.
    pub(super) fn is_looked_at(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.root);
        below.is_ok_and(|below| !below.components().any(|part| is_hidden(part.as_os_str())))
    }

    /// What is still to be said of a folder that is not there.
    pub(super) fn absence(&mut self) -> Option<Error> {
        match std::mem::take(&mut self.absence) {
            Absence::There => None,
            absent => {
                let error = if let Absence::Unsaid(error) = absent { Some(error) } else { None };
                self.absence = Absence::Said;
                error
            }
        }
    }
}

/// An image's state: of a file, or of what a link leads to, with an image's name. Devices, pipes and sockets are none.
pub(super) fn image(path: &Path) -> Option<State> {
    let ending = path.extension()?.to_string_lossy().to_lowercase();
    let metadata = if EXTENSIONS.contains(&ending.as_str()) { path.metadata().ok()? } else { return None };
    metadata.is_file().then(|| State::of_metadata(&metadata))
}

fn found(entry: &DirEntry) -> Option<(PathBuf, State)> {
    let state = if entry.depth() > 0 { image(entry.path())? } else { return None };
    Some((entry.path().to_path_buf(), state))
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    folder.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Whether an entry is looked at: the folder itself, and what is not hidden.
fn is_open(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !is_hidden(entry.file_name())
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b".")
}
