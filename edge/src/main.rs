//! `edge`: captions images on board and sends words.

use std::process::ExitCode;

fn main() -> ExitCode {
    cssa_terminal::without_telemetry();
    ExitCode::from(edge::commands::run(std::env::args_os()))
}
