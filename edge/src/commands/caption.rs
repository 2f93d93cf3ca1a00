//! `edge caption`.

use super::model::ModelOptions;
use crate::footprint::Footprint;
use crate::position::View;
use crate::{packets, sources};
use anyhow::{Context, Result, ensure};
use cssa::bundle::named_or_default;
use cssa::errors::chain;
use cssa::files::{self, FileError};
use cssa::trust::{Confidence, Reason};
use cssa_captioner::Looks;
use cssa_image::{Kept, tags};
use cssa_terminal::{escaped, print};
use cssa_wire::Position;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Options of `edge caption`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  edge caption images/ --json --looks 4
      Prints a JSON object per image, captioned in four turned views.
  edge caption images/ --packets pass.bin
      Also writes what a radio would send, with the images' own times and places;
      `ground decode pass.bin` reads it.")]
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
    fn of((position, footprint): (Option<Position>, Option<Footprint>)) -> Option<Self> {
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
    let (images, mut problems) = cssa_image::found(&options.paths);
    if images.is_empty()
        && problems.len() == 1
        && let Some(problem) = problems.pop()
    {
        return Err(problem.into());
    }
    if images.is_empty() {
        // There is nothing to load a model for.
        return told(&problems);
    }
    if let Some(path) = &options.packets {
        files::check_writable(path)?;
        let bundle = named_or_default(options.model.bundle.as_deref())?;
        files::check_is_other(path, images.iter().map(PathBuf::as_path).chain([bundle.as_path()]))?;
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
        let tags = tags::read_file(path);
        let view = read.as_ref().map(|picture| View::by_tags(&tags, picture.size_in_file())).unwrap_or_default();
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
        let time = sources::time_of_file(path, &tags);
        let packet = packets::pack(&caption, &captioner.language(), sequence, (time, view.0))?;
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
                place: Place::of(view),
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
            print(&format!("{}: {}{told}", escaped(&path.display().to_string()), caption.text))?;
        }
    }
    if let Some(path) = &options.packets {
        files::write(path, &stream)?;
    }
    let found = told(&problems);
    ensure!(failures == 0, "{failures} of {} images could not be captioned", images.len());
    found
}

/// Names what is wrong with paths and the folders below them.
fn told(problems: &[FileError]) -> Result<()> {
    problems.iter().for_each(|problem| tracing::error!("error: {problem}"));
    let paths = if problems.len() == 1 { "path was" } else { "paths were" };
    ensure!(problems.is_empty(), "{} {paths} not read", problems.len());
    Ok(())
}
