//! Rows of equal length in a file: what is computed once for each image of a list and read at random afterwards.
//!
//! An unfinished file keeps its rows under `.part`, and the next run goes on after them.

use anyhow::{Context, Result, ensure};
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
        let file = File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let (found, expected) = (file.metadata()?.len(), (rows * length) as u64);
        ensure!(found == expected, "{} has {found} bytes, expected {expected}: delete it", path.display());
        Ok(Self { file, path, rows, length })
    }

    /// Appends the bytes of row `row`.
    pub fn read(&self, row: usize, into: &mut Vec<u8>) -> Result<()> {
        ensure!(row < self.rows, "{} has {} rows, not {row}", self.path.display(), self.rows);
        let start = into.len();
        into.resize(start + self.length, 0);
        let offset = (row * self.length) as u64;
        self.file.read_exact_at(&mut into[start..], offset).with_context(|| format!("{}", self.path.display()))
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
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be created", folder.display()))?;
        }
        let part = path.with_extension("part");
        let opened = OpenOptions::new().create(true).append(true).open(&part);
        let file = opened.with_context(|| format!("{} cannot be written", part.display()))?;
        file.try_lock().with_context(|| format!("{} is being written by another run", part.display()))?;
        let done = file.metadata()?.len() as usize / length;
        file.set_len((done * length) as u64)?;
        Ok((Self { file, part, path: path.to_path_buf() }, done))
    }

    /// Appends whole rows.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).with_context(|| format!("{} cannot be written", self.part.display()))
    }

    /// Shows the file under its name.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.part, &self.path).with_context(|| format!("{} cannot be written", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
