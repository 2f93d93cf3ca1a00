//! `archive`: captions an archive of scenes, a shard a process.

mod options;

use anyhow::{Context, Result, ensure};
use archive::{Cut, Error, Job, Plan, Stores};
use clap::Parser;
use cssa::bundle::{Bundle, contents, hexadecimal, named_or_default};
use cssa::errors::chain;
use cssa_captioner::{Captioner, Settings};
use cssa_terminal::{print, stop_flag};
use indicatif::{ProgressBar, ProgressStyle};
use options::Options;
use sha2::{Digest, Sha256};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

fn main() -> ExitCode {
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
    let manifest = contents(&place)?.remove("manifest.toml").context("the bundle has no manifest.toml")?;
    let bundle = hexadecimal(&Sha256::digest(&manifest));
    let said = format!("looks {} runtime {}", options.looks, options.runtime);
    let settings = Settings {
        choice: options.runtime,
        threads: usize::from(options.threads),
        looks: options.looks,
        ..Settings::default()
    };
    let job = Job {
        tiles,
        shard: options.shard,
        out,
        bundle: &bundle,
        options: &said,
        readers: usize::from(options.readers),
    };
    let bar = ProgressBar::new(tiles.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("captions [{bar:30}] {pos}/{len} {per_sec} left {eta} {msg}") {
        bar.set_style(style);
    }
    let (started, mut named) = (Instant::now(), 0);
    let stop = stop_flag()?;
    let outcome = job.run(
        &stores,
        || {
            let odd = |error: String| Error::System(format!("the model does not load: {error}"));
            let bundle = Bundle::read(&place).map_err(|error| odd(chain(&error)))?;
            let mut captioner = Captioner::open(&bundle, &settings).map_err(|error| odd(chain(&error)))?;
            tracing::info!("runtime {}", captioner.at_work());
            Ok(Box::new(move |image| captioner.caption(image).map_err(|error| chain(&error))))
        },
        &stop,
        &mut |_, error| {
            bar.inc(1);
            if let Some(error) = error {
                // Of an archive whose bucket is gone a million lines say no more than these.
                const MOST: usize = 20;
                named += 1;
                if named <= MOST {
                    bar.suspend(|| tracing::error!("error: {error}"));
                }
            }
        },
    );
    bar.finish_and_clear();
    let outcome = outcome?;
    let seconds = started.elapsed().as_secs_f64();
    let failed: usize = outcome.failed.values().sum();
    print(&serde_json::to_string(&serde_json::json!({
        "file": outcome.file,
        "tiles": tiles.len(),
        "captioned_now": outcome.done,
        "kept": outcome.kept,
        "failed": outcome.failed,
        "tiles_a_second": (outcome.done as f64 / seconds * 10.0).round() / 10.0,
    }))?)?;
    ensure!(
        failed == 0,
        "{failed} of {} tiles have no caption: {:?}; the same command tries them again",
        tiles.len(),
        outcome.failed
    );
    Ok(())
}
