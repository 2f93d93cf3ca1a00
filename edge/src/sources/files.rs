//! Image files: those that appear in a folder, those of a list.

use super::source::{Frame, Next, Source};
use super::tiler::{Tile, tiles};
use crate::config::TilerConfig;
use crate::error::{Error, Result};
use crate::position::{note, position};
use cssa::files;
use cssa_image::EXTENSIONS;
use cssa_image::tags;
use image::RgbImage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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

/// Images that appear in a folder, by name. A file counts as complete when it has not changed for two seconds, or between two
/// looks; files whose names begin with a dot or end in `.part` are not looked at. A folder that is gone is waited for.
#[derive(Debug)]
pub struct FolderSource {
    folder: Folder,
    cutter: Cutter,
    waiting: VecDeque<Candidate>,
    unsettled: BTreeMap<PathBuf, (u64, SystemTime)>,
    /// Files that were given in this run, so that the store is not asked again and again.
    given: BTreeSet<String>,
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
        Self { folder, cutter: Cutter::new(tiler), waiting, unsettled, given }
    }

    /// Looks for new files.
    fn look(&mut self) -> Result<()> {
        let entries = match std::fs::read_dir(&self.folder.path) {
            Ok(entries) => entries,
            Err(error) if self.folder.watch && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::path(&self.folder.path)(error)),
        };
        let mut found = Vec::new();
        let mut unsettled = BTreeMap::new();
        let mut there = BTreeSet::new();
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_image(path)) {
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
        let path = key.split('|').next().unwrap_or(key);
        !Path::new(path).exists()
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
        let text = files::read_text(path, MAX_LIST)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let lines = text.lines().map(str::trim).enumerate();
        let named = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        Ok(Self { waiting: named.map(|(n, line)| (n, folder.join(line))).collect(), cutter: Cutter::new(tiler) })
    }
}

impl Source for ListSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Result<Next> {
        loop {
            if let Some(frame) = self.cutter.next(settled) {
                return Ok(Next::Frame(frame));
            }
            let Some((line, path)) = self.waiting.pop_front() else { return Ok(Next::End) };
            let key = format!("{}|line {}", path.display(), line + 1);
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
    pixels: RgbImage,
    tags: tags::Tags,
    tiles: VecDeque<(usize, Tile)>,
}

impl Cutter {
    fn new(tiler: TilerConfig) -> Self {
        Self { tiler, image: None, unreadable: None }
    }

    /// Reads an image, unless it is settled as a whole.
    fn load(&mut self, path: &Path, key: &str, settled: &dyn Fn(&str) -> bool) {
        if settled(key) {
            return;
        }
        let name = path.display().to_string();
        let read = files::read(path, MAX_IMAGE).map_err(|error| error.to_string());
        let decoded = read.and_then(|bytes| match cssa_image::decode(&bytes) {
            Ok(pixels) => Ok((pixels, tags::read(&bytes))),
            Err(error) => Err(format!("{name}: {error}")),
        });
        match decoded {
            Ok((pixels, tags)) => {
                let tiles = tiles(pixels.dimensions(), self.tiler.side, self.tiler.overlap);
                let tiles = tiles.into_iter().enumerate().collect();
                self.image = Some(Cut { name, key: key.into(), pixels, tags, tiles });
            }
            Err(error) => {
                let pixels = Err(error);
                self.unreadable = Some(Frame { name, key: Some(key.into()), pixels, position: None, time: None });
            }
        }
    }

    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> Option<Frame> {
        if let Some(frame) = self.unreadable.take() {
            return Some(frame);
        }
        let cut = self.image.as_mut()?;
        let several = cut.tiles.len() > 1 || cut.tiles.front().is_some_and(|(n, _)| *n > 0);
        while let Some((n, tile)) = cut.tiles.pop_front() {
            let (name, key) = if several {
                (format!("{}#{n}", cut.name), format!("{}#{n}", cut.key))
            } else {
                (cut.name.clone(), cut.key.clone())
            };
            if several && settled(&key) {
                continue;
            }
            let Tile { x, y, width, height } = tile;
            let pixels = if several {
                image::imageops::crop_imm(&cut.pixels, x, y, width, height).to_image()
            } else {
                std::mem::take(&mut cut.pixels)
            };
            let middle = (f64::from(x) + f64::from(width) / 2.0, f64::from(y) + f64::from(height) / 2.0);
            note(&name, &cut.tags.problems(middle));
            let (position, time) = (cut.tags.place(middle).and_then(position), cut.tags.time);
            return Some(Frame { name, key: Some(key), pixels: Ok(pixels), position, time });
        }
        self.image = None;
        None
    }
}

fn is_image(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    !name.starts_with('.') && EXTENSIONS.contains(&ending.as_str()) && path.is_file()
}

/// Names a file as it is now: one that is written anew under the same name is another.
fn key(path: &Path, bytes: u64, changed: SystemTime) -> String {
    let nanoseconds = changed.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}|{bytes}|{nanoseconds}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

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
}
