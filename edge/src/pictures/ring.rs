//! Small pictures in a file of slots: a caption's picture stands in the slot of its number modulo their count, where it takes the place of an
//! older one. Each slot has its checksum, so that what a power cut has left half written is no picture.

use super::encode::SMALL_BYTES;
use super::subject::Subject;
use crate::error::{Error, Result};
use cssa::files::{self, FileError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Its name in the state folder.
pub(crate) const RING: &str = "pictures.ring";
/// Before the picture: CRC-32 of all that follows, number, time, digest, and the picture's length, little-endian.
const HEAD: usize = 4 + 4 + 4 + 4 + 2;
const SLOT: u64 = (HEAD + SMALL_BYTES) as u64;

/// The file, with `slots` slots.
#[derive(Debug)]
pub(super) struct Ring {
    path: PathBuf,
    file: File,
    slots: u64,
}

impl Ring {
    /// Opens or makes the file in a folder, of at most so many bytes; what a file of another size holds is kept as far as there is room.
    /// Nothing where there is no room for any picture.
    pub(super) fn open(folder: &Path, bytes: u64) -> Result<Option<Self>> {
        let (path, slots) = (folder.join(RING), bytes / SLOT);
        if slots == 0 {
            return match std::fs::remove_file(&path) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => Err(refused(&path, "cannot be removed")(cause)),
                _ => Ok(None),
            };
        }
        let open = || File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = open().map_err(refused(&path, "cannot be opened"))?;
        let length = file.metadata().map_err(refused(&path, "cannot be read"))?.len();
        let ring = Self { path: path.clone(), file, slots: length / SLOT };
        if length == slots * SLOT {
            return Ok(Some(ring));
        }
        let newest = ring.newest(slots)?;
        files::write_with(&path, |out| {
            for (slot, &place) in &newest {
                let mut bytes = [0; SLOT as usize];
                ring.file.read_exact_at(&mut bytes, place)?;
                out.seek(SeekFrom::Start(slot * SLOT))?;
                out.write_all(&bytes)?;
            }
            out.flush()?;
            // Where there is no picture yet it takes no room.
            out.get_ref().set_len(slots * SLOT)
        })?;
        let file = open().map_err(refused(&path, "cannot be opened"))?;
        Ok(Some(Self { path, file, slots }))
    }

    /// Keeps a picture. It is not flushed to the disk: what a power cut takes is a picture, and no caption.
    pub(super) fn put(&self, subject: Subject, picture: &[u8]) -> Result<()> {
        let Subject { number, time, digest } = subject;
        let length = (picture.len() as u16).to_le_bytes();
        let content =
            [&number.to_le_bytes()[..], &time.to_le_bytes(), &digest.to_le_bytes(), &length, picture].concat();
        let bytes = [&crc32fast::hash(&content).to_le_bytes()[..], &content].concat();
        self.file.write_all_at(&bytes, self.place(number)).map_err(refused(&self.path, "cannot be written"))
    }

    /// The picture of the caption of a number, where it is here.
    pub(super) fn get(&self, number: u32) -> Result<Option<(Subject, Vec<u8>)>> {
        let found = self.read(self.place(number))?;
        Ok(found.filter(|(subject, _)| subject.number == number))
    }

    /// Forgets all pictures.
    pub(super) fn clear(&self) -> Result<()> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.set_len(self.slots * SLOT));
        cleared.and_then(|()| self.file.sync_all()).map_err(refused(&self.path, "cannot be cleared"))
    }

    fn place(&self, number: u32) -> u64 {
        u64::from(number) % self.slots * SLOT
    }

    fn read(&self, place: u64) -> Result<Option<(Subject, Vec<u8>)>> {
        let mut slot = [0; SLOT as usize];
        match self.file.read_exact_at(&mut slot, place) {
            Err(cause) if cause.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(refused(&self.path, "cannot be read"))?,
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|n| slot[at + n]));
        let length = usize::from(u16::from_le_bytes([slot[16], slot[17]]));
        let is_whole = (1..=SMALL_BYTES).contains(&length)
            && slot.get(4..HEAD + length).is_some_and(|content| crc32fast::hash(content) == word(0));
        let subject = Subject { number: word(4), time: word(8), digest: word(12) };
        Ok(is_whole.then(|| (subject, slot[HEAD..HEAD + length].to_vec())))
    }

    /// Where the pictures with the highest numbers stand, by where each is to stand among so many slots.
    fn newest(&self, slots: u64) -> Result<BTreeMap<u64, u64>> {
        let mut all = Vec::new();
        for place in (0..self.slots).map(|slot| slot * SLOT) {
            if let Some((subject, _)) = self.read(place)? {
                all.push((subject.number, place));
            }
        }
        all.sort_unstable();
        Ok(all.into_iter().map(|(number, place)| (u64::from(number) % slots, place)).collect())
    }
}

/// An error of the system with the file's name.
fn refused(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |cause| FileError::System { path: path.into(), action, cause }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn subject(number: u32) -> Subject {
        Subject { number, time: 7 + number, digest: 9 * number }
    }

    #[test]
    fn the_newest_pictures_are_kept_within_the_bytes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let open = |slots: u64| Ring::open(folder.path(), slots * SLOT + 1);
        let ring = open(4)?.ok_or_else(|| anyhow::anyhow!("a ring"))?;
        for number in 0..6 {
            ring.put(subject(number), &[number as u8; 2560][..100 + number as usize])?;
        }
        let numbers = |ring: &Ring| -> Result<Vec<u32>> {
            (0..9).filter_map(|n| ring.get(n).transpose()).map(|found| Ok(found?.0.number)).collect()
        };
        assert_eq!(numbers(&ring)?, [2, 3, 4, 5]);
        assert_eq!(ring.get(5)?, Some((subject(5), vec![5; 105])));
        assert_eq!(std::fs::metadata(folder.path().join(RING))?.len(), 4 * SLOT);
        drop(ring);
        // After a start, and with more or less room.
        for (slots, expected) in [(4, vec![2, 3, 4, 5]), (9, vec![2, 3, 4, 5]), (2, vec![4, 5])] {
            let ring = open(slots)?.ok_or_else(|| anyhow::anyhow!("a ring"))?;
            assert_eq!(numbers(&ring)?, expected, "{slots} slots");
        }
        let ring = open(2)?.ok_or_else(|| anyhow::anyhow!("a ring"))?;
        ring.clear()?;
        assert_eq!(numbers(&ring)?, [] as [u32; 0]);
        assert!(open(0)?.is_none() && !folder.path().join(RING).exists(), "none is to be kept");
        Ok(())
    }

    /// Whatever a power cut or a failing disk leaves.
    #[test]
    fn a_damaged_slot_is_no_picture() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(RING);
        let open = || Ring::open(folder.path(), 2 * SLOT);
        let ring = open()?.ok_or_else(|| anyhow::anyhow!("a ring"))?;
        ring.put(subject(0), &[7; 50])?;
        let whole = std::fs::read(&path)?;
        for at in 0..HEAD + 50 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            std::fs::write(&path, damaged)?;
            assert_eq!(ring.get(0)?, None, "byte {at}");
        }
        std::fs::write(&path, &whole[..SLOT as usize + 5])?;
        let ring = open()?.ok_or_else(|| anyhow::anyhow!("a ring"))?;
        assert_eq!(ring.get(0)?.map(|(subject, _)| subject.number), Some(0), "a file that was cut off");
        assert_eq!(ring.get(1)?, None);
        Ok(())
    }
}
