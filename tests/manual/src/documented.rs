//! Command lines in the documentation and in the examples of `--help`, as their shell would pass them.
//!
//! In Markdown these are the lines of blocks ```` ```sh ```` and, as far as they go, words in backticks that begin with a program's name: there
//! a missing argument is none of a documented command's problems, an unknown one is.

use crate::checkout::root;
use anyhow::{Context, Result, ensure};
use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::path::Path;
use std::process;

/// A command of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// `FILE:LINE`.
    pub place: String,
    /// The program's name and its arguments.
    pub words: Vec<String>,
    /// Whether it stands in the middle of a sentence.
    pub inline: bool,
}

impl Documented {
    /// What the program has to say against it, in one line.
    #[must_use]
    pub fn problem(&self, command: &Command) -> Option<String> {
        let error = command.clone().try_get_matches_from(&self.words).err()?;
        let is_shortened = self.inline
            && match error.kind() {
                ErrorKind::MissingRequiredArgument
                | ErrorKind::MissingSubcommand
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => true,
                // An option without its value, or with a word for it such as FILE.
                ErrorKind::InvalidValue | ErrorKind::ValueValidation => match error.get(ContextKind::InvalidValue) {
                    Some(ContextValue::String(value)) => value.chars().all(|letter| !letter.is_lowercase()),
                    _ => true,
                },
                _ => false,
            };
        let is_asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        let said = error.to_string();
        let first = said.lines().next().unwrap_or_default();
        (!is_shortened && !is_asked).then(|| format!("{}: {}: {first}", self.place, self.words.join(" ")))
    }
}

/// All command lines of a program in tracked Markdown and in `docs/manual/help`.
///
/// # Errors
/// Where git cannot list the files, or one cannot be read.
pub fn documented(program: &str) -> Result<Vec<Documented>> {
    let listing = ["ls-files", "--cached", "--others", "--exclude-standard", "*.md", "docs/manual/help/*.txt"];
    let listed = process::Command::new("git").args(listing).current_dir(root()).output()?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let mut found = Vec::new();
    // What was, as its programs were.
    for name in String::from_utf8(listed.stdout)?.lines().filter(|name| *name != "CHANGELOG.md") {
        let path = root().join(name);
        if path.is_file() {
            let text = std::fs::read_to_string(&path).with_context(|| name.to_owned())?;
            let lines = if Path::new(name).extension().is_some_and(|ending| ending == "md") {
                markdown(&text)
            } else {
                examples(&text)
            };
            for (number, line, inline) in lines {
                let commands = simple_commands(&line).with_context(|| format!("{name}:{number}: {line}"))?;
                let of_program = commands.into_iter().filter_map(|words| invocation(words, program));
                found.extend(of_program.map(|words| Documented { place: format!("{name}:{number}"), words, inline }));
            }
        }
    }
    Ok(found)
}

/// Line number, text, and whether it stands in a sentence.
type Line = (usize, String, bool);

/// Lines of blocks of shell commands, and what stands in backticks elsewhere.
fn markdown(text: &str) -> Vec<Line> {
    let (mut found, mut fence, mut begun) = (Vec::new(), None, String::new());
    for (number, line) in text.lines().enumerate().map(|(n, line)| (n + 1, line)) {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(language.to_owned()) };
        } else if let Some(language) = &fence {
            if !["sh", "bash"].contains(&language.as_str()) {
                continue;
            }
            match line.strip_suffix('\\') {
                Some(part) => begun += part,
                None => found.push((number, std::mem::take(&mut begun) + line, false)),
            }
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(|code| (number, code.to_owned(), true)));
        }
    }
    found
}

/// The command lines of the sections `Examples:`.
fn examples(help: &str) -> Vec<Line> {
    let (mut found, mut is_example, mut begun) = (Vec::new(), false, String::new());
    for (n, line) in help.lines().enumerate() {
        is_example = line == "Examples:" || is_example && line.starts_with("  ");
        let is_command = line.starts_with("  ") && !line.starts_with("   ");
        if is_example && (is_command || !begun.is_empty()) {
            match line.strip_suffix('\\') {
                Some(part) => begun += part,
                None => found.push((n + 1, std::mem::take(&mut begun) + line, false)),
            }
        }
    }
    found
}

