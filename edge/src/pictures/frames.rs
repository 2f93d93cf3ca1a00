//! Whole frames in a folder, within a number of bytes: the oldest go first. A file's name says whose caption it belongs to.

use super::subject::Subject;
use crate::error::Result;
use crate::leftovers::clean;
use cssa::files::{self, FileError};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

/// Its name in the state folder.
pub(crate) const FRAMES: &str = "frames";
/// Bytes of the disk that frames leave free.
pub(super) const RESERVE: u64 = 32 << 20;
/// Of JPEG: what a crop is cut from must not show the codec.
const QUALITY: u8 = 90;

/// The folder.
#[derive(Debug)]
pub(super) struct Frames {
    folder: PathBuf,
    limit: u64,
    /// The frames that are here, with their bytes, by the numbers of their captions; and the numbers, the oldest first: another store may
    /// have begun anew with its numbers.
    all: BTreeMap<u32, (Subject, u64)>,
    ages: VecDeque<u32>,
    bytes: u64,
}

impl Frames {
    /// Opens or makes the folder in the state folder, for at most so many bytes; what has no room any more goes.
    pub(super) fn open(state: &Path, limit: u64) -> Result<Self> {
        let folder = state.join(FRAMES);
        let mut frames = Self { folder, limit, all: BTreeMap::new(), ages: VecDeque::new(), bytes: 0 };
        if limit == 0 && !frames.folder.exists() {
            return Ok(frames);
        }
        files::create_folder(&frames.folder)?;
        clean(&frames.folder);
        let at = |cause| FileError::System { path: frames.folder.clone(), action: "cannot be read", cause };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&frames.folder).map_err(at)? {
            let entry = entry.map_err(at)?;
            let Some(subject) = entry.file_name().to_str().and_then(subject_of) else { continue };
            let metadata = entry.metadata().map_err(at)?;
            found.push((metadata.modified().map_err(at)?, subject, metadata.len()));
        }
        found.sort_by_key(|(written, subject, _)| (*written, subject.number));
        for (_, subject, bytes) in found {
            // Of two with one number, which two stores have made, the newer is asked for.
            frames.forget(subject.number)?;
            frames.add(subject, bytes);
        }
        frames.make_room(0)?;
        Ok(frames)
    }

    /// Keeps a frame, where it has room at all.
    pub(super) fn put(&mut self, subject: Subject, frame: &RgbImage) -> Result<()> {
        if self.limit == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let path = self.path(subject);
        let encoded = JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(frame);
        encoded.map_err(|problem| FileError::content(&path, problem))?;
        let length = bytes.len() as u64;
        self.forget(subject.number)?;
        if length > self.limit {
            return Ok(());
        }
        self.make_room(length)?;
        // What captions need of the disk is not theirs.
        while free(&self.folder).is_some_and(|free| free < length + RESERVE) {
            if !self.forget_oldest()? {
                return Ok(());
            }
        }
        files::write(&path, &bytes)?;
        self.add(subject, length);
        Ok(())
    }

    /// Forgets the oldest frame, for the sake of what the disk has no room for; whether there was one.
    pub(super) fn forget_oldest(&mut self) -> Result<bool> {
        let Some(&oldest) = self.ages.front() else { return Ok(false) };
        self.forget(oldest).map(|()| true)
    }

    fn add(&mut self, subject: Subject, bytes: u64) {
        self.all.insert(subject.number, (subject, bytes));
        self.ages.push_back(subject.number);
        self.bytes += bytes;
    }

    fn forget(&mut self, number: u32) -> Result<()> {
        let Some(&(subject, bytes)) = self.all.get(&number) else { return Ok(()) };
        self.remove(subject)?;
        self.all.remove(&number);
        self.ages.retain(|other| *other != number);
        self.bytes -= bytes;
        Ok(())
    }

    /// The frame of the caption of a number as it was written, where it is here.
    pub(super) fn get(&self, number: u32) -> Result<Option<(Subject, Vec<u8>)>> {
        let Some((subject, length)) = self.all.get(&number) else { return Ok(None) };
        Ok(Some((*subject, files::read(&self.path(*subject), *length)?)))
    }

    /// Forgets all frames.
    pub(super) fn clear(&mut self) -> Result<()> {
        while self.forget_oldest()? {}
        Ok(())
    }

    fn make_room(&mut self, bytes: u64) -> Result<()> {
        while self.bytes + bytes > self.limit && self.forget_oldest()? {}
        Ok(())
    }

    /// Removes a frame's file, which may be gone already.
    fn remove(&self, subject: Subject) -> Result<()> {
        let path = self.path(subject);
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::System { path, action: "cannot be removed", cause }.into())
            }
            _ => Ok(()),
        }
    }

    fn path(&self, Subject { number, time, digest }: Subject) -> PathBuf {
        self.folder.join(format!("{number:010}-{time:08x}-{digest:08x}.jpg"))
    }
}

