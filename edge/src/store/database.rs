//! The store's file: opened when it is needed and again after an error, and what an entry of it looks like in bytes.

use crate::error::{Error, Result};
use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of the file that are kept in memory.
const CACHE: usize = 4 << 20;
/// A program that has the file open and is told to end has closed it after so long.
const ENDING: Duration = Duration::from_secs(3);
/// Bytes of a file that is looked into beside the program that has it open.
const MAX_COPY: u64 = 256 << 20;

/// The file, open where nothing went wrong lately.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    database: Mutex<Option<Database>>,
}

impl StoreFile {
    /// A file that is not opened yet.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, database: Mutex::new(None) }
    }

    /// Runs `action` on the open database; an error closes it, so that the next call opens it again.
    pub(super) fn with<T>(&self, action: impl FnOnce(&Database) -> Result<T, Refusal>) -> Result<T> {
        let mut held: MutexGuard<'_, Option<Database>> = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match held.take() {
            Some(database) => database,
            None => self.open().map_err(|refusal| self.refused(refusal))?,
        };
        let result = action(&database).map_err(|refusal| self.refused(refusal));
        if result.is_ok() {
            *held = Some(database);
        }
        result
    }

    /// Opens the file and looks through all of it; what a power cut left half done is mended. A program that is just ending is waited for.
    pub(super) fn check(&self) -> Result<()> {
        let began = Instant::now();
        let opened = || loop {
            match self.open() {
                Err(Refusal::Database(redb::Error::DatabaseAlreadyOpen)) if began.elapsed() < ENDING => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                opened => return opened,
            }
        };
        let looked = catch_unwind(|| -> Result<Database, Refusal> {
            let mut database = opened()?;
            database.check_integrity()?;
            Ok(database)
        });
        // A file can be damaged such that the database's own assertions fail.
        let fallen = |_| Err(redb::Error::Corrupted("it contradicts itself".into()).into());
        let database = looked.unwrap_or_else(fallen).map_err(|refusal| self.refused(refusal))?;
        *self.database.lock().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(())
    }

    /// Opens or makes the file, which has a key that came over the link: only its owner reads it, where the file system knows owners.
    fn open(&self) -> Result<Database, Refusal> {
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600)).ok();
        }
        drop(file);
        Ok(Database::builder().set_cache_size(CACHE).create(&self.path)?)
    }

    fn refused(&self, refusal: Refusal) -> Error {
        let store = self.path.clone();
        match refusal {
            Refusal::Database(redb::Error::DatabaseAlreadyOpen) => Error::StoreInUse(store),
            Refusal::Database(source) => Error::Store { store, source: Box::new(source) },
            Refusal::Entry(source) => Error::Entry { store, source },
        }
    }
}

/// Whether it is the file's content that is wrong: neither the disk, nor another program that has it open, nor a version of the database.
pub(super) fn is_damage(error: &Error) -> bool {
    match error {
        Error::Entry { .. } => true,
        Error::Store { source, .. } => match &**source {
            redb::Error::Io(error) => matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
            redb::Error::Corrupted(_)
            | redb::Error::RepairAborted
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. } => true,
            _ => false,
        },
        _ => false,
    }
}

/// Looks into a copy in memory of a file that another program may have open, or may have left half done: nothing is written. Nothing where
/// the copy does not tell.
pub(super) fn read_copy<T>(path: &Path, look: impl FnOnce(&Database) -> Result<T, Refusal>) -> Option<T> {
    let bytes = cssa::files::read(path, MAX_COPY).ok().filter(|bytes| !bytes.is_empty())?;
    let looked = || -> Result<T, Refusal> {
        let copy = InMemoryBackend::new();
        copy.set_len(bytes.len() as u64)?;
        copy.write(0, &bytes)?;
        look(&Database::builder().create_with_backend(copy)?)
    };
    // As in a check.
    catch_unwind(AssertUnwindSafe(looked)).ok()?.ok()
}

/// Moves a damaged file out of the way, by a name that no other has.
pub(super) fn set_aside(path: &Path) -> Result<PathBuf> {
    let now = cssa::clock::now();
    let names = (0..).map(|n| match n {
        0 => format!("store.redb.damaged-{now}"),
        n => format!("store.redb.damaged-{now}-{n}"),
    });
    let aside = names.map(|name| path.with_file_name(name)).find(|aside| !aside.exists()).unwrap_or_default();
    cssa::files::rename(path, &aside)?;
    Ok(aside)
}

/// Why the database takes or gives nothing.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Of its own accord.
    Database(redb::Error),
    /// Because of what an entry holds.
    Entry(postcard::Error),
}

impl<E: Into<redb::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

pub(super) fn pack(entry: &impl Serialize) -> Result<Vec<u8>, Refusal> {
    postcard::to_allocvec(entry).map_err(Refusal::Entry)
}

pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    postcard::from_bytes(bytes).map_err(Refusal::Entry)
}
