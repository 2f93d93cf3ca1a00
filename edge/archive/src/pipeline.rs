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

/// Captions tiles: `each` gets every row in order, with the error where there is no caption.
///
/// # Errors
/// The first error of `each`, and [`Error::Stopped`].
pub(crate) fn run(
    reader: &Reader,
    tiles: &[&Tile],
    readers: usize,
    bundle: &str,
    stop: &AtomicBool,
    caption: &mut dyn FnMut(&RgbImage) -> Result<Caption, String>,
    each: &mut Each,
) -> Result<()> {
    let readers = readers.clamp(1, 64);
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
        for (n, tile) in tiles.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let seen = lanes[n % readers].recv();
            let seen = seen.unwrap_or_else(|_| Err(Error::System(format!("the reader of tile {} ended", tile.id))));
            let mut row = Row {
                id: tile.id.clone(),
                source: tile.source.to_string(),
                datetime: tile.datetime,
                bundle: bundle.into(),
                ..Row::default()
            };
            let found = seen.and_then(|seen| {
                row.geometry = seen.footprint.as_ref().map(wkb::polygon);
                caption(&seen.pixels).map_err(|cause| Error::Model { id: tile.id.clone(), cause })
            });
            match found {
                Ok(found) => {
                    row.caption = Some(found.text.clone());
                    row.confidence = found.confidence.map(f32::from);
                    row.familiarity = found.familiarity;
                    row.outside = found.outside().map(|reason| reason.to_string());
                    each(n, row, None)?;
                }
                Err(error) => {
                    row.error = Some(error.to_string());
                    each(n, row, Some(&error))?;
                }
            }
        }
        Ok(())
    })
}
