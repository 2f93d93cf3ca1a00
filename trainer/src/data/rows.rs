//! Rows of equal length in a file: what is computed once for each image of a list and read at random afterwards.
//!
//! An unfinished file keeps its rows under `.part`, and the next run goes on after them.

use crate::error::{Error, Result, ensure};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A finished file.
#[derive(Debug)]
pub struct Rows {
    file: File,
    path: PathBuf,
    rows: usize,
    length: usize,
}

impl Rows {
    /// Opens a file of `rows` rows of `length` bytes.
    pub fn open(path: PathBuf, rows: usize, length: usize) -> Result<Self> {
        let file = File::open(&path).map_err(Error::system(&path, "cannot be opened"))?;
        let (found, expected) = (file.metadata().map_err(Error::Cache)?.len(), (rows * length) as u64);
        if found != expected {
            return Err(Error::Rows { path, problem: format!("has {found} bytes, expected {expected}: delete it") });
        }
        Ok(Self { file, path, rows, length })
    }

    /// Appends the bytes of row `row`.
    pub fn read(&self, row: usize, into: &mut Vec<u8>) -> Result<()> {
        ensure!(
            row < self.rows,
            Error::Rows { path: self.path.clone(), problem: format!("has {} rows, not {row}", self.rows) }
        );
        let start = into.len();
        into.resize(start + self.length, 0);
        let offset = (row * self.length) as u64;
        let read = self.file.read_exact_at(&mut into[start..], offset);
        read.map_err(|source| Error::Path { path: self.path.clone(), source })
    }

    /// Whether both are the same file.
    pub fn is(&self, other: &Self) -> bool {
        self.path == other.path
    }

    /// Bytes of a row.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> usize {
        self.rows * self.length
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        self.rows
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    part: PathBuf,
    path: PathBuf,
}

impl Writer {
    /// Starts, or goes on after the whole rows that are there: gives their number, too.
    pub fn start(path: &Path, length: usize) -> Result<(Self, usize)> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(Error::system(folder, "cannot be created"))?;
        }
        let part = path.with_extension("part");
        let opened = OpenOptions::new().create(true).append(true).open(&part);
        let file = opened.map_err(Error::system(&part, "cannot be written"))?;
        file.try_lock().map_err(Error::lock(&part))?;
        let done = file.metadata().map_err(Error::Cache)?.len() as usize / length;
        file.set_len((done * length) as u64).map_err(Error::Cache)?;
        Ok((Self { file, part, path: path.to_path_buf() }, done))
    }

    /// Appends whole rows.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::system(&self.part, "cannot be written"))
    }

    /// Shows the file under its name.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(Error::Cache)?;
        std::fs::rename(&self.part, &self.path).map_err(Error::system(self.path, "cannot be written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    #[test]
    fn an_interrupted_file_goes_on_after_its_whole_rows() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("new/rows.f16");
        let (mut writer, done) = Writer::start(&path, 3)?;
        assert_eq!(done, 0);
        writer.push(b"abcde")?;
        assert!(Writer::start(&path, 3).is_err(), "two runs may not write the same file");
        drop(writer);
        let (mut writer, done) = Writer::start(&path, 3)?;
        assert_eq!(done, 1);
        writer.push(b"def")?;
        writer.finish()?;
        let rows = Rows::open(path.clone(), 2, 3)?;
        let mut bytes = Vec::new();
        rows.read(1, &mut bytes)?;
        rows.read(0, &mut bytes)?;
        assert_eq!(bytes, b"defabc");
        assert!(rows.read(2, &mut bytes).is_err());
        assert!(Rows::open(path, 3, 3).is_err_and(|error| error.to_string().contains("6 bytes, expected 9")));
        Ok(())
    }
}
