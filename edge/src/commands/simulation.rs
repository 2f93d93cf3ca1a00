//! `edge link-sim`.

use super::{bundle_place, print};
use anyhow::{Result, bail};
use cssa::files;
use edge::link::Framing;
use edge::onboard::downlink::{ContactConfig, LinkConfig};
use edge::simulation::{ChannelSettings, PlanSettings, plan, relay};
use edge::sources;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Longest file of captions.
const LONGEST: u64 = 1 << 30;

/// Options of `edge link-sim`: a relay with --listen and --to, a plan with --captions.
#[derive(Debug, clap::Args)]
pub(crate) struct LinkSimOptions {
    /// Relay: the address that vehicles send to (ADDRESS:PORT).
    #[arg(long, requires = "to", conflicts_with = "captions")]
    listen: Option<String>,
    /// Relay: the address at which the ground listens.
    #[arg(long, requires = "listen")]
    to: Option<String>,
    /// Plan: the captions to send, one a line.
    #[arg(long)]
    captions: Option<PathBuf>,
    /// Plan: images whose thumbnails are sent over the same link for comparison.
    #[arg(long, num_args = 1..)]
    images: Vec<PathBuf>,
    /// Plan: longer side of a thumbnail, in pixels.
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(8..=4096))]
    side: u32,
    /// Plan: the bundle that packs the captions; left out, the default bundle.
    #[arg(long)]
    bundle: Option<PathBuf>,
    /// Plan: what packets travel in.
    #[arg(long, value_enum, default_value = "plain")]
    framing: Framing,
    /// Plan: most captions in a packet.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    share: u8,
    /// Plan: seconds before a caption that is not acknowledged is sent again.
    #[arg(long, default_value_t = 10.0)]
    resend_seconds: f64,
    /// Plan: nobody acknowledges; each caption is sent so often.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    sends: Option<u8>,
    /// Plan: bytes a contact may take.
    #[arg(long)]
    contact_bytes: Option<u32>,
    /// Plan: seconds between two captions; 0: all wait at the beginning.
    #[arg(long, default_value_t = 0.0)]
    interval: f64,
    /// Plan: simulated seconds after which it ends.
    #[arg(long, default_value_t = 1e7)]
    longest: f64,
    #[command(flatten)]
    channel: ChannelSettings,
}

/// Runs a relay until a signal, or a plan, and prints what became of it as JSON.
pub(crate) fn link_sim(options: &LinkSimOptions) -> Result<()> {
    if let (Some(listen), Some(to)) = (&options.listen, &options.to) {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
        return print(&serde_json::to_string(&relay(listen, to, options.channel, &stop)?)?);
    }
    let Some(captions) = &options.captions else {
        bail!("expected --captions for a plan, or --listen and --to for a relay");
    };
    let sentences: Vec<String> = files::read_text(captions, LONGEST)?.lines().map(String::from).collect();
    let images = if options.images.is_empty() { Vec::new() } else { sources::images(&options.images)? };
    let gap = (options.channel.every_seconds - options.channel.pass_seconds).max(2.0) / 2.0;
    let contact = options.contact_bytes.map(|bytes| ContactConfig { bytes, gap_seconds: gap, passes: None });
    let link = LinkConfig {
        framing: options.framing,
        captions: options.share,
        resend_seconds: options.resend_seconds,
        sends: options.sends.unwrap_or(1),
        contact,
        ..LinkConfig::new("udp:127.0.0.1:0")
    };
    let settings = PlanSettings {
        channel: options.channel,
        link,
        acknowledged: options.sends.is_none(),
        interval: options.interval,
        longest: options.longest,
    };
    let pictures = (!images.is_empty()).then_some((images.as_slice(), options.side));
    print(&serde_json::to_string(&plan(&sentences, &bundle_place(options.bundle.as_deref())?, pictures, &settings)?)?)
}
