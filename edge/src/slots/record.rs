//! `slots.toml`: which slot flies, and what is known of each.

use super::slot::Slot;
use crate::health::golden::Golden;
use cssa::files::{self, FileError};
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// Its name in the folder of the slots.
pub(super) const RECORD: &str = "slots.toml";
/// What it begins with, so that it is never empty.
const HEADING: &str = "# Which slot flies, and what is known of each.\n";
/// Longest record, in bytes.
const MAX_RECORD: u64 = 1 << 20;

/// `slots.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The slot that flies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) active: Option<Slot>,
    /// What is known of each slot that proved itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) a: Option<ValidatedBundle>,
    /// As `a`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) b: Option<ValidatedBundle>,
}

/// A bundle that proved itself on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidatedBundle {
    /// The bundle's id.
    pub id: u16,
    /// Why it did not load when that was tried last; absent where it did. It flies only where the other slot does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What it made of the golden image.
    pub golden: Golden,
}

/// What came of loading the slots.
#[derive(Clone, Debug, Default)]
pub struct LoadReport {
    /// The slots that did not load, what was known of each, and why.
    pub failed: Vec<(Slot, ValidatedBundle, String)>,
    /// The slot that did, what was known of it, and what it makes of the golden image now, where that was tested.
    pub loaded: Option<(Slot, ValidatedBundle, Option<Golden>)>,
}

impl Record {
    /// What a file says; nothing where there is none. An empty one beside a slot is what some power cuts leave.
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let text = match files::read_text(path, MAX_RECORD) {
            Err(FileError::System { cause, .. }) if cause.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let is_used = [Slot::A, Slot::B].iter().any(|slot| path.with_file_name(slot.name()).is_dir());
        if is_used && text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).is_empty() {
            return Err(FileError::content(path, "is empty, expected what is known of the slots"));
        }
        files::parse_toml(path, &text)
    }

    /// The file's text.
    pub(super) fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(HEADING.to_owned() + &toml::to_string_pretty(self)?)
    }

    pub(super) fn of(&self, slot: Slot) -> Option<&ValidatedBundle> {
        match slot {
            Slot::A => self.a.as_ref(),
            Slot::B => self.b.as_ref(),
        }
    }

    pub(super) fn of_mut(&mut self, slot: Slot) -> &mut Option<ValidatedBundle> {
        match slot {
            Slot::A => &mut self.a,
            Slot::B => &mut self.b,
        }
    }

    /// The record with what came of loading the slots. What an install has replaced meanwhile stays as it is.
    pub(super) fn after(&self, report: &LoadReport) -> Self {
        let mut record = self.clone();
        let mut has_failed = false;
        for (slot, tried, reason) in &report.failed {
            if let Some(known) = record.of_mut(*slot).as_mut().filter(|known| known.is_same(tried)) {
                known.failed = Some(reason.clone());
                has_failed = true;
            }
        }
        if let Some((slot, tried, golden)) = &report.loaded
            && let Some(known) = record.of_mut(*slot).as_mut().filter(|known| known.is_same(tried))
        {
            known.failed = None;
            if let Some(golden) = golden {
                known.golden = golden.clone();
            }
            if has_failed {
                record.active = Some(*slot);
            }
        }
        record
    }
}

impl ValidatedBundle {
    /// Whether both say the same of the same bundle, whether it loaded last or not.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.golden == other.golden
    }
}
