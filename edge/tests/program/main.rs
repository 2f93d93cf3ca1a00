//! `edge` as a user runs it: `--check`, `doctor`, the slots, the policy of a whole run.

mod caption;
mod check;
mod choose;
mod doctor;
mod ending;
mod footprints;
mod home;
mod policy;
mod slots;
mod sources;
mod upgrade;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// `edge` itself.
fn edge() -> Command {
    Command::new(env!("CARGO_BIN_EXE_edge"))
}

/// Writes a configuration for a list of the named rendered scenes, with `model` and `more` in it; gives its path.
fn configure(folder: &Path, scenes: &[&str], model: &str, more: &str) -> Result<PathBuf> {
    let images = scenes.iter().map(|name| fixtures::scenes().join("images").join(name).display().to_string());
    let (list, config) = (folder.join("list.txt"), folder.join("edge.toml"));
    std::fs::write(&list, images.collect::<Vec<_>>().join("\n"))?;
    let (state, out) = (folder.join("state"), folder.join("packets.bin"));
    let text = format!(
        "state = {state:?}\n[model]\nlooks = 1\n{model}\n[source]\nkind = \"list\"\npath = {list:?}\n\
         [link]\nto = \"file:{}\"\n{more}\n",
        out.display()
    );
    std::fs::write(&config, text)?;
    Ok(config)
}

/// Runs to the end; gives the last status and standard error.
fn fly(config: &Path) -> Result<(serde_json::Value, String)> {
    let output = edge().args(["run", "--config"]).arg(config).output()?;
    let told = said(&output);
    if !output.status.success() {
        return Err(told.into());
    }
    Ok((serde_json::from_slice(&output.stdout)?, told))
}

/// Installs the default bundle.
fn install(state: &Path) -> Result<Output> {
    Ok(edge().arg("install").arg(fixtures::bundle()).arg("--state").arg(state).output()?)
}

/// Standard error.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Changes one bit in the middle of a file.
fn flip(path: &Path) -> Result<()> {
    let mut bytes = std::fs::read(path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(std::fs::write(path, bytes)?)
}
