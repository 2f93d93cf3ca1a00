//! Help, manual pages (man-pages(7)) and completions of a clap command.

use anyhow::Result;
use clap::Command;
use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fmt::Write;

/// What is generated of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Help alone: what is run from a checkout.
    Checkout,
    /// Manual pages and completions, too: what a Debian package installs.
    Packaged,
}

/// Columns of the checked-in help: clap's widest.
const WIDTH: usize = 100;

/// How roff's writer defines the apostrophe before each part of a page.
const APOSTROPHE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

/// A file under `docs/manual`.
pub(crate) struct Generated {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All files of a program.
pub(crate) fn all(command: &Command, kind: Kind) -> Result<Vec<Generated>> {
    let name = command.get_name().to_owned();
    let mut built = command.clone().disable_help_subcommand(true).term_width(WIDTH);
    built.build();
    let mut help = String::new();
    write_help(&built, &name, &mut help)?;
    let mut files = vec![Generated { path: format!("help/{name}.txt"), text: help.trim_end().to_owned() + "\n" }];
    if kind == Kind::Packaged {
        write_pages(&built, None, &mut files)?;
        // As the shells look for them.
        let names = [(Shell::Bash, format!("bash/{name}")), (Shell::Zsh, format!("zsh/_{name}"))];
        for (shell, path) in names.into_iter().chain([(Shell::Fish, format!("fish/{name}.fish"))]) {
            let mut script = Vec::new();
            generate(shell, &mut command.clone(), &name, &mut script);
            files.push(Generated { path: format!("completions/{path}"), text: String::from_utf8(script)? });
        }
    }
    Ok(files)
}

/// The long help of a command and of all below it.
fn write_help(command: &Command, typed: &str, help: &mut String) -> Result<()> {
    writeln!(help, "$ {typed} --help")?;
    let text = command.clone().render_long_help().to_string();
    text.lines().try_for_each(|line| writeln!(help, "{}", line.trim_end()))?;
    writeln!(help)?;
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.into_iter().try_for_each(|below| write_help(below, &format!("{typed} {}", below.get_name()), help))
}

/// The manual page of a command, and those of all below it.
fn write_pages(command: &Command, parent: Option<&str>, files: &mut Vec<Generated>) -> Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let version = command.get_version().unwrap_or(env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone());
    // Without a date: the same sources are the same page.
    let mut page =
        format!(".TH {} 1 \"\" \"CSSA Onboard {version}\" \"User Commands\"\n", name.to_uppercase()).into_bytes();
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::default();
    let after = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    sections(&after.unwrap_or_default(), &mut roff);
    if let Some(parent) = parent {
        roff.control("SH", ["SEE ALSO"]).text([bold(parent), roman("(1)")]);
    }
    roff.to_writer(&mut page)?;
    // Each part brings its own definition of the apostrophe.
    let text = String::from_utf8(page)?.replace(APOSTROPHE, "").replacen(".SH", &format!("{APOSTROPHE}.SH"), 1);
    files.push(Generated { path: format!("man/{name}.1"), text });
    let shown = command.get_subcommands().filter(|below| !below.is_hide_set());
    shown.into_iter().try_for_each(|below| write_pages(below, Some(&name), files))
}

/// What stands behind the options: `Title:` begins a section, whose lines stay as they are.
fn sections(after: &str, roff: &mut Roff) {
    for block in after.split("\n\n") {
        let (title, lines) = block.split_once(":\n").unwrap_or(("Notes", block));
        roff.control("SH", [title.to_uppercase().as_str()]).control("nf", []);
        for line in lines.trim_end().lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_page_for_each_below_it_and_a_script_for_each_shell() -> Result<()> {
        let below = Command::new("fly").about("Fly").after_help("Examples:\n  craft fly -n 3\n      Three times.");
        let command = Command::new("craft").version("1.0").about("A craft").subcommand(below);
        let files = all(&command, Kind::Packaged)?;
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let expected = [
            "help/craft.txt",
            "man/craft.1",
            "man/craft-fly.1",
            "completions/bash/craft",
            "completions/zsh/_craft",
            "completions/fish/craft.fish",
        ];
        assert_eq!(paths, expected);
        assert!(files[0].text.starts_with("$ craft --help\nA craft\n"), "{}", files[0].text);
        assert!(files[0].text.contains("\n\n$ craft fly --help\nFly\n"), "{}", files[0].text);
        assert!(files[2].text.contains(".SH EXAMPLES\n.nf\ncraft fly \\-n 3\n"), "{}", files[2].text);
        assert!(files[2].text.contains(".SH \"SEE ALSO\"\n\\fBcraft\\fR(1)\n"), "{}", files[2].text);
        Ok(())
    }
}
