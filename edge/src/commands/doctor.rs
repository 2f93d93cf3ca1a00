//! `edge doctor`.

use crate::config::Config;
use crate::doctor::{Machine, State, examine};
use crate::model::flown;
use anyhow::{Result, ensure};
use cssa::bundle::named_or_default;
use cssa::errors::chain;
use cssa_terminal::print;
use std::path::PathBuf;

/// Options of `edge doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge doctor --config edge.toml
      Says what is missing to fly with this configuration; exit code 1 where something is.")]
pub(crate) struct DoctorOptions {
    /// Bundle: a folder or a `.cssa` file. Default: the one that the configuration flies, or the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Configuration of `edge run`, to be examined with what it names.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

/// Prints what was found. An error where something is bad.
pub(crate) fn run(options: &DoctorOptions) -> Result<()> {
    let config = options.config.as_deref().and_then(|path| Config::read(path).ok());
    let bundle = match (&options.bundle, &config) {
        (None, Some(config)) => flown(config).map_err(|error| chain(&error)),
        (named, _) => named_or_default(named.as_deref()).map_err(|error| chain(&error)),
    };
    let found = examine(&Machine::this(), bundle, options.config.as_deref());
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    print(&if options.json { serde_json::to_string(&found)? } else { lines.join("\n") })?;
    let bad: Vec<&str> =
        found.iter().filter(|finding| finding.state == State::Bad).map(|finding| finding.thing).collect();
    let mut bad = bad;
    bad.dedup();
    ensure!(bad.is_empty(), "not ready to fly: {}", bad.join(", "));
    Ok(())
}
