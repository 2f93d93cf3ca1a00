//! `exporter`: checkpoint to ONNX to INT8 to a verified bundle.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use cssa::bundle::Precision;
use exporter::export::{self, Request};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exports a trained model for `edge` and proves that it still says the same.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    /// Folder of the run that the trainer wrote.
    #[arg(long)]
    checkpoint: PathBuf,
    /// Numbers that the graphs compute with.
    #[arg(long, value_enum, default_value = "int8")]
    quantize: Quantize,
    /// Folder of images to find activation ranges with; int8 needs it.
    #[arg(long)]
    calibration: Option<PathBuf>,
    /// Folder of the bundle, new or empty.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Quantize {
    /// 32-bit floats.
    None,
    /// 8-bit weights and activations.
    Int8,
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let precision = match command.quantize {
        Quantize::None => Precision::Fp32,
        Quantize::Int8 => Precision::Int8,
    };
    let Command { checkpoint, calibration, out, .. } = command;
    let manifest = export::export(&Request { checkpoint, precision, calibration, out: out.clone() }, &mut say)?;
    for (check, parity) in &manifest.parity {
        say(&format!("{check:22} largest difference {:.1e}, cosine {:.6}", parity.relative, parity.cosine));
    }
    let bytes: u64 = manifest.files.values().map(|entry| entry.bytes).sum();
    say(&format!("{}: bundle {:04x}, {:.1} MiB", out.display(), manifest.id(), bytes as f64 / 1_048_576.0));
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
