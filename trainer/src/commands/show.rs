//! `trainer heatmap`, `trainer gallery` and `trainer report`.

use super::machine::Machine;
use anyhow::{Context, Result, ensure};
use cssa::checkpoint::Description;
use cssa::dataset::{DevRule, Listing, Split};
use cssa::files;
use cssa_terminal::print;
use std::path::PathBuf;
use trainer::progress::Progress;
use trainer::report::{self, REPORT};
use trainer::score;
use trainer::show::{gallery, heatmap};
use trainer::trained::Trained;

/// Options of `trainer heatmap`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer heatmap --run runs/mine --image airport.jpg --word airplanes --out heat.png
      Draws what the model looked at for this word.")]
pub(crate) struct HeatmapOptions {
    /// Folder of the run. Three runs compare models trained with DGP, without decay and without DGP.
    #[arg(long, num_args = 1..=3, required = true)]
    run: Vec<PathBuf>,
    /// Image file.
    #[arg(long)]
    image: PathBuf,
    /// Word of the caption.
    #[arg(long)]
    word: String,
    /// Cell of the grid: COLUMN,ROW, from 0 at the upper left.
    #[arg(long, value_parser = parse_cell, default_value = "4,4")]
    cell: (usize, usize),
    /// Captions of a bundle or of another system: {filename: caption} (JSON). Default: the run's own caption.
    #[arg(long)]
    hypotheses: Option<PathBuf>,
    /// Output file (PNG).
    #[arg(long)]
    out: PathBuf,
}

/// Options of `trainer gallery`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer gallery --hypotheses captions.json --data my-images/ --out gallery.html
      Writes a page of images, references and captions, the worst first.")]
pub(crate) struct GalleryOptions {
    /// Folder of the run.
    #[arg(long, required_unless_present = "hypotheses", conflicts_with = "hypotheses")]
    run: Option<PathBuf>,
    /// Captions of a bundle or of another system: {filename: caption} (JSON).
    #[arg(long)]
    hypotheses: Option<PathBuf>,
    /// Dataset folder.
    #[arg(long)]
    data: PathBuf,
    /// Split: train, dev, val or test.
    #[arg(long, default_value = "test")]
    split: Split,
    /// Rule that makes dev, for --split dev: blocks or hash.
    #[arg(long, default_value_t)]
    dev: DevRule,
    /// Output file (HTML).
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    machine: Machine,
}

/// Options of `trainer report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  trainer report --run runs/mine --data my-images/
      Writes runs/mine/report.html: curves, captions, reliability, classes.")]
pub(crate) struct ReportOptions {
    /// Folder of the run.
    #[arg(long)]
    run: PathBuf,
    /// Dataset folders whose dev images are captioned. Without them the report has the curves alone.
    #[arg(long, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Output file (HTML). Default: report.html in the run's folder.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

/// Writes the report of a run.
pub(crate) fn report(options: ReportOptions) -> Result<()> {
    let ReportOptions { run, data, out, machine } = options;
    let out = out.unwrap_or_else(|| run.join(REPORT));
    Description::read(&run)?;
    files::check_writable(&out)?;
    let request = report::Request { run: &run, data: &data, cache: &machine.cache, device: machine.start()? };
    report::write(&request, &out, &Progress::Shown)?;
    print(&out.display().to_string())
}

/// Draws what the model attends to.
pub(crate) fn heatmap(options: HeatmapOptions) -> Result<()> {
    let HeatmapOptions { run, image, word, cell, hypotheses, out } = options;
    files::check_writable(&out)?;
    files::check_is_other(&out, [&image].into_iter().chain(&hypotheses).map(PathBuf::as_path))?;
    let runs = run.iter().map(|run| Trained::read(run, tch::Device::Cpu)).collect::<Result<Vec<_>, _>>()?;
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let caption = match hypotheses {
        Some(path) => {
            let mut all = score::read_hypotheses(&path)?;
            Some(all.remove(&name).with_context(|| format!("{} has no caption of {name}", path.display()))?)
        }
        None => None,
    };
    let request = heatmap::Request { image: &image, word: &word, cell, caption };
    let drawn = heatmap::draw(&runs.iter().collect::<Vec<_>>(), &request)?;
    let mut png = Vec::new();
    drawn.picture.write_with_encoder(image::codecs::png::PngEncoder::new(&mut png))?;
    files::write(&out, &png)?;
    print(&format!("{}: {}", out.display(), drawn.caption))?;
    print("columns: image, with DGP, without decay, without DGP; rows: the word, the cell")?;
    Ok(())
}

/// Makes a page of images with their captions.
pub(crate) fn gallery(options: GalleryOptions) -> Result<()> {
    let GalleryOptions { run, hypotheses, data, split, dev, out, machine } = options;
    files::check_writable(&out)?;
    files::check_is_other(&out, hypotheses.iter().map(PathBuf::as_path))?;
    let captions = match (run, hypotheses) {
        (Some(run), _) => {
            let trained = Trained::read(&run, machine.start()?)?;
            let found = trained.evaluate(
                std::slice::from_ref(&data),
                split,
                trained.search(),
                &machine.cache,
                &Progress::Shown,
            )?;
            found.into_iter().flat_map(|found| found.hypotheses).collect()
        }
        (None, Some(path)) => score::read_hypotheses(&path)?,
        (None, None) => Default::default(),
    };
    let listing = Listing::read(&data, dev)?;
    let entries: Vec<_> = listing
        .entries
        .iter()
        .filter(|entry| entry.split == split && entry.path.is_file())
        .filter_map(|entry| Some((entry, captions.get(&entry.filename)?.as_str())))
        .collect();
    ensure!(!entries.is_empty(), "no image of {} {} has a caption", listing.name, split.name());
    let page = gallery::page(&format!("{} {}", listing.name, split.name()), &entries)?;
    files::write(&out, page.as_bytes())?;
    print(&format!("{}: {} images", out.display(), entries.len()))?;
    Ok(())
}

fn parse_cell(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once(',').and_then(|(x, y)| Some((x.trim().parse().ok()?, y.trim().parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is no cell, expected column,row"))
}
