//! A table with a line a caption: `path,caption,split`, in any order of the columns, as spreadsheets save it: with commas, semicolons or
//! tabs between them, and empty lines at its end.

use super::listed::{Described, Listed, Split};
use super::places::{Places, plain};
use super::text::text_of;
use crate::files::FileError;
use std::collections::BTreeMap;
use std::path::Path;

/// The images in the order in which they first appear.
pub(super) fn read(folder: &Path, path: &Path) -> Result<Described, FileError> {
    let text = text_of(path)?;
    let mut table = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .delimiter(delimiter(&text))
        .flexible(true)
        .from_reader(text.as_bytes());
    let wrong = |error: csv::Error| FileError::content(path, error);
    let header = table.headers().map_err(wrong)?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|column| column.eq_ignore_ascii_case(name));
        found.ok_or_else(|| FileError::content(path, format!("has no column {name}, expected path,caption,split")))
    };
    let [image, caption, split] = [column("path")?, column("caption")?, column("split")?];
    let mut listed: Vec<Listed> = Vec::new();
    let mut places = Places::new(folder);
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for record in table.records() {
        let record = record.map_err(wrong)?;
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        let line = record.position().map_or(0, csv::Position::line);
        let is_short = record.len() < header.len();
        if is_short || record.iter().skip(header.len()).any(|field| !field.trim().is_empty()) {
            let problem = format!("line {line}: has {} fields, expected {}", record.len(), header.len());
            return Err(FileError::content(path, problem));
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let part: Split = field(split)
            .trim()
            .parse()
            .map_err(|problem: String| FileError::content(path, format!("line {line}: {problem}")))?;
        let filename = plain(field(image).trim());
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
                listed.push(Listed { path: places.find(&filename, &[]), filename, split: part, captions });
            }
        }
    }
    Ok(Described { entries: listed, ..Described::default() })
}

/// What stands between the columns: the first that the header has.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    [b',', b';', b'\t'].into_iter().find(|&delimiter| header.contains(char::from(delimiter))).unwrap_or(b',')
}
