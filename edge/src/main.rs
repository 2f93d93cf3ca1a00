//! `edge`: captions images on board and sends words.

mod commands;

use clap::{Parser, Subcommand};
use cssa_terminal::LogOptions;
use edge::Control;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// Captions aerial images and sends words instead of pixels.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Caption images: files, or folders of JPEG, PNG and TIFF.
    Caption(commands::caption::CaptionOptions),
    /// Take frames, caption them and keep what matters, for months.
    Run(commands::flight::RunOptions),
    /// Install a bundle into the slot that is not in use, test it, and make it the active one.
    Install(commands::flight::InstallOptions),
    /// Caption the golden image.
    SelfTest(commands::flight::SelfTestOptions),
    /// Make a new bundle of the one on board and a delta from the uplink.
    Update(commands::update::UpdateOptions),
    /// Measure time, memory and bytes of captions.
    Bench(commands::bench::BenchOptions),
}

fn main() -> ExitCode {
    let Command { log, action } = Command::parse();
    let control = Control::default();
    let is_well = cssa_terminal::succeeds(log, || match action {
        Action::Caption(options) => commands::caption::caption(&options),
        Action::Run(options) => commands::flight::run(&options, &control),
        Action::Install(options) => commands::flight::install(&options),
        Action::SelfTest(options) => commands::flight::self_test(&options),
        Action::Update(options) => commands::update::update(&options),
        Action::Bench(options) => commands::bench::run(&options),
    });
    if control.left_behind.load(Ordering::Relaxed) {
        // At once: a model's runtime takes itself apart at an exit, also under a thread that is still in it.
        let _gone = std::io::stdout().flush();
        signal_hook::low_level::exit(i32::from(!is_well));
    }
    if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
