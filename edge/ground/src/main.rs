//! `ground`: receives what vehicles send, keeps, shows and exports it, and commands them.

mod commands;

use clap::{Parser, Subcommand};
use commands::packet_files;
use cssa_terminal::LogOptions;
use std::process::ExitCode;

/// Receives captions, keeps them in a GeoPackage or in PostGIS, maps and exports them, and commands vehicles.
#[derive(Parser)]
#[command(version, about)]
#[command(after_help = "\
Examples:
  ground receive --from udp:0.0.0.0:7301 --archive captions.gpkg --key uav.key
      Receives what vehicles send, acknowledges it and keeps it. SIGTERM ends it.
  ground map --archive captions.gpkg
      Prints the address of a map for the browser, and serves it.
  ground export --archive captions.gpkg --format csv --out captions.csv
      Writes a table of the captions.

Files:
  /etc/cssa/ground.conf  what the Debian package's service receives, and where it keeps it
  /var/lib/cssa-ground   its archive, and bundles that vehicles fly

Environment:
  PGPASSWORD  password of an archive in PostgreSQL whose URL has none")]
struct Command {
    #[command(flatten)]
    log: LogOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Receive packets and store their captions in an archive: a GeoPackage, or a database with PostGIS.
    Receive(commands::ReceiveOptions),
    /// Serve a map of an archive's captions for the browser.
    Map(commands::MapOptions),
    /// Write an archive's captions as GeoJSON, CSV, GeoParquet or STAC.
    Export(commands::export::ExportOptions),
    /// Give a vehicle a command, or list commands and their results.
    Command(commands::command::CommandOptions),
    /// Ask a vehicle for the picture of a caption, list requests, or write a picture that has come.
    Ask(commands::ask::AskOptions),
    /// Make a key that a vehicle and its ground share.
    Key(commands::KeyOptions),
    /// Decode a file of packets into text.
    Decode(packet_files::DecodeOptions),
    /// Encode sentences and print the bytes that they take on the link.
    Encode(packet_files::EncodeOptions),
}

fn main() -> ExitCode {
    let Command { log, action } = Command::parse();
    cssa_terminal::run(log, || match action {
        Action::Receive(options) => commands::receive(&options),
        Action::Map(options) => commands::map(&options),
        Action::Export(options) => commands::export::export(&options),
        Action::Command(options) => commands::command::command(options),
        Action::Ask(options) => commands::ask::ask(&options),
        Action::Key(options) => commands::key(&options),
        Action::Decode(options) => packet_files::decode(&options),
        Action::Encode(options) => packet_files::encode(&options),
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Command::command(), cssa_manual::Kind::Packaged)
    }
}
