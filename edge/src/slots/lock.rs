//! One program at a time changes the slots, and what it writes belongs to the owner of the state folder, whoever runs
//! it: what root installs, the service must be able to replace.

use crate::error::{Error, Result};
use crate::leftovers::clean;
use cssa::files::create_folder;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;
use walkdir::WalkDir;

/// Its name in the folder of the slots.
const LOCK: &str = "lock";

/// As long as it lives, no other program changes the slots. The system takes it back when its program ends, however
/// that ends.
#[derive(Debug)]
pub struct SlotsLock {
    _file: File,
}

impl SlotsLock {
    /// Takes the lock of the slots in `folder`, which is made where it is not there yet, for the owner of `state`. What killed installs have
    /// left there is removed: nobody writes there now.
    ///
    /// # Errors
    /// Another program has it, or the folder cannot be written.
    pub(super) fn take(state: &Path, folder: &Path) -> Result<Self> {
        create_folder(folder)?;
        give(folder, state)?;
        let path = folder.join(LOCK);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::path(&path))?;
        give(&path, state)?;
        match file.try_lock() {
            Ok(()) => {
                clean(folder);
                Ok(Self { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(Error::SlotsLocked(folder.into())),
            Err(TryLockError::Error(error)) => Err(Error::path(path)(error)),
        }
    }
}

/// Gives a file or folder to the owner of `state` and that one's group, where it belongs to somebody else.
///
/// # Errors
/// It cannot be looked at, or be given away: only root can.
pub fn give(path: &Path, state: &Path) -> Result<()> {
    let owner = fs::metadata(state).map_err(Error::path(state))?;
    let now = fs::symlink_metadata(path).map_err(Error::path(path))?;
    if now.uid() == owner.uid() {
        return Ok(());
    }
    let (uid, gid) = (owner.uid(), owner.gid());
    lchown(path, Some(uid), Some(gid)).map_err(|source| Error::Owner { path: path.into(), uid, gid, source })
}

/// Gives a folder and all that is in it to the owner of `state`, where it belongs to somebody else.
///
/// # Errors
/// Something in it cannot be looked at, or be given away: only root can.
pub fn give_all(folder: &Path, state: &Path) -> Result<()> {
    for entry in WalkDir::new(folder) {
        let entry = entry.map_err(|error| Error::path(folder)(error.into()))?;
        give(entry.path(), state)?;
    }
    Ok(())
}
