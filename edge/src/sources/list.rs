//! Images named in a file.

use super::file_sequence::{FileSequence, Named};
use super::image_file::{Cutting, Untiled};
use super::key;
use super::ledger::Ledger;
use super::source::{Next, Source};
use crate::error::Result;
use cssa::files;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Largest list of images, in bytes.
const MAX_LIST: u64 = 1 << 28;

/// Images named in a file, one a line, from its folder; empty lines and lines that begin with # are passed over. Each line is captioned
/// once, and again where its file has changed. What is not there, or is not given, is tried again behind the others, and in the next run.
pub struct ListSource(FileSequence);

impl ListSource {
    /// Reads the list.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(path: &Path, cutting: Cutting) -> Result<Self> {
        let text = files::read(path, MAX_LIST)?;
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let folder = path.parent().unwrap_or(Path::new("."));
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
        let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
        let path = |line| folder.join(OsStr::from_bytes(line));
        let files = named.map(|(n, line)| Named { path: path(line), line: Some(n + 1) });
        Ok(Self(FileSequence::new(files, cutting, Untiled::Whole)))
    }
}

impl Source for ListSource {
    fn next(&mut self, ledger: &dyn Ledger) -> Result<Next> {
        Ok(self.0.next(ledger))
    }

    fn is_gone(&self, key: &str) -> bool {
        key::is_gone(key, key::is_away)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cutting, names};
    use super::*;
    use anyhow::Result;
    use image::RgbImage;

    #[test]
    fn a_list_names_files_from_its_folder() -> Result<()> {
        let folder = tempfile::tempdir()?;
        RgbImage::new(40, 40).save(folder.path().join("a.png"))?;
        std::fs::write(folder.path().join("list.txt"), "# two\na.png\n\nmissing.png\na.png\n")?;
        let cut = cutting(0);
        let mut source = ListSource::read(&folder.path().join("list.txt"), cut)?;
        let mut found = names(&mut source, &|_| false)?;
        // What is missing comes behind the others, where it comes.
        found.extend(names(&mut source, &|_| false)?);
        assert_eq!(found, [("a.png".into(), true), ("a.png".into(), true)]);
        RgbImage::new(40, 40).save(folder.path().join("missing.png"))?;
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(names(&mut source, &|_| false)?, [("missing.png".into(), true)]);
        Ok(())
    }

    #[test]
    fn names_of_any_bytes_are_read() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let names: [&[u8]; 3] = [b"b|c.png", b"\xfe.png", b"\xff.png"];
        for name in names {
            RgbImage::new(40, 40).save(folder.path().join(OsStr::from_bytes(name)))?;
        }
        let list = [names[0], b"\n", names[1], b"\r\n", names[2]].concat();
        std::fs::write(folder.path().join("list.txt"), list)?;
        let mut source = ListSource::read(&folder.path().join("list.txt"), cutting(0))?;
        assert_eq!(
            super::super::tests::names(&mut source, &|_| false)?.iter().filter(|(_, is_read)| *is_read).count(),
            3
        );
        Ok(())
    }

    #[test]
    fn what_would_never_answer_is_not_waited_for() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("DCIM"))?;
        anyhow::ensure!(std::process::Command::new("mkfifo").arg(at("DCIM/pipe.jpg")).status()?.success());
        let _socket = std::os::unix::net::UnixListener::bind(at("DCIM/socket.jpg"))?;
        std::fs::create_dir(at("folder.jpg"))?;
        std::fs::write(at("list.txt"), "DCIM/pipe.jpg\nDCIM/socket.jpg\nfolder.jpg\n")?;
        let mut list = ListSource::read(&at("list.txt"), cutting(0))?;
        let refused = names(&mut list, &|_| false)?;
        assert!(refused.len() == 3 && refused.iter().all(|(_, is_read)| !is_read), "{refused:?}");
        Ok(())
    }
}
