//! `scenes`: writes rendered scenes as a dataset.

use clap::Parser;
use cssa_terminal::LogOptions;
use std::path::PathBuf;
use std::process::ExitCode;

/// Renders aerial-like scenes with true captions, as a dataset in the Karpathy layout.
#[derive(Parser)]
#[command(version, about)]
#[command(after_help = "\
Examples:
  scenes --out rendered --count 100
      Renders 100 scenes with five sentences each, in train, val and test.")]
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Options::command(), cssa_manual::Kind::Checkout)
    }
}
