//! The GeoKey directory.

use crate::ifd::{Directories, Directory, Value};
use crate::problem::Problem;
use std::collections::BTreeMap;
use std::io::{Read, Seek};

const DIRECTORY: u16 = 34735;
const DOUBLES: u16 = 34736;
const TEXTS: u16 = 34737;
/// A code that says: by other keys.
pub(super) const USER_DEFINED: u16 = 32767;

/// A file's keys.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    shorts: BTreeMap<u16, u16>,
    doubles: BTreeMap<u16, Vec<f64>>,
    texts: BTreeMap<u16, String>,
}

impl Keys {
    pub(super) fn read<R: Read + Seek>(
        directories: &mut Directories<R>,
        directory: &Directory,
    ) -> Result<Self, Problem> {
        let mut value = |tag: u16, name: &'static str| match directory.entries.iter().find(|entry| entry.tag == tag) {
            Some(entry) => directories.value(name, entry).map(Some),
            None => Ok(None),
        };
        let listed = match value(DIRECTORY, "GeoKeyDirectory")? {
            Some(Value::Integers(listed)) => listed,
            Some(_) => return Err(Problem::value("GeoKeyDirectory", "of another type", "16-bit numbers")),
            None => return Err(Problem::Absent("georeference")),
        };
        let doubles = value(DOUBLES, "GeoDoubleParams")?.map(|value| value.numbers()).unwrap_or_default();
        let texts = match value(TEXTS, "GeoAsciiParams")? {
            Some(Value::Bytes(bytes)) => bytes,
            _ => Vec::new(),
        };
        let mut keys = Self::default();
        for entry in listed.get(4..).unwrap_or_default().chunks_exact(4) {
            let &[key, location, count, at] = entry else { continue };
            let (Ok(key), Ok(count), Ok(begin)) = (u16::try_from(key), usize::try_from(count), usize::try_from(at))
            else {
                continue;
            };
            let end = begin.saturating_add(count);
            match location {
                0 => {
                    keys.shorts.insert(key, begin as u16);
                }
                34736 => {
                    let found = doubles.get(begin..end).filter(|found| !found.is_empty());
                    let found =
                        found.ok_or_else(|| Problem::value("GeoDoubleParams", "too short", "a key's numbers"))?;
                    keys.doubles.insert(key, found.to_vec());
                }
                34737 => {
                    let text = texts.get(begin..end.min(texts.len())).unwrap_or_default();
                    keys.texts.insert(key, String::from_utf8_lossy(text).trim_end_matches(['|', '\0']).to_owned());
                }
                _ => {}
            }
        }
        Ok(keys)
    }

    /// Keys that are codes.
    #[cfg(test)]
    pub(super) fn of(shorts: &[(u16, u16)]) -> Self {
        Self { shorts: shorts.iter().copied().collect(), ..Self::default() }
    }

    /// A code; 0 says that there is none.
    pub(super) fn short(&self, key: u16) -> Option<u16> {
        self.shorts.get(&key).copied().filter(|&code| code != 0)
    }

    /// A finite number.
    pub(super) fn double(&self, key: u16) -> Option<f64> {
        self.doubles(key).and_then(|values| values.first().copied()).filter(|value| value.is_finite())
    }

    pub(super) fn doubles(&self, key: u16) -> Option<&[f64]> {
        self.doubles.get(&key).map(Vec::as_slice)
    }

    /// What the file calls something.
    pub(super) fn text(&self, key: u16) -> &str {
        self.texts.get(&key).map_or("", String::as_str)
    }

    /// Whether a key that should have a code has something else.
    pub(super) fn is_misplaced(&self, key: u16) -> bool {
        self.doubles.contains_key(&key) || self.texts.contains_key(&key)
    }
}
