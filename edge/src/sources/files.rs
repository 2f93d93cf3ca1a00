//! Image files: those that appear in a folder, those of a list.

use super::key;
use super::source::{Frame, Next, Source};
use super::tiler::{Tile, Tiles, tiles};
use crate::config::TilerConfig;
use crate::error::{Error, Result, chain};
use crate::position::{Whereabouts, note};
use cssa::files;
use cssa_image::tags;
use cssa_image::{EXTENSIONS, Kept, Picture};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use walkdir::{DirEntry, WalkDir};

/// Largest list of images, in bytes.
const MAX_LIST: u64 = 1 << 28;
/// Largest image file, in bytes.
const MAX_IMAGE: u64 = 1 << 30;
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
/// to folders. A folder that is gone is waited for.
#[derive(Debug)]
pub struct FolderSource {
    folder: Folder,
    cutter: Cutter,
    waiting: VecDeque<Candidate>,
    unsettled: BTreeMap<PathBuf, (u64, SystemTime)>,
    /// Files that were given in this run, so that the store is not asked again and again.
    given: BTreeSet<String>,
    /// Folders that cannot be read, and have been said.
    closed: BTreeSet<PathBuf>,
}

#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    key: String,
}

impl FolderSource {
    /// A source that has looked at nothing yet.
    #[must_use]
    pub fn new(folder: Folder, tiler: TilerConfig) -> Self {
        let (waiting, unsettled, given) = (VecDeque::new(), BTreeMap::new(), BTreeSet::new());
        Self { folder, cutter: Cutter::new(tiler), waiting, unsettled, given, closed: BTreeSet::new() }
    }

    /// Looks for new files.
    fn look(&mut self) -> Result<()> {
        let mut found = Vec::new();
        let mut unsettled = BTreeMap::new();
        let mut there = BTreeSet::new();
        for path in self.images()? {
            let Ok(metadata) = path.metadata() else { continue };
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let key = key(&path, metadata.len(), changed);
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
            if !is_absent && self.closed.insert(path.clone()) {
                tracing::warn!("{}: its images are not seen: {error}", path.display());
            }
        }
        Ok(images)
    }
}

impl Source for FolderSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        if let Some(frame) = self.cutter.next(settled) {
            return Ok(Next::Frame(frame));
        }
        if self.waiting.is_empty() {
            self.look()?;
        }
        while let Some(candidate) = self.waiting.pop_front() {
            self.cutter.load(&candidate.path, &candidate.key, settled);
            if let Some(frame) = self.cutter.next(settled) {
                return Ok(Next::Frame(frame));
            }
        }
        Ok(if self.folder.watch || !self.unsettled.is_empty() { Next::Nothing } else { Next::End })
    }

    fn is_gone(&self, key: &str) -> bool {
        // From its end: an earlier program's path may hold a |.
        let path = key.rsplitn(3, '|').nth(2).unwrap_or(key);
        !key::path_of(path).exists() && !Path::new(path).exists()
    }
}

/// Images named in a file, one a line, from its folder; empty lines and lines that begin with # are passed over.
#[derive(Debug)]
pub struct ListSource {
    waiting: VecDeque<(usize, PathBuf)>,
    cutter: Cutter,
}

impl ListSource {
    /// Reads the list.
    pub fn read(path: &Path, tiler: TilerConfig) -> Result<Self> {
        let text = files::read(path, MAX_LIST)?;
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let folder = path.parent().unwrap_or(Path::new("."));
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
        let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
        let waiting = named.map(|(n, line)| (n, folder.join(OsStr::from_bytes(line)))).collect();
        Ok(Self { waiting, cutter: Cutter::new(tiler) })
    }
}

impl Source for ListSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        loop {
            if let Some(frame) = self.cutter.next(settled) {
                return Ok(Next::Frame(frame));
            }
            let Some((line, path)) = self.waiting.pop_front() else { return Ok(Next::End) };
            let key = format!("{}|line {}", key::of(&path), line + 1);
            self.cutter.load(&path, &key, settled);
        }
    }
}

