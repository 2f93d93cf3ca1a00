//! `edge bench`.

use super::model::ModelOptions;
use crate::bench;
use crate::choose::{self, Program};
use crate::config::Config;
use crate::model::flown;
use anyhow::{Context, Result, ensure};
use cssa::bundle::{Bundle, Trusted, checkout};
use cssa_captioner::Looks;
use cssa_image::images;
use cssa_terminal::print;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Options of `edge bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge bench images/ --threads 1 --count 20
      Prints the median and the 95th percentile of each step in milliseconds.
  edge bench --choose edge.toml --count 20
      Writes this machine's fastest settings into edge.toml. Takes minutes.")]
pub(crate) struct BenchOptions {
    /// Images and folders of images. Default: the checkout's rendered scenes.
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// Number of captions to measure.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Images captioned together.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    batch: u8,
    /// Measure this machine's runtimes, providers, threads and batches, each in a process of its own, and write the
    /// fastest one whose captions equal the CPU's into this configuration. Without --candidate, its own bundle is
    /// measured.
    #[arg(long, value_name = "EDGE_TOML", conflicts_with_all = ["json", "runtime", "provider", "threads", "batch", "bundle", "beam", "looks"])]
    choose: Option<PathBuf>,
    /// Bundle to choose among, for example one in FP16 for TensorRT. May be repeated; the preferred one first.
    #[arg(long, value_name = "BUNDLE", requires = "choose")]
    candidate: Vec<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// End when the program that started this one ends.
    #[arg(long, hide = true)]
    ends_with_parent: bool,
    /// The row of this machine for the documentation's table of devices, in Markdown.
    #[arg(long, conflicts_with_all = ["json", "choose", "batch", "looks", "beam"])]
    row: bool,
}

/// A row of the documentation's table: medians.
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
    if options.ends_with_parent {
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    }
    let images = images(&paths)?;
    if let Some(configuration) = &options.choose {
        return choose(options, configuration, images);
    }
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

/// Measures the candidates and writes the choice into the configuration.
fn choose(options: &BenchOptions, path: &Path, images: Vec<PathBuf>) -> Result<()> {
    let config = Config::read(path)?;
    choose::check_writable(path)?;
    let bundles = if options.candidate.is_empty() { vec![flown(&config)?] } else { options.candidate.clone() };
    let bundles: Vec<PathBuf> = bundles.into_iter().map(std::path::absolute).collect::<Result<_, _>>()?;
    // What no way can caption with is said at once, not once for each way.
    let trust = options.model.trust.clone().or(config.model.trust);
    let trusted = trust.as_deref().map(Trusted::read).transpose()?;
    for bundle in &bundles {
        ensure!(bundle.to_str().is_some(), "--candidate {}: is no UTF-8, which a configuration is", bundle.display());
        let read = Bundle::read_trusted(bundle, trusted.as_ref())?;
        let judged = config.model.looks == Looks::One || read.trust.is_some();
        ensure!(judged, "--candidate {}: has no statistics, model.looks is {}", bundle.display(), config.model.looks);
    }
    images.iter().try_for_each(|image| cssa_image::read(image).map(drop))?;
    let machine = Program {
        file: std::env::current_exe()?,
        count: images.len().max(options.count as usize),
        images,
        trust,
        looks: config.model.looks,
        beam: config.model.beam,
        engines: options.model.engines.clone().or(config.model.engines),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let trials = choose::trials(&bundles, cores, &machine, &mut |trial| tracing::info!("{trial}"));
    let (chosen, found) = choose::best(&trials).with_context(|| {
        let reasons: Vec<String> = trials.iter().map(ToString::to_string).collect();
        format!("nothing captions on this machine: {}", reasons.join("; "))
    })?;
    choose::written(path, chosen)?;
    let mut lines = vec![format!("{}: {chosen}, {:.2} ms a caption", path.display(), found.caption.p50_ms)];
    if config.model.bundle.is_none() && !options.candidate.is_empty() {
        lines.push(format!(
            "it flies what is installed: edge install {} --state {}",
            chosen.bundle.display(),
            path.display()
        ));
    }
    print(&lines.join("\n"))
}
