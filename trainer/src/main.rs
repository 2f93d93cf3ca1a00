//! `trainer`: trains, evaluates and shows CSSA, and scores any system's captions.

mod commands;
mod options;

use clap::Parser;
use std::process::ExitCode;
use trainer::progress::Progress;

fn main() -> ExitCode {
    match commands::run(options::Command::parse()) {
        Ok(code) => code,
        Err(error) => {
            Progress.say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
