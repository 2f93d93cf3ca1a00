//! `edge caption`.

use super::model::ModelOptions;
use crate::packets;
use crate::position::View;
use anyhow::{Context, Result, ensure};
use cssa::errors::chain;
use cssa::files::{self, FileError};
use cssa::trust::{Confidence, Reason};
use cssa_captioner::Looks;
use cssa_image::{Kept, Picture, images, tags};
use cssa_terminal::print;
use cssa_wire::Position;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Options of `edge caption`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge caption images/ --json --looks 4
      Prints a JSON object per image, captioned in four turned views.
  edge caption images/ --packets pass.bin
      Also writes what a radio would send; `ground decode pass.bin` reads it.")]
pub(crate) struct CaptionOptions {
    /// Images and folders of images.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelOptions,
    /// Print one JSON object per image.
    #[arg(long)]
    json: bool,
    /// Also write the captions' packets to this file.
    #[arg(long)]
    packets: Option<PathBuf>,
}

/// A captioned image, as `--json` prints it.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    caption: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<Confidence>,
    #[serde(skip_serializing_if = "Option::is_none")]
    familiarity: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outside: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<&'a [Reason]>,
    looks: Looks,
    #[serde(flatten)]
    place: Option<Place>,
    packet_hex: String,
    packet_bytes: usize,
    latency_ms: f64,
    runtime: &'a str,
}

/// Where an image lies, by its own tags.
#[derive(Serialize)]
struct Place {
    /// Degrees: where the camera looked, where its footprint is known, else where it was.
    latitude: f64,
    longitude: f64,
    #[serde(flatten)]
    footprint: Option<Polygon>,
}

/// What an image shows of the ground.
#[derive(Serialize)]
struct Polygon {
    /// How far off its middle may be, in metres.
    accuracy: f64,
    /// Longitude and latitude, as GeoJSON has them, of the upper left, upper right, lower right and lower left corner.
    footprint: [[f64; 2]; 4],
}

impl Place {
    fn of(path: &Path, picture: &Picture) -> Option<Self> {
        let (position, footprint) = View::by_tags(&tags::read_file(path), picture.size_in_file());
        let (latitude, longitude) = position?.degrees();
        let corner = |corner: Position| [corner.degrees().1, corner.degrees().0];
        let footprint = footprint.map(|found| Polygon {
            accuracy: (found.accuracy * 10.0).ceil() / 10.0,
            footprint: found.corners.map(corner),
        });
        Some(Self { latitude, longitude, footprint })
    }
}

/// Captions every image; a path that is not there and an image that cannot be read are reported, the others are captioned, and the command
/// fails at the end.
pub(crate) fn caption(options: &CaptionOptions) -> Result<()> {
    let (images, mut problems) = found(&options.paths);
    if images.is_empty()
        && problems.len() == 1
        && let Some(problem) = problems.pop()
    {
        return Err(problem.into());
    }
    if images.is_empty() {
        // There is nothing to load a model for.
        return told(&problems, options.paths.len());
    }
    if let Some(path) = &options.packets {
        files::check_writable(path)?;
    }
    let (mut captioner, _) = options.model.open()?;
    let active = captioner.active();
    if !options.json {
        tracing::info!("runtime {}", captioner.at_work());
    }
    let (mut stream, mut failures, mut sequence) = (Vec::new(), 0, 0);
    for path in &images {
        let started = Instant::now();
        let read = cssa_image::read_picture(path, Kept::Reduced).map_err(anyhow::Error::from);
        let place = read.as_ref().ok().filter(|_| options.json).and_then(|picture| Place::of(path, picture));
        let caption = match read
            .and_then(|picture| captioner.caption(&picture.pixels).with_context(|| format!("{}", path.display())))
        {
            Ok(caption) => caption,
            Err(error) => {
                tracing::error!("error: {}", chain(&*error));
                failures += 1;
                continue;
            }
        };
        let latency_ms = started.elapsed().as_secs_f64() * 1e3;
        let packet = packets::pack(&caption, &captioner.language(), sequence)?;
        sequence = sequence.wrapping_add(1);
        cssa_wire::push_frame(&mut stream, &packet);
        if options.json {
            print(&serde_json::to_string(&Line {
                image: path.display().to_string(),
                caption: &caption.text,
                score: caption.score,
                confidence: caption.confidence,
                familiarity: caption.familiarity,
                outside: caption.familiarity.is_some().then(|| caption.outside().is_some()),
                reasons: caption.familiarity.is_some().then_some(caption.reasons.as_slice()),
                looks: caption.looks,
                place,
                packet_hex: cssa::bundle::hexadecimal(&packet),
                packet_bytes: packet.len(),
                latency_ms,
                runtime: &active,
            })?)?;
        } else {
            let confidence = caption.confidence.map(|confidence| format!("{:.2}", confidence.value()));
            let told: Vec<String> =
                confidence.into_iter().chain(caption.reasons.iter().map(ToString::to_string)).collect();
            let told = if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) };
            print(&format!("{}: {}{told}", path.display(), caption.text))?;
        }
    }
    if let Some(path) = &options.packets {
        files::write(path, &stream)?;
    }
    let found = told(&problems, options.paths.len());
    ensure!(failures == 0, "{failures} of {} images could not be captioned", images.len());
    found
}

/// Names the paths that stand for no image.
fn told(problems: &[FileError], paths: usize) -> Result<()> {
    problems.iter().for_each(|problem| tracing::error!("error: {problem}"));
    ensure!(problems.is_empty(), "{} of {paths} paths have no image", problems.len());
    Ok(())
}

/// The images that paths stand for, and what is wrong with the paths that stand for none.
fn found(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<FileError>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match images(std::slice::from_ref(path)) {
            Ok(more) => found.extend(more),
            Err(problem) => problems.push(problem),
        }
    }
    (found, problems)
}