/// An image that is being cut into tiles.
#[derive(Debug)]
struct Cutter {
    tiler: TilerConfig,
    image: Option<Cut>,
    unreadable: Option<Frame>,
}

#[derive(Debug)]
struct Cut {
    name: String,
    key: String,
    picture: Picture,
    tags: tags::Tags,
    tiles: Tiles,
    several: bool,
}

impl Cutter {
    fn new(tiler: TilerConfig) -> Self {
        Self { tiler, image: None, unreadable: None }
    }

    /// Reads an image, unless it is settled as a whole.
    fn load(&mut self, path: &Path, key: &str, settled: &dyn Fn(&str) -> bool) {
        if is_settled(key, settled) {
            return;
        }
        let name = path.display().to_string();
        let read = files::read(path, MAX_IMAGE).map_err(|error| error.to_string());
        // Tiles are cut from all pixels; an image that is captioned whole needs fewer.
        let kept = if self.tiler.side == 0 { Kept::Reduced } else { Kept::All };
        let decoded = read.and_then(|bytes| {
            let tags = tags::read(&bytes);
            let picture = cssa_image::picture(bytes, kept).map_err(|error| format!("{name}: {}", chain(&error)))?;
            Ok((picture, tags))
        });
        match decoded {
            Ok((picture, tags)) => {
                if let Some(note) = picture.note() {
                    tracing::info!("{name}: {note}");
                }
                let tiles = tiles(picture.pixels.dimensions(), self.tiler.side, self.tiler.overlap);
                let several = tiles.len() > 1;
                self.image = Some(Cut { name, key: key.into(), picture, tags, tiles, several });
            }
            Err(error) => {
                let (pixels, position) = (Err(error), Whereabouts::Unsaid);
                self.unreadable = Some(Frame { name, key: Some(key.into()), pixels, position, time: None });
            }
        }
    }

    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Option<Frame> {
        if let Some(frame) = self.unreadable.take() {
            return Some(frame);
        }
        let cut = self.image.as_mut()?;
        let several = cut.several;
        for (n, tile) in cut.tiles.by_ref() {
            let (name, key) = if several {
                (format!("{}#{n}", cut.name), format!("{}#{n}", cut.key))
            } else {
                (cut.name.clone(), cut.key.clone())
            };
            if several && is_settled(&key, settled) {
                continue;
            }
            let Tile { x, y, width, height } = tile;
            let middle = (f64::from(x) + f64::from(width) / 2.0, f64::from(y) + f64::from(height) / 2.0);
            let in_file = cut.picture.in_file(middle);
            note(&name, &cut.tags.problems(in_file));
            let (position, time) = (Whereabouts::of_image(&cut.tags, in_file), cut.tags.time);
            let pixels = if several {
                image::imageops::crop_imm(&cut.picture.pixels, x, y, width, height).to_image()
            } else {
                std::mem::take(&mut cut.picture.pixels)
            };
            return Some(Frame { name, key: Some(key), pixels: Ok(pixels), position, time });
        }
        self.image = None;
        None
    }
}

