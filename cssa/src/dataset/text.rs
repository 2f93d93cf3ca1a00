//! The text of a description, as programs of the world write it.

use crate::files::{self, FileError};
use std::path::Path;

/// Largest description, in bytes.
const MAX_FILE: u64 = 1 << 30;

/// The text of a description, without the mark that some editors put in front.
pub(super) fn text_of(path: &Path) -> Result<String, FileError> {
    let expected = "is not UTF-8 text, expected a dataset's description (JSON or CSV) or its folder";
    let text = String::from_utf8(files::read(path, MAX_FILE)?).map_err(|_| FileError::content(path, expected))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// A description in JSON. Python writes `NaN` where a value is missing, which JSON does not have: it is null.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match without_nan(text) {
        Some(text) => serde_json::from_str(&text),
        None => Err(error),
    })
}

/// The text with `null` in place of each `NaN` that is not part of a string; nothing where there is none.
fn without_nan(text: &str) -> Option<String> {
    let (mut parts, mut is_text, mut is_found) = (String::with_capacity(text.len() + 16), false, false);
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\', 'N']) {
        let (before, found) = rest.split_at(at);
        parts.push_str(before);
        let length = match found.as_bytes() {
            [b'\\', ..] => 1 + found[1..].chars().next().map_or(0, char::len_utf8),
            [b'N', b'a', b'N', ..] if !is_text => {
                is_found = true;
                parts.push_str("null");
                rest = &found[3..];
                continue;
            }
            _ => 1,
        };
        is_text ^= found.starts_with('"');
        parts.push_str(&found[..length]);
        rest = &found[length..];
    }
    parts.push_str(rest);
    is_found.then_some(parts)
}
