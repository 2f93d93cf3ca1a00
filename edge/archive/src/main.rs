//! `archive`: captions an archive of scenes, a shard a process.

mod options;

use anyhow::{Result, ensure};
use archive::{Cut, Pace, Plan, Session, Stores};
use clap::Parser;
use cssa::bundle::named_or_default;
use cssa_captioner::Settings;
use cssa_terminal::{print, stop_flag};
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two lines about how far it is.
const SAID_EVERY: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    cssa_terminal::without_telemetry();
    let options = Options::parse();
    cssa_terminal::run(options.log, || run(&options))
}

fn run(options: &Options) -> Result<()> {
    let stores = Arc::new(Stores::new()?);
    let cut = Cut { pixels: options.tile_pixels, stride: options.stride.unwrap_or(options.tile_pixels) };
    let plan = Plan::read(&options.tiles, &stores, cut)?;
    let (shard, shards) = options.shard;
    let tiles = plan.shard(shard, shards)?;
    tracing::info!("shard {shard}/{shards}: {} of {} tiles", tiles.len(), plan.tiles().len());
    let Some(out) = options.out.as_deref().filter(|_| !options.plan) else { return Ok(()) };
    let place = named_or_default(options.bundle.as_deref())?;
    let settings = Settings {
        choice: options.runtime,
        provider: options.provider,
        threads: usize::from(options.threads),
        looks: options.looks,
        ..Settings::default()
    };
    let pace = Pace { readers: usize::from(options.readers), batch: usize::from(options.batch) };
    let total = tiles.len();
    let mut session = Session::new(stores, plan, place, settings, pace)?;
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("captions [{bar:30}] {pos}/{len} {per_sec} left {eta} {msg}") {
        bar.set_style(style);
    }
    let (started, mut named, mut said) = (Instant::now(), 0, Instant::now());
    let stop = stop_flag()?;
    let outcome = session.caption(options.shard, out, &stop, &mut |_, error| {
        bar.inc(1);
        // Where nobody sees a bar, as in the log of a cluster's job.
        if bar.is_hidden() && said.elapsed() >= SAID_EVERY {
            said = Instant::now();
            let done = bar.position();
            tracing::info!("{done} of {total} tiles, {:.1} a second", done as f64 / started.elapsed().as_secs_f64());
        }
        if let Some(error) = error {
            // Of an archive whose bucket is gone a million lines say no more than these.
            const MOST: usize = 20;
            named += 1;
            if named <= MOST {
                bar.suspend(|| tracing::error!("error: {error}"));
            }
        }
    });
    bar.finish_and_clear();
    let outcome = outcome?;
    let seconds = started.elapsed().as_secs_f64();
    let failed: usize = outcome.failed.values().sum();
    print(&serde_json::to_string(&serde_json::json!({
        "file": outcome.file,
        "tiles": total,
        "captioned_now": outcome.captioned,
        "kept": outcome.kept,
        "failed": outcome.failed,
        "captions_a_second": (outcome.captioned as f64 / seconds * 10.0).round() / 10.0,
    }))?)?;
    ensure!(
        failed == 0,
        "{failed} of {total} tiles have no caption: {:?}; the same command tries them again",
        outcome.failed
    );
    Ok(())
}
