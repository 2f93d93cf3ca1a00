//! The command line of `edge`: what is typed, and what its commands do with it. The Python wheel runs it, too.

mod bench;
mod caption;
mod doctor;
mod flight;
mod model;
mod update;
mod verification;

use crate::Control;
use clap::{Parser, Subcommand};
use cssa_terminal::LogOptions;
use std::ffi::OsString;
use std::io::Write;
use std::sync::atomic::Ordering;

/// Captions aerial images and sends words instead of pixels.
#[derive(Parser)]
#[command(name = "edge", version, about)]
#[command(after_help = "\
Examples:
  edge caption images/
      Prints a sentence per image.
  edge run --check --config edge.toml
      Names what would keep this configuration from flying.
  edge run --config edge.toml
      Flies: takes frames, captions them, sends the captions. SIGTERM ends it.

Files:
  /etc/cssa/edge.toml        configuration of the Debian package's service cssa-edge
  /var/lib/cssa              its state; images in incoming/ are captioned
  /usr/lib/cssa-edge/bundle  the package's bundle")]
struct Command {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Caption image files, or folders of them: JPEG, PNG, TIFF.
    Caption(caption::CaptionOptions),
    /// Fly: take frames from a source, caption them, and send what the policy lets through.
    Run(flight::RunOptions),
    /// Test a bundle, install it into the inactive slot and make that slot active.
    Install(flight::InstallOptions),
    /// Tell whether a run is well, by its status: exit code 0 or 1, for a container's health check.
    Health(flight::HealthOptions),
    /// Caption the golden image and compare the result with the recorded one.
    SelfTest(flight::SelfTestOptions),
    /// Make a new bundle from the one on board and a delta from the uplink.
    Update(update::UpdateOptions),
    /// Measure time, memory and bytes per caption; or choose the fastest settings (--choose).
    Bench(bench::BenchOptions),
    /// Say what this machine has to fly with, what is missing, and what to do about it.
    Doctor(doctor::DoctorOptions),
}

/// Runs the program with its arguments, the first of which is its name, and gives its exit code. It belongs to the process: it sets the log up.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let Command { log, action } = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(said) => {
            // Help and version are no errors, and stand on standard output.
            let _gone = said.print();
            return u8::try_from(said.exit_code()).unwrap_or(u8::MAX);
        }
    };
    let control = Control::default();
    let is_well = cssa_terminal::succeeds(log, || match action {
        Action::Caption(options) => caption::caption(&options),
        Action::Run(options) => flight::run(&options, &control),
        Action::Install(options) => flight::install(&options),
        Action::Health(options) => flight::health(&options),
        Action::SelfTest(options) => flight::self_test(&options),
        Action::Update(options) => update::update(&options),
        Action::Bench(options) => bench::run(&options),
        Action::Doctor(options) => doctor::run(&options),
    });
    if control.left_behind.load(Ordering::Relaxed) {
        // At once: a model's runtime takes itself apart at an exit, also under a thread that is still in it.
        let _gone = std::io::stdout().flush();
        signal_hook::low_level::exit(i32::from(!is_well));
    }
    u8::from(!is_well)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Command::command(), cssa_manual::Kind::Packaged)
    }
}
