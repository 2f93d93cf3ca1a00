//! What a row of the plan is.

use cssa_image::Window;
use std::sync::Arc;

/// One tile to caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// Its name, once in the plan.
    pub id: String,
    /// A path or URL of a GeoTIFF; shared by the tiles of one scene.
    pub source: Arc<str>,
    /// Which part of the source.
    pub part: Part,
    /// When it was seen: microseconds since 1970 (UTC).
    pub datetime: Option<i64>,
}

/// Which part of a source a tile is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part {
    /// All of it.
    Whole,
    /// A rectangle in pixels.
    Pixels(Window),
    /// What lies between these degrees: west, south, east, north (WGS 84).
    Degrees([f64; 4]),
}

impl Tile {
    /// What identifies the row in hashes.
    pub(crate) fn line(&self) -> String {
        let part = match self.part {
            Part::Whole => String::new(),
            Part::Pixels(Window { x, y, width, height }) => format!("{x},{y},{width},{height}"),
            Part::Degrees(degrees) => format!("{:?}", degrees.map(f64::to_bits)),
        };
        format!("{}\0{}\0{part}\0{:?}\n", self.id, self.source, self.datetime)
    }
}