/// Whether a frame needs no second look, under its name now or under an earlier program's.
fn is_settled(key: &str, settled: &dyn Fn(&str) -> bool) -> bool {
    settled(key) || key::earlier(key).is_some_and(|earlier| settled(&earlier))
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

/// Names a file as it is now: one that is written anew under the same name is another.
fn key(path: &Path, bytes: u64, changed: SystemTime) -> String {
    let nanoseconds = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}|{bytes}|{nanoseconds}", key::of(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use image::RgbImage;

    fn names(source: &mut dyn Source, settled: &dyn Fn(&str) -> bool) -> Result<Vec<(String, bool)>> {
        let mut names = Vec::new();
        while let Next::Frame(frame) = source.next(settled)? {
            names.push((frame.name.rsplit('/').next().unwrap_or_default().into(), frame.pixels.is_ok()));
        }
        Ok(names)
    }

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
        let tiler = TilerConfig { side: 300, overlap: 0.0 };
        let mut source = FolderSource::new(watched(true), tiler);
        assert!(names(&mut source, &|_| false)?.is_empty(), "new files may still be written");
        let found = names(&mut source, &|_| false)?;
        assert_eq!(found, [("a.jpg".into(), false), ("b.png#0".into(), true), ("b.png#1".into(), true)]);
        assert!(names(&mut source, &|_| false)?.is_empty());
        let mut second = FolderSource::new(watched(false), tiler);
        let found = names(&mut second, &|key| key.contains("a.jpg") || key.ends_with("#0"))?;
        assert_eq!(found, [("b.png#1".into(), true)]);
        assert!(matches!(second.next(&|_| true)?, Next::End));
        assert!(!second.is_gone(&format!("{}|1|2", path("b.png").display())));
        assert!(second.is_gone(&format!("{}|1|2", path("c.png").display())));
        Ok(())
    }

    #[test]
    fn a_list_names_files_from_its_folder() -> Result<()> {
        let folder = tempfile::tempdir()?;
        RgbImage::new(40, 40).save(folder.path().join("a.png"))?;
        std::fs::write(folder.path().join("list.txt"), "# two\na.png\n\nmissing.png\na.png\n")?;
        let tiler = TilerConfig { side: 0, overlap: 0.0 };
        let mut source = ListSource::read(&folder.path().join("list.txt"), tiler)?;
        let found = names(&mut source, &|_| false)?;
        assert_eq!(found, [("a.png".into(), true), ("missing.png".into(), false), ("a.png".into(), true)]);
        Ok(())
    }

    /// What a source gives, settled under its key, and what a second one gives then.
    fn twice(folder: &Path) -> Result<[Vec<String>; 2]> {
        let mut done = BTreeSet::new();
        let mut given = || -> Result<Vec<String>> {
            let mut source =
                FolderSource::new(Folder { path: folder.into(), watch: false }, TilerConfig { side: 0, overlap: 0.0 });
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
        let list = [names[1], b"\n", names[4], b"\r\n", names[5]].concat();
        std::fs::write(folder.path().join("list.txt"), list)?;
        let mut source = ListSource::read(&folder.path().join("list.txt"), TilerConfig { side: 0, overlap: 0.0 })?;
        assert_eq!(self::names(&mut source, &|_| false)?.iter().filter(|(_, is_read)| *is_read).count(), 3);
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
        let mut source = FolderSource::new(watched, TilerConfig { side: 0, overlap: 0.0 });
        assert!(!source.is_gone(&earlier));
        assert!(names(&mut source, &|key| key == earlier)?.is_empty());
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
        let mut source = FolderSource::new(watched, TilerConfig { side: 0, overlap: 0.0 });
        names(&mut source, &|_| false)?;
        assert_eq!(names(&mut source, &|_| false)?.len(), 3);
        std::fs::create_dir_all(at("DCIM/103MEDIA"))?;
        RgbImage::new(40, 40).save(at("DCIM/103MEDIA/new.png"))?;
        names(&mut source, &|_| false)?;
        assert_eq!(names(&mut source, &|_| false)?, [("new.png".into(), true)]);
        let file = Folder { path: at("z.png"), watch: true };
        assert!(FolderSource::new(file, TilerConfig { side: 0, overlap: 0.0 }).next(&|_| false).is_err());
        std::fs::write(at("list.txt"), "DCIM/pipe.jpg\nDCIM/socket.jpg\nfolder.jpg\n")?;
        let mut list = ListSource::read(&at("list.txt"), TilerConfig { side: 0, overlap: 0.0 })?;
        let refused = names(&mut list, &|_| false)?;
        assert!(refused.len() == 3 && refused.iter().all(|(_, is_read)| !is_read), "{refused:?}");
        Ok(())
    }
}
