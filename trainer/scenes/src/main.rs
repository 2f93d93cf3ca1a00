//! `scenes`: writes rendered scenes as a dataset.

use clap::Parser;
use cssa_terminal::LogOptions;
use std::path::PathBuf;
use std::process::ExitCode;

/// Renders aerial-like scenes with true captions, as a dataset in the Karpathy layout.
#[derive(Parser)]
#[command(version, about)]
struct Options {
    #[command(flatten)]
    log: LogOptions,
    /// Folder of the dataset; new or empty.
    #[arg(long)]
    out: PathBuf,
    /// Number of scenes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(..=10_000_000))]
    count: u32,
    /// Seed. The same seed gives the same scenes, to the byte.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Options { log, out, count, seed } = Options::parse();
    cssa_terminal::run(log, || Ok(scenes::write(&out, count as usize, seed)?))
}