/// The pixels of a frame that was written here.
pub(super) fn decoded(bytes: &[u8]) -> Option<RgbImage> {
    Some(image::load_from_memory_with_format(bytes, ImageFormat::Jpeg).ok()?.into_rgb8())
}

/// Bytes of the disk that are free for this program; nothing where the system does not say.
pub(super) fn free(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// What a file's name says; nothing of one that is none of these.
fn subject_of(name: &str) -> Option<Subject> {
    let mut parts = name.strip_suffix(".jpg")?.split('-');
    let number = parts.next().filter(|number| number.len() == 10)?.parse().ok()?;
    let mut hexadecimal =
        || parts.next().filter(|part| part.len() == 8).and_then(|part| u32::from_str_radix(part, 16).ok());
    Some(Subject { number, time: hexadecimal()?, digest: hexadecimal()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use image::Rgb;

    fn subject(number: u32) -> Subject {
        Subject { number, time: 1_763_928_000, digest: 0xdead_0000 + number }
    }

    #[test]
    fn frames_are_kept_within_their_bytes_and_over_starts() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let frame = |shade| RgbImage::from_pixel(64, 48, Rgb([shade, 0, 0]));
        let mut frames = Frames::open(folder.path(), 1 << 20)?;
        frames.put(subject(0), &frame(0))?;
        let one = frames.bytes;
        drop(frames);
        std::fs::write(folder.path().join(FRAMES).join("holiday.jpg"), "somebody's")?;
        let mut frames = Frames::open(folder.path(), 3 * one + one / 2)?;
        for number in 1..6 {
            frames.put(subject(number), &frame(40 * number as u8))?;
        }
        drop(frames);
        let mut frames = Frames::open(folder.path(), 3 * one + one / 2)?;
        let numbers = |frames: &Frames| -> Result<Vec<u32>> {
            (0..9).filter_map(|n| frames.get(n).transpose()).map(|found| Ok(found?.0.number)).collect()
        };
        assert_eq!(numbers(&frames)?, [3, 4, 5]);
        let (of, found) = frames.get(4)?.context("a frame")?;
        let found = decoded(&found).context("an image")?;
        assert!(of == subject(4) && found.dimensions() == (64, 48) && found.get_pixel(5, 5)[0].abs_diff(160) < 4);
        // Another store began anew with its numbers: the newest frames are its.
        frames.put(Subject { digest: 1, ..subject(4) }, &frame(9))?;
        assert_eq!((frames.get(4)?.context("a frame")?.0.digest, numbers(&frames)?), (1, vec![3, 4, 5]));
        frames.put(subject(0), &frame(9))?;
        drop(frames);
        let mut frames = Frames::open(folder.path(), 3 * one + one / 2)?;
        assert_eq!(numbers(&frames)?, [0, 4, 5]);
        frames.put(subject(1), &frame(9))?;
        assert_eq!(numbers(&frames)?, [0, 1, 4], "the oldest goes, whatever its number");
        drop(frames);
        let frames = Frames::open(folder.path(), one + one / 2)?;
        assert_eq!(numbers(&frames)?.len(), 1, "less room");
        drop(frames);
        let mut frames = Frames::open(folder.path(), 1)?;
        frames.put(subject(7), &frame(1))?;
        assert_eq!((numbers(&frames)?, frames.bytes), (vec![], 0), "no room for any");
        let left: Vec<_> = std::fs::read_dir(folder.path().join(FRAMES))?.collect::<Result<_, _>>()?;
        assert_eq!(left.len(), 1, "what is not ours stays");
        Ok(())
    }
}
