//! TOML files, and errors that say where they are wrong.

use super::whole::{FileError, read_text};
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a TOML file of at most 1 MiB; the error names the line in one line.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    parse_toml(path, &read_text(path, 1 << 20)?)
}

/// Reads a TOML file's text; the error names the file, the line and its key in one line. Within a table that is read by its `kind`, the
/// line and key are the table's.
pub fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, FileError> {
    let read = toml::Deserializer::parse(text).map_err(|error| (String::new(), error));
    let read = read.and_then(|toml| {
        serde_path_to_error::deserialize(toml).map_err(|error| (error.path().to_string(), error.into_inner()))
    });
    read.map_err(|(key, error)| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let mut problem = error.message().lines().collect::<Vec<_>>().join(", ");
        if let ("duplicate key", Some(named)) = (&*problem, error.span().and_then(|span| text.get(span))) {
            problem = format!("duplicate key `{named}`");
        }
        let place = place(&key, &problem);
        FileError::content(path, format!("line {}: {place}{problem}", before.matches('\n').count() + 1))
    })
}

/// A key before a problem, as far as the problem does not name it; the file as a whole is `.`.
fn place(key: &str, problem: &str) -> String {
    let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
    let key = if problem.starts_with(&format!("unknown field `{last}`")) { table } else { key };
    if key.is_empty() || key == "." { String::new() } else { format!("{key}: ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_value_is_named_with_its_key() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "it is read alone")]
        struct Shape {
            width: u16,
            #[serde(default)]
            place: Option<std::net::IpAddr>,
            #[serde(default)]
            rows: Vec<std::collections::BTreeMap<String, u8>>,
            #[serde(default)]
            unit: Option<Unit>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(tag = "kind", rename_all = "lowercase")]
        #[expect(dead_code, reason = "it is read alone")]
        enum Unit {
            Metres { scale: u8 },
        }
        let said = |text| parse_toml::<Shape>(Path::new("f"), text).map_err(|error| error.to_string());
        for (text, expected) in [
            ("\nwidth = \"x\"\n", "f: line 2: width: invalid type: string \"x\", expected u16"),
            ("width = 70000", "f: line 1: width: invalid value: integer `70000`, expected u16"),
            (
                "width = 1\nheight = 2",
                "f: line 2: unknown field `height`, expected one of `width`, `place`, `rows`, `unit`",
            ),
            ("width = 1\nplace = \"x\"", "f: line 2: place: invalid IP address syntax"),
            ("# none", "f: line 1: missing field `width`"),
            (
                "width = 1\nrows = [\n  { a = \"x\" },\n]",
                "f: line 3: rows[0].a: invalid type: string \"x\", expected u8",
            ),
            (
                "width = 1\nunit = { kind = \"feet\" }",
                "f: line 2: unit.kind: unknown variant `feet`, expected `metres`",
            ),
            ("width = 1\n[unit]\nkind = \"metres\"", "f: line 2: unit: missing field `scale`"),
            ("width = = 1", "f: line 1: extra `=`, expected nothing"),
            ("width = 1\nwidth = 2", "f: line 2: duplicate key `width`"),
        ] {
            assert_eq!(said(text).err().as_deref(), Some(expected));
        }
    }
}