/// The simple commands (POSIX) of a line.
fn simple_commands(line: &str) -> Result<Vec<Vec<String>>> {
    let words = shlex::split(line).context("expected a shell's quotes to be in pairs")?;
    let is_end = |word: &String| ["&&", "||", "|", ";", "&"].contains(&word.as_str());
    let mut commands: Vec<Vec<String>> = words.split(is_end).map(<[String]>::to_vec).collect();
    for command in &mut commands {
        if let Some(at) = command.iter().position(|word| [">", ">>", "<", "2>"].contains(&word.as_str())) {
            command.truncate(at);
        }
    }
    Ok(commands)
}

/// A program's own words where a command runs it: by its name, by its path, by cargo or by MPI.
fn invocation(words: Vec<String>, program: &str) -> Option<Vec<String>> {
    let is_setting = |word: &String| word.split_once('=').is_some_and(|(name, _)| !name.contains(['/', '-']));
    let mut words: Vec<String> = words.into_iter().skip_while(is_setting).collect();
    let runs = |word: &str| word == program || word.strip_prefix("target/release/") == Some(program);
    let begin = match words.first()?.as_str() {
        "cargo" => {
            let end = words.iter().position(|word| word == "--")?;
            let is_package = |pair: &[String]| ["-p", "--package"].contains(&pair[0].as_str()) && pair[1] == program;
            if words.get(1)? != "run" || !words[..end].windows(2).any(is_package) {
                return None;
            }
            end
        }
        "mpirun" | "srun" => words.iter().position(|word| runs(word))?,
        first if runs(first) => 0,
        _ => return None,
    };
    words.drain(..begin);
    program.clone_into(words.first_mut()?);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, program: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for (_, line, _) in markdown(text) {
            found.extend(simple_commands(&line)?.into_iter().filter_map(|words| invocation(words, program)));
        }
        Ok(found.into_iter().map(|words| words.join("|")).collect())
    }

    #[test]
    fn commands_are_found_however_they_are_begun() -> Result<()> {
        let text = "A `craft fly --high` flies.\n\n```sh\ncraft fly 'a b' && A=b target/release/craft \\\n  land > file  # craft no\n\
                    cargo run --release -p craft -- fly\nmpirun -n 4 craft fly | other craft\n```\n\n```text\ncraft none\n```\n";
        let expected = ["craft|fly|--high", "craft|fly|a b", "craft|land", "craft|fly", "craft|fly"];
        assert_eq!(of(text, "craft")?, expected);
        assert_eq!(of(text, "other")?, ["other|craft"]);
        Ok(())
    }

    #[test]
    fn examples_are_the_lines_with_two_spaces() {
        let help =
            "Options:\n  -h  help\n\nExamples:\n  craft fly\n      Flies.\n  craft land\n\nFiles:\n  /etc/craft\n";
        let found: Vec<String> = examples(help).into_iter().map(|(_, line, _)| line.trim().to_owned()).collect();
        assert_eq!(found, ["craft fly", "craft land"]);
    }

    #[test]
    fn a_wrong_option_is_named_with_its_place_and_a_sentence_may_leave_values_out() {
        let fly = Command::new("fly").arg(clap::Arg::new("to").long("to").required(true));
        let command = Command::new("craft").subcommand_required(true).subcommand(fly);
        let problem = |words: &str, inline| {
            let words = words.split(' ').map(Into::into).collect();
            Documented { place: "a.md:3".into(), words, inline }.problem(&command)
        };
        assert_eq!(problem("craft fly --to x", false), None);
        let said = problem("craft fly --too x", true).unwrap_or_default();
        assert!(said.starts_with("a.md:3: craft fly --too x: error: unexpected argument '--too'"), "{said}");
        for shortened in ["craft", "craft fly", "craft fly --to"] {
            assert_eq!(problem(shortened, true), None, "{shortened}");
            assert!(problem(shortened, false).is_some(), "{shortened}");
        }
    }
}
