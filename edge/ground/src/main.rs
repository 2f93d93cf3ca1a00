//! `ground`: receives what vehicles send, keeps, shows and exports it, and commands them.

mod commands;

use clap::{Parser, Subcommand};
use commands::packet_files;
use cssa_terminal::LogOptions;
use std::process::ExitCode;

/// Receives captions, keeps them in a GeoPackage or in PostGIS, maps and exports them, and commands vehicles.
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
    /// Receive packets and keep their captions in an archive: a GeoPackage, or a database with PostGIS.
    Receive(commands::ReceiveOptions),
    /// Show the captions of an archive on a map in the browser.
    Map(commands::MapOptions),
    /// Write the captions of an archive as GeoJSON or CSV.
    Export(commands::ExportOptions),
    /// Tell a vehicle what to do, or list what became of what was told.
    Command(commands::command::CommandOptions),
    /// Ask a vehicle for the picture of a caption, list what was asked for, or write what came.
    Ask(commands::ask::AskOptions),
    /// Make a key for a vehicle and its ground.
    Key(commands::KeyOptions),
    /// Turn a file of packets back into text.
    Decode(packet_files::DecodeOptions),
    /// Pack sentences and say what they take on the link.
    Encode(packet_files::EncodeOptions),
}

fn main() -> ExitCode {
    let Command { log, action } = Command::parse();
    cssa_terminal::run(log, || match action {
        Action::Receive(options) => commands::receive(&options),
        Action::Map(options) => commands::map(&options),
        Action::Export(options) => commands::export(&options),
        Action::Command(options) => commands::command::command(options),
        Action::Ask(options) => commands::ask::ask(&options),
        Action::Key(options) => commands::key(&options),
        Action::Decode(options) => packet_files::decode(&options),
        Action::Encode(options) => packet_files::encode(&options),
    })
}
