//! What can be typed.

use clap::Parser;
use cssa_terminal::LogOptions;
use std::path::PathBuf;

/// Flies a simulated drone over a rendered landscape, or over an image of yours, and shows on a map in the browser what
/// it sees: frames are captioned on board by the default bundle, the captions cross a thin, lossy link, and the ground
/// receives them.
///
/// The address of the map is printed first; a click beside a caption asks the drone for its picture. At the end a line
/// compares the bytes that were sent with those of the same frames as JPEG. Nothing is installed, nothing but this
/// machine is reached, and nothing is left behind.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) log: LogOptions,
    /// Image to fly over: GeoTIFF (at its own places), TIFF, JPEG or PNG (at made-up places off 0° N 0° E). A large one
    /// is flown over line by line, in frames of 512 pixels, one a second, as far as the time allows. Default: a
    /// landscape of rendered scenes.
    #[arg(long)]
    pub(crate) image: Option<PathBuf>,
    /// Seconds until everything ends, 10 to 86400. The drone lands some seconds before.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    pub(crate) seconds: u32,
    /// Share of the packets that the link loses, 0 to 0.9, in both directions.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub(crate) loss: f64,
    /// Bits per second of the link, 1200 or more.
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(1200..=1_000_000_000))]
    pub(crate) bandwidth: u32,
    /// Port of the map on this machine. 0: any free one.
    #[arg(long, default_value_t = 8073)]
    pub(crate) port: u16,
    /// Seed of the landscape and of what the link loses.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// New folder for what the flight leaves: the archive captions.gpkg, the frames, the landscape.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) keep: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  demo
      Two minutes over a rendered landscape.
  demo --image field.tif --seconds 300
      Five minutes over a GeoTIFF of yours.
  demo --bandwidth 1200 --loss 0.5
      The same over a worse link.
  demo --keep flight
      Keeps the archive, for ground map --archive flight/captions.gpkg, and the frames.";

fn share(given: &str) -> Result<f64, String> {
    let share = given.parse().ok().filter(|share| (0.0..=0.9).contains(share));
    share.ok_or_else(|| "expected a share of 0 to 0.9".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Options::command(), cssa_manual::Kind::Checkout)
    }
}
