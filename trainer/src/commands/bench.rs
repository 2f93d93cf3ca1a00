//! `trainer bench` and `trainer golden`: this trainer beside other programs.

use super::machine::{DeviceOption, start, together};
use anyhow::Result;
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::bench;
use trainer::config::Config;
use trainer::trained::Trained;

/// Options of `trainer bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer bench --config recipe.toml --steps 2 --rounds 1 --device cpu
      Prints images per second of each stage.")]
pub(crate) struct BenchOptions {
    /// Recipe (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Steps per round.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Rounds. The best one counts; the two programs take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Python interpreter with torch.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Script that --peer runs.
    #[arg(long, default_value = "tests/peers/train_step.py")]
    script: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Device to compute on.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceOption,
    /// Threads of libtorch on the CPU. 0: libtorch's own choice.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

/// Options of `trainer golden`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer golden --run runs/mine --image airport.jpg \\
    --caption 'there are two airplanes on the ground' --out golden.safetensors
      Writes what another runtime is to be held against.")]
pub(crate) struct GoldenOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Image file.
    #[arg(long)]
    image: PathBuf,
    /// Caption that is fed to the decoder.
    #[arg(long)]
    caption: String,
    /// Output file (.safetensors).
    #[arg(long)]
    out: PathBuf,
    /// Device to compute on. GPUs convolve in TF32 unless NVIDIA_TF32_OVERRIDE=0 is set.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceOption,
}

/// Measures images a second.
pub(crate) fn bench(options: BenchOptions) -> Result<()> {
    let BenchOptions { config, steps, rounds, peer, script, json, device, threads } = options;
    let peer = peer.as_deref().map(|python| bench::PeerProgram { python, script: &script });
    let effort = bench::Effort { steps: usize::from(steps), rounds: usize::from(rounds) };
    together(device, threads, |ranks, device| {
        let report = bench::run(&Config::read(&config)?, effort, peer, device, ranks)?;
        let said = if json { serde_json::to_string(&report)? } else { serde_json::to_string_pretty(&report)? };
        if ranks.is_first() { Ok(print(&said)?) } else { Ok(()) }
    })
}

/// Writes golden vectors.
pub(crate) fn golden(options: GoldenOptions) -> Result<()> {
    let GoldenOptions { run, image, caption, out, device } = options;
    Trained::read(&run, start(device, 0)?)?.golden(&[(image, caption)])?.write(&out)?;
    Ok(())
}
