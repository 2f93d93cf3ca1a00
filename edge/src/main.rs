//! `edge`: captions images on board and sends words.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(edge::commands::run(std::env::args_os()))
}
