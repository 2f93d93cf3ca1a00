//! The table of object groups that captions are judged by.

use crate::error::{Error, Result};
use cssa::files::read_text;
use cssa::objects::{GROUPS, ObjectGroups};
use cssa::vocabulary::{TokenId, Vocabulary};
use std::path::Path;

/// Most bytes of a table.
const MAX_BYTES: u64 = 1 << 20;

/// A table and its text, one group per line; refused where a captioner of these words names none of it.
pub(super) fn read(vocabulary: &Vocabulary, path: &Path) -> Result<(ObjectGroups, String)> {
    known(vocabulary, read_text(path, MAX_BYTES)?, &path.display().to_string())
}

/// The built-in table, that of the scores.
pub(super) fn built_in(vocabulary: &Vocabulary) -> Result<(ObjectGroups, String)> {
    known(vocabulary, GROUPS.to_owned(), "the built-in table")
}

fn known(vocabulary: &Vocabulary, text: String, table: &str) -> Result<(ObjectGroups, String)> {
    let groups = ObjectGroups::parse(&text);
    if !groups.words().any(|word| vocabulary.id(word) != TokenId::UNKNOWN) {
        return Err(Error::ForeignGroups { table: table.to_owned(), groups: groups.count() });
    }
    Ok((groups, text))
}
