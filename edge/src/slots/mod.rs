//! Two bundle slots in the state folder. `edge install` writes the one that is not needed, once the new bundle has
//! proved itself, and makes it the one that flies; a power cut at any moment leaves the other as it was.

mod lock;
mod record;
mod slot;

pub use lock::{SlotsLock, give, give_all};
pub use record::{LoadReport, ValidatedBundle};
pub use slot::Slot;

use super::error::{Cause, Error, Result, chain, ensure};
use super::health::golden::Golden;
use cssa::bundle::{self, Bundle, BundleWriter, Trusted};
use cssa::files::{self, FileError};
use record::{RECORD, Record};
use std::path::{Path, PathBuf};

/// The slots of a state folder.
#[derive(Debug)]
pub struct Slots {
    state: PathBuf,
    folder: PathBuf,
    record: Record,
    problem: Option<FileError>,
}

impl Slots {
    /// Reads the record. Where there is none the slots are empty. Where it cannot be read or is damaged no slot flies,
    /// since nothing says which of their bundles proved itself, and none is written: [`Slots::unknown`] has what is
    /// wrong.
    #[must_use]
    pub fn open(state: &Path) -> Self {
        let folder = state.join("slots");
        let (record, problem) = match Record::read(&folder.join(RECORD)) {
            Ok(record) => (record, None),
            Err(problem) => (Record::default(), Some(problem)),
        };
        Self { state: state.into(), folder, record, problem }
    }

    /// Why nothing is known of the slots although they may have been used; asked once.
    pub fn unknown(&mut self) -> Option<Error> {
        let source = self.problem.take()?;
        Some(Error::SlotsUnknown { record: self.folder.join(RECORD), source })
    }

    /// The folder of a slot's bundle.
    #[must_use]
    pub fn path(&self, slot: Slot) -> PathBuf {
        self.folder.join(slot.name())
    }

    /// What is known of a slot.
    #[must_use]
    pub fn good(&self, slot: Slot) -> Option<&ValidatedBundle> {
        self.record.of(slot)
    }

    /// The slots that proved themselves: those that did not load last time come last, else the active one first.
    #[must_use]
    pub fn order(&self) -> Vec<Slot> {
        let active = self.record.active.unwrap_or(Slot::A);
        let mut order = vec![active, active.other()];
        order.retain(|slot| self.good(*slot).is_some());
        order.sort_by_key(|slot| self.has_failed(*slot));
        order
    }

    /// Whether a slot did not load when that was tried last.
    #[must_use]
    pub fn has_failed(&self, slot: Slot) -> bool {
        self.good(slot).is_some_and(|good| good.failed.is_some())
    }

    /// Whether what is known of a slot is still what it was: no install has replaced its bundle.
    #[must_use]
    pub fn is_still(&self, slot: Slot, known: &ValidatedBundle) -> bool {
        self.good(slot).is_some_and(|good| good.is_same(known))
    }

    /// Keeps other programs from changing the slots, and reads the record again, since one may have changed them
    /// before. Where that cannot be read, what was read before is still true of the folders.
    ///
    /// # Errors
    /// Another program is at it, or the folder cannot be written.
    pub fn lock(&mut self) -> Result<SlotsLock> {
        let lock = SlotsLock::take(&self.state, &self.folder)?;
        match Record::read(&self.folder.join(RECORD)) {
            Ok(record) => (self.record, self.problem) = (record, None),
            Err(problem) => self.problem = Some(problem),
        }
        Ok(lock)
    }

    /// Removes what killed installs have left, where there are slots and no other program is at them.
    pub fn clean(&mut self) {
        if !self.folder.is_dir() {
            return;
        }
        match self.lock() {
            Ok(_) | Err(Error::SlotsLocked(_)) => {}
            Err(problem) => tracing::warn!("{}", chain(&problem)),
        }
    }

    /// Whether a report says anything that the record does not.
    #[must_use]
    pub fn is_news(&self, report: &LoadReport) -> bool {
        self.record.after(report) != self.record
    }

    /// Writes what came of loading the slots into the record, at once.
    pub fn keep(&mut self, _: &SlotsLock, report: &LoadReport) -> Result<()> {
        self.record = self.record.after(report);
        self.write()
    }

    /// As [`Slots::keep`], and the slot that loaded is the active one from now on.
    pub fn activate(&mut self, lock: &SlotsLock, report: &LoadReport) -> Result<()> {
        let before = self.record.active;
        self.record.active = report.loaded.as_ref().map(|(slot, ..)| *slot).or(before);
        self.keep(lock, report).inspect_err(|_| self.record.active = before)
    }

    /// Installs a bundle: checks it, lets `prove` caption the golden image with it, writes it into a slot and makes
    /// that the active one. It never writes into the slot that flies: where both have a bundle, `prove` says which of
    /// them can, the active one first.
    ///
    /// # Errors
    /// The slots' record cannot be read, another program changes them, or the bundle is damaged, not signed or fails
    /// its test: the slots are what they were. The disk takes nothing: the slot that flies is what it was.
    pub fn install(
        &mut self,
        place: &Path,
        trusted: Option<&Trusted>,
        mut prove: impl FnMut(&Path) -> Result<Golden, Cause>,
    ) -> Result<(Slot, u16)> {
        let new = Bundle::read_trusted(place, trusted)?;
        let _lock = self.lock()?;
        if let Some(unknown) = self.unknown() {
            return Err(unknown);
        }
        let golden = prove(place).map_err(|source| Error::Verification { bundle: place.into(), source })?;
        let slot = self.target(&mut prove);
        // What was in the slot is not good any more before anything of it changes.
        *self.record.of_mut(slot) = None;
        self.write()?;
        let path = self.path(slot);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(Error::folder(&path, "cannot be removed"))?;
        }
        BundleWriter::create(&path)?.write(&bundle::contents(place)?)?;
        give_all(&path, &self.state)?;
        // What lies there now is what proved itself: the source may have changed since.
        let written = Bundle::read_trusted(&path, trusted)?;
        ensure!(written.manifest == new.manifest, Error::Changed(place.into()));
        *self.record.of_mut(slot) = Some(ValidatedBundle { id: new.id, failed: None, golden });
        self.record.active = Some(slot);
        self.write()?;
        Ok((slot, new.id))
    }

    /// Where a new bundle goes: an empty slot, else the one that is not the first that flies.
    fn target(&self, prove: &mut impl FnMut(&Path) -> Result<Golden, Cause>) -> Slot {
        if let Some(empty) = [Slot::A, Slot::B].into_iter().find(|slot| self.good(*slot).is_none()) {
            return empty;
        }
        let order = self.order();
        let mut flies = |slot: &Slot| match (self.good(*slot), prove(&self.path(*slot))) {
            (Some(good), Ok(now)) => good.golden.check(&now).is_ok(),
            _ => false,
        };
        order.iter().copied().find(|slot| flies(slot)).or(order.first().copied()).map_or(Slot::A, Slot::other)
    }

    fn write(&self) -> Result<()> {
        let path = self.folder.join(RECORD);
        files::write(&path, self.record.text()?.as_bytes())?;
        give(&path, &self.state)
    }
}

#[cfg(test)]
mod tests;
