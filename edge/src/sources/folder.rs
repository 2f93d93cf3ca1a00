//! Images that appear in a folder.

use super::image_file::{Cutting, ImageFile, Untiled};
use super::key;
use super::source::{Next, Source};
use crate::error::{Error, Result};
use cssa_image::EXTENSIONS;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use walkdir::{DirEntry, WalkDir};

/// A file that has not changed for so long is complete.
const SETTLING: Duration = Duration::from_secs(2);

/// A folder with images.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Its path.
    pub path: PathBuf,
    /// Go on looking for new images; else end when all have been seen.
    pub watch: bool,
}

/// Images that appear in a folder and below, by name. A file counts as complete when it has not changed for two seconds, or between two
/// looks; files and folders whose names begin with a dot, and files that end in `.part`, are not looked at, nor is what lies behind links
/// to folders. A folder that is not there is said once, and waited for.
pub struct FolderSource {
    folder: Folder,
    cutting: Cutting,
    open: Option<ImageFile>,
    waiting: VecDeque<Candidate>,
    unsettled: BTreeMap<PathBuf, (u64, SystemTime)>,
    /// Files that were given in this run, so that the store is not asked again and again.
    given: BTreeSet<String>,
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

#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    key: String,
}

impl Absence {
    /// What is still to be said.
    fn say(&mut self) -> Option<Error> {
        match std::mem::take(self) {
            Self::There => None,
            absent => {
                let error = if let Self::Unsaid(error) = absent { Some(error) } else { None };
                *self = Self::Said;
                error
            }
        }
    }
}

impl FolderSource {
    /// A source that has looked at nothing yet.
    #[must_use]
    pub fn new(folder: Folder, cutting: Cutting) -> Self {
        let (waiting, unsettled, given) = (VecDeque::new(), BTreeMap::new(), BTreeSet::new());
        Self {
            folder,
            cutting,
            open: None,
            waiting,
            unsettled,
            given,
            closed: BTreeSet::new(),
            absence: Absence::There,
        }
    }

