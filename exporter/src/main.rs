//! `exporter`: checkpoint to ONNX to INT8 to a verified bundle.

mod commands;
mod options;

use clap::Parser;
use options::Command;
use std::process::ExitCode;

fn main() -> ExitCode {
    cssa_terminal::without_telemetry();
    let Command { log, action, export } = Command::parse();
    cssa_terminal::run(log, || commands::run(action, export))
}
