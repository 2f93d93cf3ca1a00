//! `ground ask`: asks for pictures of captions, lists them, and writes those that came.

use super::{opened, printable};
use anyhow::{Context, Result, ensure};
use cssa::files;
use cssa_terminal::{print, stop_flag};
use ground::Place;
use ground::archive::{Archive, ArchivedPicture};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Pictures of a list at most, the newest.
const MAX_LISTED: u32 = 1000;
/// Between two looks for a picture that is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// Options of `ground ask`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ground ask --archive captions.gpkg --vehicle 12 --caption 2 --out 2.webp
      Writes the picture of caption 2 when it is here; a `ground receive --key` must run.
  ground ask --archive captions.gpkg --list
      Prints the pictures that were asked for, with their state.")]
pub(crate) struct AskOptions {
    /// Archive. A `ground receive --key` on the same archive sends the request when it hears the vehicle, and stores
    /// the picture.
    #[arg(long)]
    archive: Place,
    /// Number of the vehicle; 0: the one without a number. Default: the only vehicle of the archive.
    #[arg(long)]
    vehicle: Option<u16>,
    /// Number of the caption whose picture is wanted.
    #[arg(long, required_unless_present_any = ["list", "picture"], conflicts_with_all = ["list", "picture"])]
    caption: Option<u32>,
    /// Longer side of the picture in pixels, at most; 16 to 8192. Any captioned frame has up to 160; flagged frames and
    /// those with a watch-word have more. Large pictures take long on thin links.
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u16).range(16..=8192))]
    pixels: u16,
    /// Part of the frame: LEFT,TOP,WIDTH,HEIGHT in pixels of the frame as it is kept on board. --list shows its size
    /// for pictures that have come. Very large images are captioned and kept at half their size or less. What lies
    /// outside of the frame is cut off.
    #[arg(long, value_parser = crop, conflicts_with = "picture")]
    crop: Option<[u16; 4]>,
    /// Write the picture to this file (WebP). Waits until it is here, however many passes that takes.
    #[arg(long, conflicts_with = "list")]
    out: Option<PathBuf>,
    /// Number of a picture that was asked for before.
    #[arg(long, requires = "out", conflicts_with = "list")]
    picture: Option<i64>,
    /// List the pictures that were asked for, the newest first, with their state: waiting, sent, coming, here, not
    /// kept, refused or unanswered.
    #[arg(long)]
    list: bool,
    /// With --list: print one JSON object per picture.
    #[arg(long, requires = "list")]
    json: bool,
}

fn crop(given: &str) -> Result<[u16; 4], String> {
    let numbers: Result<Vec<u16>, _> = given.split(',').map(|number| number.trim().parse()).collect();
    let numbers = numbers.ok().and_then(|numbers| <[u16; 4]>::try_from(numbers).ok());
    let is_part = |crop: &[u16; 4]| crop[2] > 0 && crop[3] > 0;
    numbers.filter(is_part).ok_or_else(|| "expected LEFT,TOP,WIDTH,HEIGHT in pixels, as 400,300,640,480".into())
}

/// Asks for a picture, lists them, or writes one.
pub(crate) fn ask(options: &AskOptions) -> Result<()> {
    let place = &options.archive;
    let is_there = place.file().is_none_or(Path::is_file);
    ensure!(is_there, "{place}: no such file, expected the archive of a ground receive");
    if options.list {
        return list(options, &Archive::read_at(place)?);
    }
    if let Some(out) = &options.out {
        files::check_writable(out)?;
        place.check_is_not(out)?;
    }
    let id = match (options.picture, options.caption) {
        (Some(id), _) => id,
        (None, Some(caption)) => request(options, place, caption)?,
        (None, None) => return Ok(()),
    };
    options.out.as_ref().map_or(Ok(()), |out| write(place, id, out))
}

fn request(options: &AskOptions, place: &Place, caption: u32) -> Result<i64> {
    let mut archive = opened(place)?;
    let vehicle = match options.vehicle {
        Some(vehicle) => vehicle,
        None => archive
            .only_vehicle()?
            .with_context(|| format!("{place}: holds packets of no vehicle or of several: name one with --vehicle"))?,
    };
    let row = archive.caption_row(vehicle, caption)?;
    let row = row.with_context(|| format!("{place}: has no caption {caption} of vehicle {vehicle}"))?;
    let id = archive.ask_picture(row, options.pixels, options.crop)?;
    print(&format!(
        "picture {id} of caption {caption} of vehicle {vehicle} waits: ground receive --key requests it, ground ask --list shows its state"
    ))?;
    Ok(id)
}

fn list(options: &AskOptions, archive: &Archive) -> Result<()> {
    let pictures = archive.pictures(MAX_LISTED)?.into_iter();
    let mut pictures = pictures.filter(|picture| options.vehicle.is_none_or(|vehicle| vehicle == picture.vehicle));
    pictures.try_for_each(|picture| {
        if options.json { print(&serde_json::to_string(&picture)?) } else { print(&printable(&line(&picture))) }
    })
}

/// A picture as a line.
fn line(picture: &ArchivedPicture) -> String {
    let ArchivedPicture { id, vehicle, sequence, pixels, made, state, caption, .. } = picture;
    let crop = picture
        .crop
        .map_or(String::new(), |[left, top, width, height]| format!(" of {width} x {height} at {left}, {top}"));
    let parts = match picture.parts.filter(|_| state == "sent" || state == "coming") {
        Some(parts) => format!(", {} of {parts} parts", picture.parts_here),
        None => String::new(),
    };
    let frame = picture.frame.map_or(String::new(), |[width, height]| format!(" of the frame of {width} x {height}"));
    let reason = picture.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    let answered = picture.answered.as_ref().map_or(String::new(), |answered| format!(", {answered}"));
    format!(
        "{id} vehicle {vehicle} caption {sequence} ({caption}), {pixels} pixels{crop}{frame}, asked {made}{answered}: {state}{parts}{reason}"
    )
}

/// Writes a picture once it is here.
fn write(place: &Place, id: i64, out: &Path) -> Result<()> {
    let stop = stop_flag()?;
    let archive = Archive::read_at(place)?;
    while !stop.load(Ordering::Relaxed) {
        if let Some(bytes) = archive.picture(id)? {
            files::write(out, &bytes)?;
            return print(&format!("{}: picture {id}, {} bytes", out.display(), bytes.len()));
        }
        let found = archive.pictures(MAX_LISTED)?.into_iter().find(|picture| picture.id == id);
        let found = found.with_context(|| format!("{place}: has no picture {id}: see ground ask --list"))?;
        let is_open = ["waiting", "sent", "coming"].contains(&found.state.as_str());
        ensure!(is_open || found.state == "here", "{}", printable(&line(&found)));
        std::thread::sleep(LOOK);
    }
    anyhow::bail!("picture {id} is not here yet: ground ask --picture {id} --out continues to wait for it")
}
