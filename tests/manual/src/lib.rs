//! What a program says of itself, from its clap command alone: its help, its manual pages and its completions are checked-in files under
//! `docs/manual`, and every command line that the documentation or the help shows is one that the program takes.
//!
//! Each program has a test that calls [`check`]; `UPDATE_HELP=1` lets it write the files instead of comparing them. Packages take the files
//! as they are, so that no program carries a generator, and packing for another processor runs none.

mod checkout;
mod documented;
mod generated;

pub use documented::{Documented, documented};
pub use generated::Kind;

use anyhow::{Context, Result, ensure};
use checkout::root;
use clap::Command;
use generated::Generated;
use std::fs;

/// Holds a program's checked-in files against its command, and parses all that is documented of it.
///
/// # Errors
/// Names the file that differs, or the line whose command the program does not take.
pub fn check(command: &Command, kind: Kind) -> Result<()> {
    check_files(command, kind)?;
    let problems: Vec<String> =
        documented(command.get_name())?.iter().filter_map(|line| line.problem(command)).collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// The first half of [`check`], for a program that does not parse with clap alone.
///
/// # Errors
/// Names the file that differs.
pub fn check_files(command: &Command, kind: Kind) -> Result<()> {
    check_examples(command, command.get_name())?;
    let (folder, name) = (root().join("docs/manual"), command.get_name());
    let update = std::env::var_os("UPDATE_HELP").is_some();
    let again = format!("UPDATE_HELP=1 cargo test --release -p {name} help_");
    let files = generated::all(command, kind)?;
    for Generated { path, text } in &files {
        let place = folder.join(path);
        if update {
            fs::create_dir_all(place.parent().unwrap_or(&folder))?;
            fs::write(&place, text).with_context(|| place.display().to_string())?;
            continue;
        }
        let found = fs::read_to_string(&place).unwrap_or_default();
        ensure!(found == *text, "docs/manual/{path}: is not what the program says, expected {again}");
    }
    // Pages of commands that are no more.
    for page in fs::read_dir(folder.join("man"))? {
        let page = format!("man/{}", page?.file_name().display());
        let is_own = kind == Kind::Packaged && page.starts_with(&format!("man/{name}-"));
        if is_own && files.iter().all(|file| file.path != page) {
            ensure!(update, "docs/manual/{page}: the program has no such command, expected {again}");
            fs::remove_file(folder.join(page))?;
        }
    }
    Ok(())
}

/// Every command that does something by itself shows how.
fn check_examples(command: &Command, path: &str) -> Result<()> {
    let subcommands: Vec<&Command> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
    for below in &subcommands {
        check_examples(below, &format!("{path} {}", below.get_name()))?;
    }
    let shown = [command.get_after_help(), command.get_after_long_help()];
    let has_examples = shown.into_iter().flatten().any(|text| text.to_string().contains("Examples:"));
    ensure!(has_examples || !subcommands.is_empty(), "{path} --help has no examples: after_help of its options");
    Ok(())
}
