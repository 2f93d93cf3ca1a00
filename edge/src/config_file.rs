//! Reads `edge.toml`.

use super::config::Config;
use super::error::{Error, Result};
use cssa::files;
use std::ops::Range;
use std::path::Path;

/// Largest configuration, in bytes.
const MAX_FILE: u64 = 1 << 20;

impl Config {
    /// Reads the file; the error names it and the first field that cannot be.
    pub fn read(path: &Path) -> Result<Self> {
        let mut config = Self::parse(path)?;
        config.file = std::path::absolute(path).ok();
        match config.problems().into_iter().next() {
            Some(problem) => Err(Error::Config { path: path.into(), source: Box::new(problem) }),
            None => Ok(config),
        }
    }

    /// Reads the file, whatever its values are, with all lines that are none of a configuration: each is named and left out, as far as there
    /// is a configuration without it. `edge run --check` names all that cannot be.
    pub fn read_leniently(path: &Path) -> (Option<Self>, Vec<Error>) {
        let mut text = match files::read_text(path, MAX_FILE) {
            Ok(text) => text,
            Err(error) => return (None, vec![error.into()]),
        };
        let mut problems = Vec::new();
        while let Err(error) = toml::from_str::<Self>(&text) {
            let line = error.span().and_then(|span| culprit(&text, span, error.message()));
            let without = line.map(|line| blanked(&text, line)).filter(|without| is_toml(without));
            // What is missing now was named when its line was left out.
            let is_new = problems.is_empty() || without.is_some() || !error.message().starts_with("missing field");
            problems.extend(files::parse_toml::<Self>(path, &text).err().filter(|_| is_new).map(Error::from));
            match without {
                Some(without) => text = without,
                None => return (None, problems),
            }
        }
        let mut config: Option<Self> = toml::from_str(&text).ok();
        if let Some(config) = &mut config {
            config.file = std::path::absolute(path).ok();
        }
        (config, problems)
    }

    fn parse(path: &Path) -> Result<Self> {
        Ok(files::read_toml(path)?)
    }
}

/// The bytes of the line that an error of a key or a value is about.
fn culprit(text: &str, span: Range<usize>, message: &str) -> Option<Range<usize>> {
    let mut begin = text.get(..span.start)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text.get(begin..)?.lines().next()?;
    if line.split_once('=').is_some_and(|(key, _)| begin + key.len() < span.start) {
        // The value behind its key.
        return Some(begin..begin + line.trim_end().len());
    }
    let named = message.split('`').nth(1)?;
    for line in text.get(begin..)?.split_inclusive('\n') {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let is_named = match message.starts_with("unknown field") {
            true => key.trim().trim_matches('"') == named,
            false => message.starts_with("unknown variant") && value.contains(&format!("\"{named}\"")),
        };
        if is_named {
            return Some(begin..begin + line.trim_end().len());
        }
        begin += line.len();
    }
    None
}

/// The text with blanks in place of a line, so that others keep their numbers.
fn blanked(text: &str, line: Range<usize>) -> String {
    [&text[..line.start], &" ".repeat(line.len()), &text[line.end..]].concat()
}

fn is_toml(text: &str) -> bool {
    toml::from_str::<toml::Table>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    /// What is named of a configuration with these lines, without the file's name, and whether there is one without them.
    fn named(text: &str) -> anyhow::Result<(Vec<String>, bool)> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, format!("state = \"s\"\n{text}\n[link]\nto = \"udp:a:1\"\n"))?;
        let (config, problems) = Config::read_leniently(&path);
        let file = format!("{}: ", path.display());
        Ok((problems.iter().map(|problem| chain(problem).replace(&file, "")).collect(), config.is_some()))
    }

    #[test]
    fn every_line_that_cannot_be_is_named() -> anyhow::Result<()> {
        let folder = "[source]\nkind = \"folder\"\npath = \"p\"";
        assert_eq!(named(folder)?, (vec![], true));
        let (problems, is_whole) =
            named(&format!("queu = 7\n[model]\nruntime = \"orrt\"\nlook = 1\n{folder}\nwach = true"))?;
        let expected = [
            "line 2: unknown field `queu`",
            "line 4: model.runtime: unknown variant `orrt`",
            "line 5: model: unknown field `look`",
        ];
        assert!(expected.iter().all(|line| problems.iter().any(|problem| problem.starts_with(line))), "{problems:?}");
        assert!(problems.len() == 4 && problems.iter().any(|problem| problem.contains("`wach`")), "{problems:?}");
        assert!(is_whole);
        // Without its kind there is no source: what is missing then is not said besides.
        let (problems, is_whole) = named("[source]\nkind = \"foldr\"\npath = \"p\"")?;
        assert!(problems.len() == 1 && problems[0].contains("`foldr`") && !is_whole, "{problems:?}");
        let (problems, is_whole) = named("[source]\nkind = \"folder\"")?;
        assert!(problems.len() == 1 && problems[0].contains("`path`") && !is_whole, "{problems:?}");
        let wrong = "[policy]\nbytes_per_hour = -1\nnovelty_metres = \"x\"\n[source]\nkind = \"folder\"\npath = \"p\"";
        let (problems, is_whole) = named(wrong)?;
        let expected = ["line 3: policy.bytes_per_hour: invalid", "line 4: policy.novelty_metres: invalid"];
        assert!(is_whole && problems.len() == 2, "{problems:?}");
        assert!(problems.iter().zip(expected).all(|(problem, expected)| problem.starts_with(expected)), "{problems:?}");
        let wrong = "queue = -1\n[model]\nlooks = 3\nprovider = 5\nthreads = -3\n[policy]\noutside = 3\n";
        let (problems, is_whole) = named(&format!("{wrong}{folder}"))?;
        assert!(is_whole && problems.len() == 5, "{problems:?}");
        let (problems, is_whole) = named("queue = = 7")?;
        assert!(problems.len() == 1 && problems[0].starts_with("line 2: ") && !is_whole, "{problems:?}");
        Ok(())
    }
}
