//! `edge bench`.

use super::model::ModelOptions;
use crate::bench;
use anyhow::{Context, Result};
use cssa::bundle::checkout;
use cssa_image::images;
use cssa_terminal::print;
use std::path::PathBuf;
use std::time::Instant;

/// Options of `edge bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Images and folders of images; left out, the checkout's rendered scenes.
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// Captions to measure.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Images that are captioned together.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    batch: u8,
    /// One JSON object.
    #[arg(long)]
    json: bool,
    /// The row of this machine for README's table of devices, in Markdown.
    #[arg(long, conflicts_with = "json")]
    row: bool,
}

/// A row of README's table: medians.
fn row_of(report: &bench::Report) -> String {
    format!(
        "| {} | {} | {} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} |",
        bench::machine().unwrap_or_else(|| std::env::consts::ARCH.into()),
        cssa_captioner::at_work(&report.runtime, report.share),
        report.threads,
        report.kernel,
        report.load_ms,
        report.encoder.p50_ms,
        report.decoder.p50_ms,
        report.caption.p50_ms,
        report.peak_rss_mib
    )
}

/// Measures captions and prints a report.
pub(crate) fn run(options: &BenchOptions) -> Result<()> {
    let paths = match options.paths.as_slice() {
        [] => vec![checkout("scenes").context("no images named and fixtures/scenes is not here")?],
        paths => paths.to_vec(),
    };
    let images = images(&paths)?;
    let started = Instant::now();
    let (captioner, settings) = options.model.open()?;
    let load = bench::Load { count: options.count as usize, batch: usize::from(options.batch) };
    let report = bench::run(captioner, started.elapsed(), &images, load, &settings)?;
    if options.json {
        return print(&serde_json::to_string(&report)?);
    }
    if options.row {
        return print(&row_of(&report));
    }
    let row = |name: &str, times: bench::Quantiles| format!("{name:14} {:8.1} {:8.1}", times.p50_ms, times.p95_ms);
    print(&format!(
        "{} · {} threads · decoder {} · {} · batch {} · looks {} · {} captions\n{:14} {:>8} {:>8}\n{}\n{}\n{}\n{}\n{}\nload {:.0} ms · first caption {:.0} ms · a caption \
         {:.2} × its encoder · peak memory {:.0} MiB · {:.1} bytes a packet",
        cssa_captioner::at_work(&report.runtime, report.share),
        report.threads,
        report.kernel,
        report.search,
        report.batch,
        report.looks,
        report.captions,
        "ms",
        "p50",
        "p95",
        row("preprocessing", report.preprocessing),
        row("encoder", report.encoder),
        row("decoder", report.decoder),
        row("judgement", report.judgement),
        row("caption", report.caption),
        report.load_ms,
        report.first_caption_ms,
        report.caption_over_encoder,
        report.peak_rss_mib,
        report.packet_bytes
    ))
}
