//! Two bundle slots in the state folder. `edge install` writes the one that is not in use, lets it prove itself, and only then
//! makes it the one that flies; a power cut at any moment leaves the other as it was.

use super::error::{Cause, Error, Result, ensure};
use super::health::golden::Golden;
use cssa::bundle::{self, Bundle, BundleWriter, Trusted};
use cssa::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is known of the slots.
const RECORD: &str = "slots.toml";
/// What it begins with, so that it is never empty.
const HEADING: &str = "# Which slot flies, and what is known of each.\n";
/// Longest record, in bytes.
const MAX_RECORD: u64 = 1 << 20;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

/// `slots.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// The slot that flies.
    #[serde(skip_serializing_if = "Option::is_none")]
    active: Option<Slot>,
    /// What is known of each slot that proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<ValidatedBundle>,
    /// As `a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<ValidatedBundle>,
}

/// A bundle that proved itself on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatedBundle {
    /// The bundle's id.
    pub id: u16,
    /// What it made of the golden image.
    pub golden: Golden,
}

/// The slots of a state folder.
#[derive(Debug)]
pub struct Slots {
    folder: PathBuf,
    record: Record,
    problem: Option<FileError>,
}

impl Slot {
    /// The name of its folder.
    fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Slots {
    /// Reads the record. Where there is none the slots are empty; where it is damaged they count as empty, too, since nothing says any more
    /// which of their bundles proved itself: [`Slots::problem`] has what is wrong.
    pub fn open(state: &Path) -> Result<Self> {
        let folder = state.join("slots");
        std::fs::create_dir_all(&folder).map_err(Error::folder(&folder, "cannot be created"))?;
        let (record, problem) = match read(&folder.join(RECORD)) {
            Ok(record) => (record, None),
            Err(problem) => (Record::default(), Some(problem)),
        };
        Ok(Self { folder, record, problem })
    }

    /// Why nothing is known of the slots although they were used.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let lost = "no slot flies until a bundle is installed again; what was in them is still in a/ and b/ beside it";
        self.problem.as_ref().map(|problem| format!("{problem}: {lost}"))
    }

    /// The folder of a slot's bundle.
    #[must_use]
    pub fn path(&self, slot: Slot) -> PathBuf {
        self.folder.join(slot.name())
    }

    /// What is known of a slot.
    #[must_use]
    pub fn good(&self, slot: Slot) -> Option<&ValidatedBundle> {
        match slot {
            Slot::A => self.record.a.as_ref(),
            Slot::B => self.record.b.as_ref(),
        }
    }

    /// The slots that proved themselves, the active one first.
    #[must_use]
    pub fn order(&self) -> Vec<Slot> {
        let active = self.record.active.unwrap_or(Slot::A);
        [active, active.other()].into_iter().filter(|slot| self.good(*slot).is_some()).collect()
    }

    /// Installs a bundle: checks it, writes it into the slot that is not in use, lets `prove` caption the golden image with it
    /// and makes it the active one. On any error the active slot is what it was.
    pub fn install(
        &mut self,
        place: &Path,
        trusted: Option<&Trusted>,
        prove: impl FnOnce(&Path) -> Result<Golden, Cause>,
    ) -> Result<(Slot, u16)> {
        let new = Bundle::read_trusted(place, trusted)?;
        let slot = self.order().first().map_or(Slot::A, |active| active.other());
        // What was in the slot is not good any more before anything of it changes.
        self.set(slot, None);
        self.write()?;
        let path = self.path(slot);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(Error::folder(&path, "cannot be removed"))?;
        }
        BundleWriter::create(&path)?.write(&bundle::contents(place)?)?;
        // What lies there now is what was checked: the source may have changed since.
        let written = Bundle::read_trusted(&path, trusted)?;
        ensure!(written.id == new.id, Error::Changed(place.into()));
        let golden = prove(&path).map_err(|source| Error::Verification { bundle: path, source })?;
        self.set(slot, Some(ValidatedBundle { id: new.id, golden }));
        self.record.active = Some(slot);
        self.write()?;
        Ok((slot, new.id))
    }

    /// Makes the other slot the active one, because this one is damaged; it is no longer good.
    pub fn fall_back(&mut self, damaged: Slot) -> Result<Slot> {
        // Another process may have installed a bundle meanwhile.
        match read(&self.folder.join(RECORD)) {
            Ok(record) => self.record = record,
            // What was read before is still true of the folders.
            Err(problem) => tracing::warn!("{problem}"),
        }
        let other = damaged.other();
        if self.good(other).is_none() {
            return Err(Error::NoGoodBundle(self.path(damaged)));
        }
        self.set(damaged, None);
        self.record.active = Some(other);
        self.write()?;
        Ok(other)
    }

    fn set(&mut self, slot: Slot, good: Option<ValidatedBundle>) {
        match slot {
            Slot::A => self.record.a = good,
            Slot::B => self.record.b = good,
        }
    }

    fn write(&self) -> Result<()> {
        let text = HEADING.to_owned() + &toml::to_string_pretty(&self.record)?;
        Ok(files::write(&self.folder.join(RECORD), text.as_bytes())?)
    }
}

