//! A bundle as its difference from an earlier one, for a thin uplink: only what changed, compressed.
//!
//! A delta is a ZIP archive (deflate) with
//!
//! | entry | content |
//! |---|---|
//! | `delta.toml` | `format = 1`, `from`: SHA-256 of the earlier bundle's `manifest.toml` |
//! | `manifest.toml`, `manifest.toml.minisig` | those of the new bundle |
//! | `NAME.steps`, `NAME.differences`, `NAME.fresh` | for every file that is not the earlier bundle's |
//!
//! `steps` holds triples of LEB128 numbers: an offset in the earlier file, a count c of bytes to take from there, each plus
//! (modulo 256) the next of `differences`, and a count of bytes to take from `fresh` after them. Weights that training
//! moved a little differ by little numbers, which compress well where the bytes themselves do not.

use super::storage::{self, Contents};
use super::{MANIFEST, MAX_FILE, Manifest, SIGNATURE, Trusted, hexadecimal};
use crate::files::{self, FileError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

const DESCRIPTION: &str = "delta.toml";
const FORMAT: u32 = 1;
const PARTS: [&str; 3] = ["steps", "differences", "fresh"];

/// The difference between two bundles.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta {
    /// SHA-256 of the earlier bundle's manifest.
    from: String,
    /// The new bundle's manifest.
    manifest: Vec<u8>,
    /// Its signature.
    signature: Option<Vec<u8>>,
    /// The files that changed.
    changes: BTreeMap<String, Change>,
}

/// How a file is made from an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    steps: Vec<u8>,
    differences: Vec<u8>,
    fresh: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    from: String,
}

impl Change {
    /// Appends `count` bytes of `earlier` from `offset` on, corrected to be `now`, and then the bytes `fresh`.
    pub fn push(&mut self, offset: usize, earlier: &[u8], now: &[u8], fresh: &[u8]) {
        for number in [offset, now.len(), fresh.len()] {
            push_number(&mut self.steps, number);
        }
        self.differences.extend(now.iter().zip(earlier).map(|(now, earlier)| now.wrapping_sub(*earlier)));
        self.fresh.extend_from_slice(fresh);
    }

    /// The file that comes of `earlier`; a description of what is wrong where none does. It never has more than `limit` bytes.
    fn apply(&self, earlier: &[u8], limit: u64) -> Result<Vec<u8>, String> {
        let (mut steps, mut differences, mut fresh) = (&self.steps[..], &self.differences[..], &self.fresh[..]);
        let mut made = Vec::new();
        let take = |from: &mut &[u8], count: usize| -> Result<Vec<u8>, String> {
            let (taken, rest) = from.split_at_checked(count).ok_or("a step takes more than there is")?;
            *from = rest;
            Ok(taken.to_vec())
        };
        while !steps.is_empty() {
            let [offset, count, new] = [number(&mut steps)?, number(&mut steps)?, number(&mut steps)?];
            let end = offset.checked_add(count).ok_or("a step is out of bounds")?;
            let base = earlier.get(offset..end).ok_or("a step reaches beyond the earlier file")?;
            let corrections = take(&mut differences, count)?;
            made.extend(base.iter().zip(corrections).map(|(base, correction)| base.wrapping_add(correction)));
            made.extend(take(&mut fresh, new)?);
            if made.len() as u64 > limit {
                return Err(format!("it makes more than {limit} bytes"));
            }
        }
        Ok(made)
    }
}

impl Delta {
    /// The difference from `earlier` to `new`, both complete bundles; `change(name, earlier, new)` describes one file.
    pub fn between(earlier: &Contents, new: &Contents, mut change: impl FnMut(&str, &[u8], &[u8]) -> Change) -> Self {
        let nothing = Vec::new();
        let of = |contents: &Contents, name: &str| contents.get(name).cloned();
        let changes = new
            .iter()
            .filter(|(name, content)| *name != MANIFEST && *name != SIGNATURE && earlier.get(*name) != Some(content))
            .map(|(name, content)| (name.clone(), change(name, earlier.get(name).unwrap_or(&nothing), content)))
            .collect();
        Self {
            from: hexadecimal(&Sha256::digest(earlier.get(MANIFEST).unwrap_or(&nothing))),
            manifest: of(new, MANIFEST).unwrap_or_default(),
            signature: of(new, SIGNATURE),
            changes,
        }
    }