    /// Looks for new files.
    fn look(&mut self) -> Result<()> {
        let mut found = Vec::new();
        let mut unsettled = BTreeMap::new();
        let mut there = BTreeSet::new();
        for path in self.images()? {
            let Ok(metadata) = path.metadata() else { continue };
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let key = key::of_state(&path, metadata.len(), changed);
            there.insert(key.clone());
            if self.given.contains(&key) {
                continue;
            }
            let state = (metadata.len(), changed);
            let old = changed.elapsed().is_ok_and(|age| age >= SETTLING);
            if old || !self.folder.watch || self.unsettled.get(&path) == Some(&state) {
                found.push(Candidate { path, key });
            } else {
                unsettled.insert(path, state);
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        self.given.retain(|key| there.contains(key));
        self.given.extend(found.iter().map(|candidate| candidate.key.clone()));
        (self.unsettled, self.waiting) = (unsettled, found.into());
        Ok(())
    }

    /// The images that are there now. A folder below that cannot be read is said once.
    fn images(&mut self) -> Result<Vec<PathBuf>> {
        if self.folder.path.metadata().is_ok_and(|there| !there.is_dir()) {
            return Err(Error::path(&self.folder.path)(std::io::ErrorKind::NotADirectory.into()));
        }
        let mut images = Vec::new();
        let mut is_there = true;
        for entry in WalkDir::new(&self.folder.path).into_iter().filter_entry(is_open) {
            let error = match entry {
                Ok(entry) if is_image(&entry) => {
                    images.push(entry.into_path());
                    continue;
                }
                Ok(_) => continue,
                Err(error) => error,
            };
            let (path, depth) = (error.path().unwrap_or(&self.folder.path).to_path_buf(), error.depth());
            let error = std::io::Error::from(error);
            let is_absent = error.kind() == std::io::ErrorKind::NotFound;
            if depth == 0 && !(is_absent && self.folder.watch) {
                return Err(Error::path(&self.folder.path)(error));
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
        Ok(images)
    }
}

impl Source for FolderSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        let settled = &|key: &str| key::is_settled(key, settled);
        loop {
            if let Some(frame) = self.open.as_mut().and_then(|image| image.next(settled)) {
                return Ok(Next::Frame(frame));
            }
            self.open = None;
            if self.waiting.is_empty() {
                self.look()?;
                if let Some(error) = self.absence.say() {
                    return Ok(Next::Failed(error));
                }
            }
            let Some(Candidate { path, key }) = self.waiting.pop_front() else {
                let may_come = self.folder.watch || !self.unsettled.is_empty();
                return Ok(if may_come { Next::Nothing } else { Next::End });
            };
            if settled(&key) {
                continue;
            }
            match ImageFile::open(&path, &key, self.cutting, Untiled::Whole) {
                Ok(image) => self.open = Some(image),
                Err(unreadable) => return Ok(Next::Frame(*unreadable)),
            }
        }
    }

    fn is_gone(&self, key: &str) -> bool {
        // From its end: an earlier program's path may hold a |.
        let path = key.rsplitn(3, '|').nth(2).unwrap_or(key);
        !key::path_of(path).exists() && !Path::new(path).exists()
    }
}

/// Whether an entry is looked at: the folder itself, and what is not hidden.
fn is_open(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_name().as_bytes().starts_with(b".")
}

/// Whether an entry is a file, or a link to one, whose name is an image's: devices, pipes and sockets are none.
fn is_image(entry: &DirEntry) -> bool {
    let ending = entry.path().extension().unwrap_or_default().to_string_lossy().to_lowercase();
    entry.depth() > 0 && EXTENSIONS.contains(&ending.as_str()) && entry.path().is_file()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cutting, names};
    use super::*;
    use anyhow::Result;
    use image::RgbImage;
    use std::ffi::OsStr;

    #[test]
    fn a_folder_gives_each_file_once_and_waits_for_unfinished_ones() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let image = RgbImage::from_pixel(600, 300, image::Rgb([9, 9, 9]));
        let path = |name: &str| folder.path().join(name);
        image.save(path("b.png"))?;
        std::fs::write(path("a.jpg"), b"\xff\xd8 cut off")?;
        std::fs::write(path(".hidden.png"), b"")?;
        std::fs::write(path("notes.txt"), b"")?;
        let watched = |watch| Folder { path: folder.path().into(), watch };
        let cut = cutting(300);
        let mut source = FolderSource::new(watched(true), cut);
        assert!(names(&mut source, &|_| false)?.is_empty(), "new files may still be written");
        let found = names(&mut source, &|_| false)?;
        assert_eq!(found, [("a.jpg".into(), false), ("b.png#0".into(), true), ("b.png#1".into(), true)]);
        assert!(names(&mut source, &|_| false)?.is_empty());
        let mut second = FolderSource::new(watched(false), cut);
        let found = names(&mut second, &|key| key.contains("a.jpg") || key.ends_with("#0"))?;
        assert_eq!(found, [("b.png#1".into(), true)]);
        assert!(matches!(second.next(&|_| true)?, Next::End));
        assert!(!second.is_gone(&format!("{}|1|2", path("b.png").display())));
        assert!(second.is_gone(&format!("{}|1|2", path("c.png").display())));
        Ok(())
    }

    /// What a source gives, settled under its key, and what a second one gives then.
    fn twice(folder: &Path) -> Result<[Vec<String>; 2]> {
        let mut done = BTreeSet::new();
        let mut given = || -> Result<Vec<String>> {
            let mut source = FolderSource::new(Folder { path: folder.into(), watch: false }, cutting(0));
            let mut names = Vec::new();
            while let Next::Frame(frame) = source.next(&|key| done.contains(key))? {
                names.push(frame.name.rsplit('/').next().unwrap_or_default().to_owned());
                done.extend(frame.key);
            }
            // As at the start of `edge run`.
            done.retain(|key| !source.is_gone(key));
            Ok(names)
        };
        Ok([given()?, given()?])
    }

