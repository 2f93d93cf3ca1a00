//! `link-sim`: a link that is slow, late, lossy, wrong and often not there.

use anyhow::{Result, bail};
use clap::Parser;
use cssa::bundle::named_or_default;
use cssa::files;
use cssa_image::images;
use cssa_link::{Address, Framing};
use cssa_terminal::{LogOptions, one_of, print, stop_flag};
use edge::downlink::{ContactConfig, LinkConfig};
use link_sim::{ChannelSettings, PlanSettings, plan, relay};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

/// Longest file of captions.
const MAX_FILE: u64 = 1 << 30;

/// A slow, late, lossy link: between two programs with --listen and --to, in simulated time with --captions.
#[derive(Debug, Parser)]
#[command(version, about)]
#[command(after_help = "\
Examples:
  link-sim --captions captions.txt --bits-per-second 9600 --loss 0.2 \\
    --every-seconds 600 --pass-seconds 60
      Prints in which pass the captions of a file have arrived, in simulated time.
  link-sim --listen 127.0.0.1:7301 --to 127.0.0.1:7302 --loss 0.2
      Loses a fifth of what goes between a vehicle and its ground, until SIGTERM.")]
struct Options {
    #[command(flatten)]
    log: LogOptions,
    /// Relay: ADDRESS:PORT that vehicles send to.
    #[arg(long, requires = "to", conflicts_with = "captions", value_parser = remote)]
    listen: Option<String>,
    /// Relay: ADDRESS:PORT at which the ground listens.
    #[arg(long, requires = "listen", conflicts_with = "captions", value_parser = remote)]
    to: Option<String>,
    /// Plan: file of captions to send, one per line.
    #[arg(long)]
    captions: Option<PathBuf>,
    /// Plan: images whose JPEG thumbnails are sent over the same link for comparison.
    #[arg(long, conflicts_with = "listen", num_args = 1..)]
    images: Vec<PathBuf>,
    /// Plan: longer side of a thumbnail, in pixels.
    #[arg(long, conflicts_with = "listen", default_value_t = 128, value_parser = clap::value_parser!(u32).range(8..=4096))]
    side: u32,
    /// Plan: bundle that packs the captions. Default: the default bundle.
    #[arg(long, conflicts_with = "listen")]
    bundle: Option<PathBuf>,
    /// Plan: framing of packets.
    #[arg(long, conflicts_with = "listen", default_value = "plain", value_parser = one_of::<Framing>(Framing::NAMES))]
    framing: Framing,
    /// Plan: captions per packet, at most.
    #[arg(long, conflicts_with = "listen", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    share: u8,
    /// Plan: retransmission timeout in seconds; doubles up to 16×. Set it slightly above the round trip.
    #[arg(long, conflicts_with = "listen", default_value_t = 10.0, value_parser = within(0.05..=1e5))]
    resend_seconds: f64,
    /// Plan: nobody acknowledges, and each caption is sent this many times.
    #[arg(long, conflicts_with = "listen", value_parser = clap::value_parser!(u8).range(1..))]
    sends: Option<u8>,
    /// Plan: budget of each contact in bytes.
    #[arg(long, conflicts_with = "listen")]
    contact_bytes: Option<u32>,
    /// Plan: seconds between two captions. 0: all wait at the beginning.
    #[arg(long, conflicts_with = "listen", default_value_t = 0.0, value_parser = within(0.0..=1e9))]
    interval: f64,
    /// Plan: simulated seconds after which the simulation ends.
    #[arg(long, conflicts_with = "listen", default_value_t = 1e7, value_parser = within(0.0..=1e9))]
    longest: f64,
    #[command(flatten)]
    channel: ChannelOptions,
}

/// What the link does to what it carries.
#[derive(Clone, Copy, Debug, clap::Args)]
struct ChannelOptions {
    /// Bits per second. 0: no limit.
    #[arg(long, default_value_t = 0.0, value_parser = within(0.0..=1e12))]
    bits_per_second: f64,
    /// One-way delay in milliseconds.
    #[arg(long, default_value_t = 0.0, value_parser = within(0.0..=1e9))]
    latency_ms: f64,
    /// Share of frames that are lost, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = within(0.0..=1.0))]
    loss: f64,
    /// Bit error rate, 0 to 0.5.
    #[arg(long, default_value_t = 0.0, value_parser = within(0.0..=0.5))]
    bit_errors: f64,
    /// Seconds from the beginning of one pass to the beginning of the next. 0: the link is always there.
    #[arg(long, default_value_t = 0.0, value_parser = within(0.0..=1e9))]
    every_seconds: f64,
    /// Length of a pass in seconds.
    #[arg(long, default_value_t = 0.0, requires = "every_seconds", value_parser = within(0.0..=1e9))]
    pass_seconds: f64,
    /// Seed. The same seed gives the same losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl ChannelOptions {
    fn settings(self) -> ChannelSettings {
        let Self { bits_per_second, latency_ms, loss, bit_errors, every_seconds, pass_seconds, seed } = self;
        ChannelSettings { bits_per_second, latency_ms, loss, bit_errors, every_seconds, pass_seconds, seed }
    }
}

/// Reads a number of a range: no infinity, and nothing that is no number.
fn within(range: RangeInclusive<f64>) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| {
        let found = text.parse().ok().filter(|found| range.contains(found));
        found.ok_or_else(|| format!("expected a number, {} to {}", range.start(), range.end()))
    }
}

/// An address as links have it: HOST:PORT.
fn remote(text: &str) -> Result<String, String> {
    let is_right = format!("udp:{text}").parse::<Address>().is_ok();
    if is_right { Ok(text.into()) } else { Err("expected ADDRESS:PORT, PORT 1 to 65535".into()) }
}

fn main() -> ExitCode {
    let options = Options::parse();
    cssa_terminal::run(options.log, || run(&options))
}

/// Runs a relay until a signal, or a plan, and prints what became of it as JSON.
fn run(options: &Options) -> Result<()> {
    let channel = options.channel.settings();
    if let (Some(listen), Some(to)) = (&options.listen, &options.to) {
        let stop = stop_flag()?;
        return print(&serde_json::to_string(&relay(listen, to, channel, &stop)?)?);
    }
    let Some(captions) = &options.captions else {
        bail!("expected --captions for a plan, or --listen and --to for a relay");
    };
    let sentences: Vec<String> = files::read_text(captions, MAX_FILE)?.lines().map(String::from).collect();
    let images = if options.images.is_empty() { Vec::new() } else { images(&options.images)? };
    let gap = (channel.every_seconds - channel.pass_seconds).max(2.0) / 2.0;
    let contact =
        options.contact_bytes.map(|bytes| ContactConfig { bytes, gap_seconds: gap, reserve: None, passes: None });
    let link = LinkConfig {
        framing: options.framing,
        captions: options.share,
        resend_seconds: options.resend_seconds,
        sends: options.sends.unwrap_or(1),
        contact,
        ..LinkConfig::new("udp:127.0.0.1:1")
    };
    let settings = PlanSettings {
        channel,
        link,
        acknowledged: options.sends.is_none(),
        interval: options.interval,
        longest: options.longest,
    };
    let pictures = (!images.is_empty()).then_some((images.as_slice(), options.side));
    print(&serde_json::to_string(&plan(
        &sentences,
        &named_or_default(options.bundle.as_deref())?,
        pictures,
        &settings,
    )?)?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn help_manual_and_documented_commands_are_this_programs() -> anyhow::Result<()> {
        cssa_manual::check(&super::Options::command(), cssa_manual::Kind::Checkout)
    }
}