/// What a file says of the slots; nothing where there is none. An empty one is what some power cuts leave.
fn read(path: &Path) -> Result<Record, FileError> {
    if !path.exists() {
        return Ok(Record::default());
    }
    let text = files::read_text(path, MAX_RECORD)?;
    let is_used = [Slot::A, Slot::B].iter().any(|slot| path.with_file_name(slot.name()).is_dir());
    if is_used && text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).is_empty() {
        return Err(FileError::content(path, "is empty, expected what is known of the slots"));
    }
    files::parse_toml(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;
    use anyhow::Result;

    fn golden(caption: &str) -> Golden {
        Golden { caption: caption.into(), memory: vec![0.5, -0.25], largest: 0.5 }
    }

    #[test]
    fn a_bundle_flies_only_after_it_proved_itself() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let bundle = fixtures::bundle();
        let mut slots = Slots::open(folder.path())?;
        assert!(slots.order().is_empty());
        assert!(slots.install(&bundle, None, |_| Err("no caption".into())).is_err());
        assert!(Slots::open(folder.path())?.order().is_empty());
        let (first, id) = slots.install(&bundle, None, |path| {
            assert!(Bundle::read(path).is_ok());
            Ok(golden("a river"))
        })?;
        assert_eq!((first, slots.order()), (Slot::A, vec![Slot::A]));
        assert!(slots.fall_back(Slot::A).is_err(), "there is nothing to fall back to");
        let failed = slots.install(&bundle, None, |_| Err("no caption".into()));
        assert!(failed.is_err_and(|error| chain(&error).contains("failed its test: no caption")));
        assert_eq!(Slots::open(folder.path())?.order(), [Slot::A]);
        let (second, _) = slots.install(&bundle, None, |_| Ok(golden("a road")))?;
        assert_eq!(second, Slot::B);
        let mut again = Slots::open(folder.path())?;
        assert_eq!(again.order(), [Slot::B, Slot::A]);
        assert_eq!(again.good(Slot::B), Some(&ValidatedBundle { id, golden: golden("a road") }));
        assert_eq!((again.fall_back(Slot::B)?, again.order()), (Slot::A, vec![Slot::A]));
        Ok(())
    }

    #[test]
    fn a_power_cut_leaves_the_other_slot() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut slots = Slots::open(folder.path())?;
        slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
        // Cut while the second is being written: half a folder, and no word of it in the record.
        let half = slots.path(Slot::B);
        std::fs::create_dir_all(&half)?;
        std::fs::write(half.join("encoder.onnx"), b"half")?;
        let mut again = Slots::open(folder.path())?;
        assert_eq!(again.order(), [Slot::A]);
        again.install(&fixtures::bundle(), None, |_| Ok(golden("a road")))?;
        assert_eq!(again.order(), [Slot::B, Slot::A]);
        Ok(())
    }

    #[test]
    fn a_damaged_record_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut slots = Slots::open(folder.path())?;
        assert_eq!(slots.problem(), None);
        slots.install(&fixtures::bundle(), None, |_| Ok(golden("a river")))?;
        slots.install(&fixtures::bundle(), None, |_| Ok(golden("a road")))?;
        let record = folder.path().join("slots").join(RECORD);
        let whole = std::fs::read(&record)?;
        for damaged in [&whole[..whole.len() / 2], b"", b"\xff\xfe", b"active = \"c\"\n"] {
            std::fs::write(&record, damaged)?;
            let found = Slots::open(folder.path())?;
            assert!(found.order().is_empty());
            let said = found.problem().unwrap_or_default();
            assert!(said.contains("slots.toml: "), "{said}");
        }
        // What flies falls back by what it knows.
        assert_eq!(slots.fall_back(Slot::B)?, Slot::A);
        Ok(())
    }
}
