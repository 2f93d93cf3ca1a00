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

/// A source's location: as it stands, or relative to the folder of the document that names it.
pub(crate) fn resolved(document: &str, source: &str) -> String {
    if source.contains("://") || source.starts_with('/') {
        return source.into();
    }
    match document.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{}", source.trim_start_matches("./")),
        None => source.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_relative_to_their_table() {
        assert_eq!(resolved("/a/tiles.parquet", "b.tif"), "/a/b.tif");
        assert_eq!(resolved("s3://bucket/x/tiles.parquet", "./b.tif"), "s3://bucket/x/b.tif");
        assert_eq!(resolved("tiles.parquet", "b.tif"), "b.tif");
        assert_eq!(resolved("/a/t.parquet", "https://h/b.tif"), "https://h/b.tif");
    }
}
