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
pub(crate) struct BenchOptions {
    /// Recipe (TOML).
    #[arg(long)]
    config: PathBuf,
    /// Steps a round.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    steps: u16,
    /// Rounds, of which the best counts; the two programs take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// A Python with torch.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// The peer's script.
    #[arg(long, default_value = "tests/peers/train_step.py")]
    script: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    device: DeviceOption,
    /// Threads of libtorch on the CPU; 0 leaves it to libtorch.
    #[arg(long, default_value_t = 0)]
    threads: u8,
}

/// Options of `trainer golden`.
#[derive(Debug, clap::Args)]
pub(crate) struct GoldenOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// The image.
    #[arg(long)]
    image: PathBuf,
    /// The caption that is fed to the decoder.
    #[arg(long)]
    caption: String,
    /// The file (.safetensors).
    #[arg(long)]
    out: PathBuf,
    /// Where to compute. GPUs convolve in TF32 unless NVIDIA_TF32_OVERRIDE=0 is set.
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
