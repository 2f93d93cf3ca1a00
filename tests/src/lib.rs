//! What the cross-crate tests share: running the project's programs as a user does.

use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// One of the project's programs, as `cargo build --release --workspace` left it beside this test.
pub fn program(name: &str) -> Result<Command> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test runs outside target/")?;
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: run cargo build --release --workspace", path.display());
    let mut command = Command::new(path);
    command.current_dir(root());
    Ok(command)
}

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a program that must succeed and gives its standard output.
pub fn succeed<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = program(name)?.args(arguments).output()?;
    ensure!(output.status.success(), "{name} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Runs a program that must fail with one line `error: …` as its last and gives that line.
pub fn fail<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Result<String> {
    let output = program(name)?.args(arguments).output()?;
    let line = error_line(&output)?;
    ensure!(!output.status.success(), "{name} succeeded although it said: {line}");
    Ok(line)
}

/// The last line of a program's standard error, which must be `error: …`.
pub fn error_line(output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().last().unwrap_or_default().to_owned();
    ensure!(line.starts_with("error: "), "the last line is no error:\n{text}");
    Ok(line)
}

/// The JSON objects that a program printed, one a line.
pub fn json_lines(text: &str) -> Result<Vec<serde_json::Value>> {
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
