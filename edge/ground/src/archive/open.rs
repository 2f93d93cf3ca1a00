//! How an archive is opened: to be written, or only to be read, by any number of programs, also where nothing can be written.

use super::Archive;
use super::bounded::Bounds;
use super::migration::{is_current, migrate};
use super::postgis;
use crate::database::{Access, Database, Place};
use crate::error::{Error, Result};
use crate::geopackage::{APPLICATION, SCHEMA, TRIGGERS, VERSION};
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// So long an archive is waited for that another program writes.
const BUSY: Duration = Duration::from_secs(30);
/// Pages that are copied at once.
const PAGES: i32 = 1024;

impl Archive {
    /// Opens the archive at `path`, or makes a new one; a file that is something else is not touched.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_at(&path.into())
    }

    /// Opens the archive at a place, or makes a new one; a file or a database that is something else is not touched.
    pub fn open_at(place: &Place) -> Result<Self> {
        let database = match place.file() {
            Some(path) => written(path)?.into(),
            None => postgis::open(place, Access::Write)?,
        };
        Ok(Self::of(database, place))
    }

    /// Opens the archive at `path` to be read: nothing is written, neither to it nor beside it.
    pub fn read(path: &Path) -> Result<Self> {
        Self::read_at(&path.into())
    }

    /// Opens the archive at a place to be read.
    pub fn read_at(place: &Place) -> Result<Self> {
        let database = match place.file() {
            Some(path) => read(path)?.into(),
            None => postgis::open(place, Access::Read)?,
        };
        Ok(Self::of(database, place))
    }

    fn of(database: Database, place: &Place) -> Self {
        Self { database, place: place.clone(), bounds: Bounds::default() }
    }

    /// Whether this user may give commands here, as far as the place says so.
    pub fn takes_commands(place: &Place) -> bool {
        match place.file() {
            Some(path) => std::fs::File::options().append(true).open(path).is_ok(),
            None => postgis::takes_commands(place),
        }
    }
}

fn written(path: &Path) -> Result<Connection> {
    let refused = |cause| refused(path, cause);
    not_a_folder(path)?;
    let mut database = Connection::open(path).map_err(refused)?;
    // What reads before it writes would be refused, and not wait, where another program writes meanwhile.
    database.set_transaction_behavior(TransactionBehavior::Immediate);
    if matches!(Content::of(&database).map_err(refused)?, Content::Nothing) {
        let unmade = |cause: rusqlite::Error| Error::NewArchive { archive: path.into(), cause: cause.into() };
        make(&mut database).map_err(unmade)?;
    }
    match Content::of(&database).map_err(refused)? {
        Content::Archive => {}
        Content::Earlier => return Err(Error::EarlierArchive(path.into())),
        Content::Nothing | Content::Other => return Err(Error::NoArchive(path.into())),
    }
    configure(&database, path).map_err(refused)?;
    migrate(&mut database).map_err(refused)?;
    Ok(database)
}

fn read(path: &Path) -> Result<Connection> {
    let refused = |cause| refused(path, cause);
    not_a_folder(path)?;
    let database = readable(path).map_err(refused)?;
    match Content::of(&database).map_err(refused)? {
        Content::Archive => {}
        Content::Earlier => return Err(Error::EarlierArchive(path.into())),
        Content::Nothing | Content::Other => return Err(Error::NoArchive(path.into())),
    }
    if is_current(&database).map_err(refused)? {
        return Ok(database);
    }
    // An earlier program's gets its columns in memory.
    let mut copy = copied(&database).map_err(refused)?;
    migrate(&mut copy).map_err(refused)?;
    Ok(copy)
}

fn not_a_folder(path: &Path) -> Result<()> {
    if path.is_dir() { Err(Error::ArchiveFolder(path.into())) } else { Ok(()) }
}

/// SQLite's answer; where that is only that a file cannot be opened, the operating system's reason.
fn refused(path: &Path, cause: rusqlite::Error) -> Error {
    let (archive, of_archive) =
        (path.to_path_buf(), |cause: rusqlite::Error| Error::Archive { archive: path.into(), cause: cause.into() });
    match cause.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => match std::fs::File::options().read(true).append(true).open(path) {
            Err(cause) => Error::Unopened { archive, cause },
            Ok(_) => of_archive(cause),
        },
        _ => of_archive(cause),
    }
}

/// A connection that reads. Archives of earlier programs have a log beside them (WAL) whose files SQLite makes anew: where it cannot, the
/// file is read alone.
fn readable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(path, flags)?;
    let tables = |database: &Connection| {
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).map(drop)
    };
    let is_logged = database.busy_timeout(BUSY).and_then(|()| journal_of(&database)).is_ok_and(|mode| mode == "wal");
    match tables(&database) {
        Err(error)
            if is_logged || matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)) => {}
        read => return read.map(|()| database),
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = PathBuf::from(log);
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        tracing::warn!("{}: what it holds is not read: its folder is read-only", log.display());
    }
    let database = Connection::open_with_flags(unchanging(path), flags | OpenFlags::SQLITE_OPEN_URI)?;
    tables(&database)?;
    Ok(database)
}

/// The URI of a file that nobody writes.
fn unchanging(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let mut uri = "file://".to_owned();
    for &byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri + "?immutable=1"
}

fn copied(database: &Connection) -> rusqlite::Result<Connection> {
    let mut copy = Connection::open_in_memory()?;
    Backup::new(database, &mut copy)?.run_to_completion(PAGES, Duration::ZERO, None)?;
    Ok(copy)
}

/// What a database is.
enum Content {
    Nothing,
    Archive,
    /// An archive of an earlier version.
    Earlier,
    Other,
}

impl Content {
    fn of(database: &Connection) -> rusqlite::Result<Self> {
        database.busy_timeout(BUSY)?;
        let count = |tables: &str| -> rusqlite::Result<i64> {
            database.query_row(&format!("SELECT count(*) FROM sqlite_schema WHERE {tables}"), [], |row| row.get(0))
        };
        // First: who makes it now does so in one transaction.
        if count("1")? == 0 {
            return Ok(Self::Nothing);
        }
        let application: i32 = database.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if application != APPLICATION || count("name IN ('captions', 'undecoded', 'caption_words')")? != 3 {
            return Ok(Self::Other);
        }
        let as_now = count("name = 'captions' AND sql LIKE '%sequence, time, caption)%'")? == 1;
        Ok(if as_now { Self::Archive } else { Self::Earlier })
    }
}

fn make(database: &mut Connection) -> rusqlite::Result<()> {
    let making = database.transaction()?;
    if making.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))? > 0 {
        // Another program was faster.
        return Ok(());
    }
    making.pragma_update(None, "application_id", APPLICATION)?;
    making.pragma_update(None, "user_version", VERSION)?;
    making.execute_batch(SCHEMA)?;
    making.execute_batch(TRIGGERS)?;
    making.commit()
}

/// Acknowledged is what is on the disk, and all of it is in the one file: a copy of it has every caption.
fn configure(database: &Connection, path: &Path) -> rusqlite::Result<()> {
    database.pragma_update(None, "synchronous", "EXTRA")?;
    if journal_of(database)? == "wal" {
        let changed = database.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
        if !changed.is_ok_and(|mode| mode == "delete") {
            tracing::warn!(
                "{}: another program has it open, so that a copy of the file alone may lack what came last: copy its -wal file, too",
                path.display()
            );
        }
    }
    Ok(())
}

fn journal_of(database: &Connection) -> rusqlite::Result<String> {
    database.pragma_query_value(None, "journal_mode", |row| row.get(0))
}

#[cfg(test)]
mod tests;
