//! `exporter`: checkpoint to ONNX to INT8 to a verified bundle.

mod commands;
mod options;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(options::Command::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::report(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