    #[test]
    fn each_name_is_captioned_once_whatever_its_bytes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let names: [&[u8]; 6] = [b"a.png", b"b|c.png", b"b|1|2.png", b"d\\x7c.png", b"\xfe.png", b"\xff.png"];
        let first = folder.path().join(OsStr::from_bytes(names[0]));
        RgbImage::new(40, 40).save(&first)?;
        let changed = first.metadata()?.modified()?;
        for name in &names[1..] {
            let path = folder.path().join(OsStr::from_bytes(name));
            std::fs::copy(&first, &path)?;
            // Of one size and one time: only their bytes differ.
            std::fs::File::options().write(true).open(&path)?.set_modified(changed)?;
        }
        let [once, again] = twice(folder.path())?;
        assert_eq!((once.len(), again), (names.len(), Vec::new()), "{once:?}");
        Ok(())
    }

    #[test]
    fn what_an_earlier_program_settled_stays_settled() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("b|c.png");
        RgbImage::new(40, 40).save(&path)?;
        let metadata = path.metadata()?;
        let nanoseconds = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        let earlier = format!("{}|{}|{nanoseconds}", path.display(), metadata.len());
        let watched = Folder { path: folder.path().into(), watch: false };
        let mut source = FolderSource::new(watched, cutting(0));
        assert!(!source.is_gone(&earlier));
        assert!(names(&mut source, &|key| key == earlier)?.is_empty());
        Ok(())
    }

    #[test]
    fn a_folder_that_is_not_there_is_said_once_and_waited_for() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("misspelt");
        let mut source = FolderSource::new(Folder { path: path.clone(), watch: true }, cutting(0));
        for _ in 0..2 {
            let Next::Failed(error) = source.next(&|_| false)? else { anyhow::bail!("nothing was said") };
            assert!(error.to_string().contains("misspelt"), "{error}");
            assert!(matches!(source.next(&|_| false)?, Next::Nothing));
            std::fs::create_dir(&path)?;
            RgbImage::new(40, 40).save(path.join("a.png"))?;
            names(&mut source, &|_| false)?;
            assert_eq!(names(&mut source, &|_| false)?, [("a.png".into(), true)]);
            std::fs::remove_dir_all(&path)?;
        }
        Ok(())
    }

    #[test]
    fn the_folders_of_a_camera_are_descended() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        for name in ["DCIM/100MEDIA", "DCIM/101MEDIA", ".Trashes", "DCIM/.hidden"] {
            std::fs::create_dir_all(at(name))?;
            RgbImage::new(40, 40).save(at(name).join("DJI_0001.png"))?;
        }
        RgbImage::new(40, 40).save(at("z.png"))?;
        // Neither circles nor what would never answer.
        std::os::unix::fs::symlink("..", at("DCIM/circle"))?;
        std::os::unix::fs::symlink("101MEDIA", at("DCIM/102MEDIA"))?;
        std::os::unix::fs::symlink("nowhere", at("DCIM/dangling.jpg"))?;
        anyhow::ensure!(std::process::Command::new("mkfifo").arg(at("DCIM/pipe.jpg")).status()?.success());
        let _socket = std::os::unix::net::UnixListener::bind(at("DCIM/socket.jpg"))?;
        std::fs::create_dir(at("folder.jpg"))?;
        assert_eq!(twice(folder.path())?, [vec!["DJI_0001.png", "DJI_0001.png", "z.png"], vec![]]);
        // While it is watched, also in a folder that is new.
        let watched = Folder { path: folder.path().into(), watch: true };
        let mut source = FolderSource::new(watched, cutting(0));
        names(&mut source, &|_| false)?;
        assert_eq!(names(&mut source, &|_| false)?.len(), 3);
        std::fs::create_dir_all(at("DCIM/103MEDIA"))?;
        RgbImage::new(40, 40).save(at("DCIM/103MEDIA/new.png"))?;
        names(&mut source, &|_| false)?;
        assert_eq!(names(&mut source, &|_| false)?, [("new.png".into(), true)]);
        let file = Folder { path: at("z.png"), watch: true };
        assert!(FolderSource::new(file, cutting(0)).next(&|_| false).is_err());
        Ok(())
    }
}
