//! Reading and captioning at the same time: threads read ahead, each a few tiles, and the caller captions in the plan's order.

use crate::error::{Error, Result};
use crate::output::Row;
use crate::reader::{Reader, Seen};
use crate::tile::Tile;
use cssa_captioner::Caption;
use cssa_geoparquet::wkb;
use image::RgbImage;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// Tiles that wait behind each reader.
const AHEAD: usize = 2;

/// What becomes of each row.
pub(crate) type Each<'a> = dyn FnMut(usize, Row, Option<&Error>) -> Result<()> + 'a;

/// How tiles come and go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Threads that read.
    pub readers: usize,
    /// Tiles that are captioned together.
    pub batch: usize,
}

/// What captions images: a result for each.
pub(crate) type Model<'a> = dyn FnMut(&[&RgbImage]) -> Vec<Result<Caption, String>> + 'a;

/// Captions tiles: `each` gets every row in order, with the error where there is no caption.
///
/// # Errors
/// The first error of `each`, and [`Error::Stopped`].
pub(crate) fn run(
    reader: &Reader,
    tiles: &[&Tile],
    pace: Pace,
    bundle: &str,
    stop: &AtomicBool,
    model: &mut Model<'_>,
    each: &mut Each,
) -> Result<()> {
    let (readers, batch) = (pace.readers.clamp(1, 64), pace.batch.clamp(1, 16));
    std::thread::scope(|scope| {
        let mut lanes: Vec<Receiver<Result<Seen>>> = Vec::new();
        for lane in 0..readers {
            let (sender, receiver) = sync_channel(AHEAD);
            scope.spawn(move || {
                for tile in tiles.iter().skip(lane).step_by(readers) {
                    if sender.send(reader.tile(tile)).is_err() {
                        return;
                    }
                }
            });
            lanes.push(receiver);
        }
        for (k, together) in tiles.chunks(batch).enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let seen = together.iter().enumerate().map(|(n, tile)| {
                let seen = lanes[(k * batch + n) % readers].recv();
                seen.unwrap_or_else(|_| Err(Error::System(format!("the reader of tile {} ended", tile.id))))
            });
            let seen: Vec<Result<Seen>> = seen.collect();
            let images: Vec<&RgbImage> = seen.iter().flatten().map(|seen| &seen.pixels).collect();
            let mut captions = if images.is_empty() { Vec::new() } else { model(&images) }.into_iter();
            for (n, (tile, seen)) in together.iter().zip(seen).enumerate() {
                let geometry = seen.as_ref().ok().and_then(|seen| seen.footprint.as_ref().map(wkb::polygon));
                let found = seen.and_then(|_| {
                    let none = || Err("the model gave no caption for it".into());
                    let found = captions.next().unwrap_or_else(none);
                    found.map_err(|cause| Error::Model { id: tile.id.clone(), cause })
                });
                let row = row(tile, bundle, geometry, &found);
                each(k * batch + n, row, found.err().as_ref())?;
            }
        }
        Ok(())
    })
}

/// A tile's row.
fn row(tile: &Tile, bundle: &str, geometry: Option<Vec<u8>>, found: &Result<Caption>) -> Row {
    let row = Row {
        id: tile.id.clone(),
        source: tile.source.to_string(),
        datetime: tile.datetime,
        bundle: bundle.into(),
        geometry,
        ..Row::default()
    };
    match found {
        Ok(found) => Row {
            caption: Some(found.text.clone()),
            confidence: found.confidence.map(f32::from),
            familiarity: found.familiarity,
            outside: found.outside().map(|reason| reason.to_string()),
            ..row
        },
        Err(error) => Row { error: Some(error.to_string()), ..row },
    }
}
