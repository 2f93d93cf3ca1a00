//! `edge`: captions images on board, decodes packets on the ground.

mod commands;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Captions aerial images and sends words instead of pixels.
#[derive(Parser)]
#[command(version, about)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Caption images: files, or folders of JPEG, PNG and TIFF.
    Caption(commands::CaptionOptions),
    /// Take frames, caption them and keep what matters, for months.
    Run(commands::onboard::RunOptions),
    /// Install a bundle into the slot that is not in use, test it, and make it the active one.
    Install(commands::onboard::InstallOptions),
    /// Caption the golden image.
    SelfTest(commands::onboard::SelfTestOptions),
    /// Measure what thresholds of the score keep and drop.
    Threshold(commands::onboard::ThresholdOptions),
    /// Receive packets on the ground and keep their captions in a GeoPackage.
    Receive(commands::ground::ReceiveOptions),
    /// Show the captions of a GeoPackage on a map in the browser.
    Map(commands::ground::MapOptions),
    /// Simulate a link: between two programs, or in simulated time for planning.
    LinkSim(commands::simulation::LinkSimOptions),
    /// Make a key for a vehicle and its ground.
    Key(commands::ground::KeyOptions),
    /// Write the captions of a GeoPackage as GeoJSON or CSV.
    Export(commands::ground::ExportOptions),
    /// Pack sentences and say what they take on the link.
    Encode(commands::EncodeOptions),
    /// Turn a file of packets back into text.
    Decode(commands::DecodeOptions),
    /// Make a new bundle of the one on board and a delta from the uplink.
    Update(commands::UpdateOptions),
    /// Measure time, memory and bytes of captions.
    Bench(commands::BenchOptions),
}

fn main() -> ExitCode {
    let done = match Command::parse().action {
        Action::Caption(options) => commands::caption(&options),
        Action::Run(options) => commands::onboard::run(&options),
        Action::Install(options) => commands::onboard::install(&options),
        Action::SelfTest(options) => commands::onboard::self_test(&options),
        Action::Threshold(options) => commands::onboard::threshold(&options),
        Action::Receive(options) => commands::ground::receive(&options),
        Action::Map(options) => commands::ground::map(&options),
        Action::LinkSim(options) => commands::simulation::link_sim(&options),
        Action::Key(options) => commands::ground::key(&options),
        Action::Export(options) => commands::ground::export(&options),
        Action::Encode(options) => commands::encode(&options),
        Action::Decode(options) => commands::decode(&options),
        Action::Update(options) => commands::update(&options),
        Action::Bench(options) => commands::bench(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            commands::report(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
