//! A table with a line a caption: `path,caption,split`, in any order of the columns.

use super::{Listed, MAX_FILE, Split, place};
use crate::files::{self, FileError};
use std::collections::BTreeMap;
use std::path::Path;

/// The images in the order in which they first appear.
pub(super) fn read(folder: &Path, path: &Path) -> Result<Vec<Listed>, FileError> {
    let text = files::read_text(path, MAX_FILE)?;
    let mut table =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let wrong = |error: csv::Error| FileError::content(path, error);
    let header = table.headers().map_err(wrong)?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        found.ok_or_else(|| FileError::content(path, format!("has no column {name}, expected path,caption,split")))
    };
    let [image, caption, split] = [column("path")?, column("caption")?, column("split")?];
    let mut listed: Vec<Listed> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for record in table.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, csv::Position::line);
        let field = |column: usize| record.get(column).unwrap_or_default();
        let part: Split = field(split)
            .trim()
            .parse()
            .map_err(|problem: String| FileError::content(path, format!("line {line}: {problem}")))?;
        let filename = field(image).trim().to_owned();
        let filename = filename.strip_prefix("images/").unwrap_or(&filename).to_owned();
        let n = *known.entry(filename.clone()).or_insert(listed.len());
        match listed.get_mut(n) {
            Some(known) if known.split == part => known.captions.push(field(caption).to_owned()),
            Some(known) => {
                let (here, before) = (part.name(), known.split.name());
                let problem = format!("line {line}: image {filename} is in {here} here and in {before} before");
                return Err(FileError::content(path, problem));
            }
            None => {
                let captions = vec![field(caption).to_owned()];
                listed.push(Listed { path: place(folder, &filename), filename, split: part, captions });
            }
        }
    }
    Ok(listed)
}