    /// Reads a delta.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut contents = storage::unpack(path, &files::read(path, MAX_FILE)?)?;
        let mut take = |name: &str| {
            contents.remove(name).ok_or_else(|| FileError::content(path, format!("{name} is missing: it is no delta")))
        };
        let text = String::from_utf8(take(DESCRIPTION)?);
        let text = text.map_err(|_| FileError::content(path, format!("{DESCRIPTION} is not UTF-8 text")))?;
        let Description { format, from } = files::parse_toml(&path.join(DESCRIPTION), &text)?;
        if format != FORMAT {
            return Err(FileError::content(path, format!("format is {format}, expected {FORMAT}")));
        }
        let manifest = take(MANIFEST)?;
        let signature = contents.remove(SIGNATURE);
        let mut changes: BTreeMap<String, Change> = BTreeMap::new();
        for (entry, content) in contents {
            let part = entry.rsplit_once('.').filter(|(_, part)| PARTS.contains(part));
            let (name, part) = part.ok_or_else(|| FileError::content(path, format!("entry {entry} is unknown")))?;
            let change = changes.entry(name.into()).or_default();
            match part {
                "steps" => change.steps = content,
                "differences" => change.differences = content,
                _ => change.fresh = content,
            }
        }
        Ok(Self { from, manifest, signature, changes })
    }

    /// Writes the delta; gives its size.
    pub fn write(&self, path: &Path) -> Result<u64, FileError> {
        let unwritable = |error: &dyn std::fmt::Display| FileError::content(path, error);
        let description = toml::to_string(&Description { format: FORMAT, from: self.from.clone() });
        let mut contents: Contents = [
            (DESCRIPTION.to_owned(), description.map_err(|error| unwritable(&error))?.into_bytes()),
            (MANIFEST.to_owned(), self.manifest.clone()),
        ]
        .into();
        contents.extend(self.signature.clone().map(|signature| (SIGNATURE.to_owned(), signature)));
        for (name, Change { steps, differences, fresh }) in &self.changes {
            for (part, content) in PARTS.into_iter().zip([steps, differences, fresh]) {
                contents.insert(format!("{name}.{part}"), content.clone());
            }
        }
        let bytes = storage::pack(&contents, true).map_err(|error| unwritable(&error))?;
        files::write(path, &bytes)?;
        Ok(bytes.len() as u64)
    }

    /// The new bundle, every file checked against its manifest, and that against the trusted key where one is given. `path` is
    /// what errors call the delta.
    pub fn apply(&self, path: &Path, earlier: &Contents, trusted: Option<&Trusted>) -> Result<Contents, FileError> {
        let problem = |problem: String| FileError::content(path, problem);
        let found = hexadecimal(&Sha256::digest(earlier.get(MANIFEST).map_or(&[][..], Vec::as_slice)));
        if found != self.from {
            let from = self.from.get(..12).unwrap_or(&self.from);
            return Err(problem(format!(
                "is a delta from the bundle whose manifest has SHA-256 {from}…, this one's has {}…",
                &found[..12]
            )));
        }
        if let Some(trusted) = trusted {
            trusted.check(&path.join(MANIFEST), &self.manifest, self.signature.as_deref())?;
        }
        let text = std::str::from_utf8(&self.manifest).map_err(|_| problem(format!("{MANIFEST} is not UTF-8 text")))?;
        let manifest = Manifest::parse(&path.join(MANIFEST), text)?;
        let mut contents = Contents::new();
        for name in manifest.files.keys() {
            let content = self.rebuilt(name, earlier).map_err(|error| problem(format!("{name}: {error}")))?;
            manifest.check(&path.join(name), name, &content)?;
            contents.insert(name.clone(), content);
        }
        contents.insert(MANIFEST.into(), self.manifest.clone());
        contents.extend(self.signature.clone().map(|signature| (SIGNATURE.to_owned(), signature)));
        Ok(contents)
    }

    /// The file `name` of the new bundle, not checked yet.
    pub fn rebuilt(&self, name: &str, earlier: &Contents) -> Result<Vec<u8>, String> {
        let old = earlier.get(name).map_or(&[][..], Vec::as_slice);
        self.changes.get(name).map_or_else(|| Ok(old.to_vec()), |change| change.apply(old, MAX_FILE))
    }
}

fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn number(bytes: &mut &[u8]) -> Result<usize, String> {
    let (mut number, mut shift) = (0usize, 0);
    loop {
        let (&byte, rest) = bytes.split_first().ok_or("the steps are cut off")?;
        *bytes = rest;
        number |= (usize::from(byte) & 0x7f).checked_shl(shift).ok_or("a number of the steps is too large")?;
        if byte < 0x80 {
            return Ok(number);
        }
        shift += 7;
        if shift > 35 {
            return Err("a number of the steps is too large".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn steps_are_these_bytes() {
        let mut change = Change::default();
        change.push(300, &[10, 20], &[11, 19], &[7]);
        assert_eq!(change.steps, [0xac, 0x02, 2, 1]);
        assert_eq!(change.differences, [1, 255]);
        let mut earlier = vec![0; 302];
        earlier[300..].copy_from_slice(&[10, 20]);
        assert_eq!(change.apply(&earlier, 3), Ok(vec![11, 19, 7]));
        assert!(change.apply(&earlier, 2).is_err());
        assert!(change.apply(&earlier[..301], 3).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_file(
            steps in proptest::collection::vec(any::<u8>(), 0..40),
            differences in proptest::collection::vec(any::<u8>(), 0..40),
            fresh in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let change = Change { steps, differences, fresh };
            if let Ok(made) = change.apply(&[1; 64], 100) {
                prop_assert!(made.len() <= 100);
            }
        }
    }
}
