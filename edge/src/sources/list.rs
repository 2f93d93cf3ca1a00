//! Images named in a file.

use super::image_file::{Cutting, ImageFile, Untiled};
use super::key;
use super::source::{Next, Source};
use crate::error::Result;
use cssa::files;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Largest list of images, in bytes.
const MAX_LIST: u64 = 1 << 28;

/// Images named in a file, one a line, from its folder; empty lines and lines that begin with # are passed over. Each line is captioned
/// once, and again where its file has changed.
pub struct ListSource {
    waiting: VecDeque<(usize, PathBuf)>,
    cutting: Cutting,
    open: Option<ImageFile>,
}

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
        let waiting = named.map(|(n, line)| (n, folder.join(OsStr::from_bytes(line)))).collect();
        Ok(Self { waiting, cutting, open: None })
    }
}

impl Source for ListSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        loop {
            if let Some(frame) = self.open.as_mut().and_then(|image| image.next(settled)) {
                return Ok(Next::Frame(frame));
            }
            self.open = None;
            let Some((line, path)) = self.waiting.pop_front() else { return Ok(Next::End) };
            let key = format!("{}|line {}", key::of_file(&path), line + 1);
            if settled(&key) {
                continue;
            }
            match ImageFile::open(&path, &key, self.cutting, Untiled::Whole) {
                Ok(image) => self.open = Some(image),
                Err(unreadable) => return Ok(Next::Frame(*unreadable)),
            }
        }
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
        let found = names(&mut source, &|_| false)?;
        assert_eq!(found, [("a.png".into(), true), ("missing.png".into(), false), ("a.png".into(), true)]);
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
