//! Whole frames in a folder, within a number of bytes: the oldest go first. A file's name says whose caption it belongs to.

use super::subject::Subject;
use crate::error::Result;
use crate::leftovers::clean;
use cssa::files::{self, FileError};
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Its name in the state folder.
pub(crate) const FRAMES: &str = "frames";
/// Of JPEG: what a crop is cut from must not show the codec.
const QUALITY: u8 = 90;

/// The folder.
#[derive(Debug)]
pub(super) struct Frames {
    folder: PathBuf,
    limit: u64,
    /// The frames that are here, with their bytes, in the order in which their captions were made.
    all: BTreeMap<u32, (Subject, u64)>,
    bytes: u64,
}

impl Frames {
    /// Opens or makes the folder in the state folder, for at most so many bytes; what has no room any more goes.
    pub(super) fn open(state: &Path, limit: u64) -> Result<Self> {
        let folder = state.join(FRAMES);
        let mut frames = Self { folder, limit, all: BTreeMap::new(), bytes: 0 };
        if limit == 0 && !frames.folder.exists() {
            return Ok(frames);
        }
        files::create_folder(&frames.folder)?;
        clean(&frames.folder);
        let at = |cause| FileError::System { path: frames.folder.clone(), action: "cannot be read", cause };
        for entry in std::fs::read_dir(&frames.folder).map_err(at)? {
            let entry = entry.map_err(at)?;
            let Some(subject) = entry.file_name().to_str().and_then(subject_of) else { continue };
            let bytes = entry.metadata().map_err(at)?.len();
            // Of two with one number, which two stores have made, neither is told from the other by what asks for it.
            if let Some((other, _)) = frames.all.insert(subject.number, (subject, bytes)) {
                frames.bytes -= frames.remove(other)?;
            }
            frames.bytes += bytes;
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
        if let Some((earlier, _)) = self.all.remove(&subject.number) {
            self.bytes -= self.remove(earlier)?;
        }
        if length > self.limit {
            return Ok(());
        }
        self.make_room(length)?;
        files::write(&path, &bytes)?;
        self.all.insert(subject.number, (subject, length));
        self.bytes += length;
        Ok(())
    }

    /// The frame of the caption of a number, where it is here.
    pub(super) fn get(&self, number: u32) -> Result<Option<(Subject, RgbImage)>> {
        let Some((subject, length)) = self.all.get(&number) else { return Ok(None) };
        let path = self.path(*subject);
        let bytes = files::read(&path, *length)?;
        let frame = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg);
        Ok(Some((*subject, frame.map_err(|problem| FileError::content(&path, problem))?.into_rgb8())))
    }

    /// Forgets all frames.
    pub(super) fn clear(&mut self) -> Result<()> {
        while let Some(entry) = self.all.first_entry() {
            let subject = entry.get().0;
            self.bytes -= self.remove(subject)?;
            self.all.remove(&subject.number);
        }
        Ok(())
    }

    fn make_room(&mut self, bytes: u64) -> Result<()> {
        while self.bytes + bytes > self.limit
            && let Some(entry) = self.all.first_entry()
        {
            let subject = entry.get().0;
            self.bytes -= self.remove(subject)?;
            self.all.remove(&subject.number);
        }
        Ok(())
    }

    /// Removes a frame's file, which may be gone already; gives its bytes.
    fn remove(&self, subject: Subject) -> Result<u64> {
        let path = self.path(subject);
        let bytes = std::fs::metadata(&path).map_or(0, |found| found.len());
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(FileError::System { path, action: "cannot be removed", cause }.into())
            }
            _ => Ok(bytes),
        }
    }

    fn path(&self, Subject { number, time, digest }: Subject) -> PathBuf {
        self.folder.join(format!("{number:010}-{time:08x}-{digest:08x}.jpg"))
    }
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
        assert!(of == subject(4) && found.dimensions() == (64, 48) && found.get_pixel(5, 5)[0].abs_diff(160) < 4);
        // Another store began anew with its numbers.
        frames.put(Subject { digest: 1, ..subject(4) }, &frame(9))?;
        assert_eq!((frames.get(4)?.context("a frame")?.0.digest, numbers(&frames)?), (1, vec![3, 4, 5]));
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
