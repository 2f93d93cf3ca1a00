//! Where a bundle's files lie: in a folder, or in one file that ends in `.cssa`, which is a ZIP archive of the same files.

use super::names::{MANIFEST, MAX_FILE};
use crate::files::{self, FileError, NewFolder};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

/// A bundle's files by name.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// What the name of a single-file bundle ends in.
pub const EXTENSION: &str = "cssa";

/// Entries of an archive that is a bundle: it has half a dozen.
const MAX_ENTRIES: usize = 64;

/// An existing bundle's files.
#[derive(Debug)]
pub(super) enum BundleReader {
    /// Files in a folder, read when asked for.
    Folder(PathBuf),
    /// An archive and what was in it.
    Archive(PathBuf, Contents),
}

impl BundleReader {
    /// Opens a folder, or reads an archive.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        if !path.is_file() {
            return Ok(Self::Folder(path.into()));
        }
        Ok(Self::Archive(path.into(), unpack(path, &files::read(path, 2 * MAX_FILE)?)?))
    }

    /// What errors call the file `name`.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Archive(path, _) => path.join(name),
        }
    }

    /// The content of the file `name`, where it is there.
    pub(super) fn find(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        match self {
            Self::Folder(folder) if !folder.join(name).exists() => Ok(None),
            Self::Folder(folder) => files::read(&folder.join(name), limit).map(Some),
            Self::Archive(path, contents) => match contents.remove(name) {
                Some(content) if content.len() as u64 > limit => Err(FileError::content(
                    path,
                    format!("{name} has {} bytes, expected at most {limit}", content.len()),
                )),
                found => Ok(found),
            },
        }
    }

    /// The content of the file `name`.
    pub(super) fn get(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, FileError> {
        if let (Self::Folder(folder), false) = (&*self, self.place(name).exists()) {
            // The operating system's own words, for a folder that is not there or has no such file.
            return files::read(&folder.join(name), limit);
        }
        let path = self.place(name);
        self.find(name, limit)?.ok_or_else(|| FileError::content(&path, "is missing"))
    }
}

/// Reads an archive of plain files; `path` is what errors name.
pub(super) fn unpack(path: &Path, bytes: &[u8]) -> Result<Contents, FileError> {
    let broken = |error: &dyn std::fmt::Display| {
        FileError::content(path, format!("is no bundle, expected a folder with manifest.toml or a .cssa file: {error}"))
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    if archive.len() > MAX_ENTRIES {
        return Err(broken(&format!("{} entries, expected at most {MAX_ENTRIES}", archive.len())));
    }
    let (mut contents, mut total) = (Contents::new(), 0);
    for at in 0..archive.len() {
        let mut entry = archive.by_index(at).map_err(|error| broken(&error))?;
        let name = entry.name().map_err(|error| broken(&error))?.into_owned();
        if name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(broken(&format!("entry {name:?}, expected plain file names")));
        }
        let mut content = Vec::new();
        let limit = 2 * MAX_FILE - total;
        Read::by_ref(&mut entry).take(limit + 1).read_to_end(&mut content).map_err(|error| broken(&error))?;
        total += content.len() as u64;
        if total > 2 * MAX_FILE {
            return Err(broken(&"more content than a bundle may have"));
        }
        contents.insert(name, content);
    }
    Ok(contents)
}

/// An archive of the files, compressed where `small` matters more than speed. The same files give the same bytes.
pub(super) fn pack(contents: &Contents, small: bool) -> std::io::Result<Vec<u8>> {
    let method = if small { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
    let options = zip::write::SimpleFileOptions::default().compression_method(method).unix_permissions(0o644);
    let options = if small { options.compression_level(Some(9)) } else { options };
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // The manifest comes first: a reader of a stream can refuse early.
    let first = contents.get_key_value(MANIFEST);
    for (name, content) in first.into_iter().chain(contents.iter().filter(|(name, _)| *name != MANIFEST)) {
        writer.start_file(name.as_str(), options).map_err(std::io::Error::other)?;
        writer.write_all(content)?;
    }
    Ok(writer.finish().map_err(std::io::Error::other)?.into_inner())
}

/// Where a new bundle is to appear, complete or not at all.
#[derive(Debug)]
pub enum BundleWriter {
    /// A new or empty folder.
    Folder(NewFolder),
    /// A file that ends in `.cssa`; one that is there is replaced.
    File(PathBuf),
}

impl BundleWriter {
    /// Checks that a bundle can be written as `path`.
    pub fn create(path: &Path) -> Result<Self, FileError> {
        if path.extension().is_some_and(|extension| extension == EXTENSION) && !path.is_dir() {
            files::check_writable(path)?;
            return Ok(Self::File(path.into()));
        }
        Ok(Self::Folder(NewFolder::create(path)?))
    }

    /// Writes the files and shows the bundle under its name.
    pub fn write(self, contents: &Contents) -> Result<(), FileError> {
        match self {
            Self::Folder(folder) => {
                for (name, content) in contents {
                    files::write(&folder.path().join(name), content)?;
                }
                folder.finish()
            }
            Self::File(path) => {
                let bytes = pack(contents, false).map_err(|error| FileError::content(&path, error))?;
                files::write(&path, &bytes)
            }
        }
    }
}
