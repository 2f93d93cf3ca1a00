//! The ground that is flown over: an image, from which frames are cut, each with its place on the earth.

use crate::error::{Error, Result};
use cssa_image::tags::{self, Tags};
use cssa_image::{Kept, Picture, Place, Raster, Window, is_tiff_file, read_picture};
use image::RgbImage;
use image::imageops::crop_imm;
use std::path::Path;

/// Most pixels of an image that is no TIFF and is held whole: a larger one is reduced.
const MAX_PIXELS: u64 = 1 << 26;
/// Metres of a pixel of an image that does not say where it lies: what the bundle's training images have.
const PIXEL: f64 = 0.3;
/// The upper left corner of such an image, in degrees north and east: open sea, as everybody sees that it is made up.
const MADE_UP: (f64, f64) = (0.05, 0.05);
/// Metres of a degree along a meridian.
const DEGREE: f64 = 111_194.93;

/// An image with places.
pub(crate) struct Terrain {
    pixels: Pixels,
    /// Where its pixels lie; nothing where that is made up.
    tags: Option<Tags>,
}

enum Pixels {
    Raster(Box<Raster>),
    Picture(Picture),
    Drawn(RgbImage),
}

/// Where a camera straight above looks, how wide it sees the ground, and which way its upper edge is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) centre: Place,
    /// Metres from its left edge to its right one.
    pub(crate) width: f64,
    /// Degrees clockwise from north.
    pub(crate) yaw: f64,
}

impl Terrain {
    /// The image of a file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let pixels = if is_tiff_file(path) {
            let raster = Raster::open(path).map_err(|source| Error::Image { image: path.into(), source })?;
            Pixels::Raster(Box::new(raster))
        } else {
            Pixels::Picture(read_picture(path, Kept::AtMost(MAX_PIXELS))?)
        };
        let note = match &pixels {
            Pixels::Raster(raster) => raster.note(),
            Pixels::Picture(picture) => picture.note(),
            Pixels::Drawn(_) => None,
        };
        if let Some(note) = note {
            tracing::info!("{}: {note}", path.display());
        }
        let tags = tags::read_file(path);
        let mut terrain = Self { pixels, tags: Some(tags) };
        let (width, height) = terrain.size();
        let corners = [(0, 0), (width, 0), (0, height), (width, height)];
        let is_placed = terrain.tags.as_ref().is_some_and(Tags::is_georeferenced)
            && corners.iter().all(|&(x, y)| terrain.place((f64::from(x), f64::from(y))).is_some());
        if !is_placed {
            terrain.tags = None;
            tracing::info!("{}: does not say where it lies: its places on the map are made up", path.display());
        }
        Ok(terrain)
    }

    /// A picture at made-up places.
    pub(crate) fn drawn(picture: RgbImage) -> Self {
        Self { pixels: Pixels::Drawn(picture), tags: None }
    }

    /// The picture, where it was drawn.
    pub(crate) fn picture(&self) -> Option<&RgbImage> {
        match &self.pixels {
            Pixels::Drawn(picture) => Some(picture),
            Pixels::Raster(_) | Pixels::Picture(_) => None,
        }
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (u32, u32) {
        match &self.pixels {
            Pixels::Raster(raster) => raster.dimensions(),
            Pixels::Picture(picture) => picture.pixels.dimensions(),
            Pixels::Drawn(picture) => picture.dimensions(),
        }
    }

    /// The pixels of a window.
    pub(crate) fn frame(&self, window: Window) -> Result<RgbImage, cssa_image::DecodeError> {
        let Window { x, y, width, height } = window;
        match &self.pixels {
            Pixels::Raster(raster) => raster.window(window),
            Pixels::Picture(Picture { pixels, .. }) | Pixels::Drawn(pixels) => {
                Ok(crop_imm(pixels, x, y, width, height).to_image())
            }
        }
    }

    /// How a camera looks that sees a window.
    pub(crate) fn look(&self, window: Window) -> Option<Look> {
        let at = |across: f64, down: f64| {
            let x = f64::from(window.x) + across * f64::from(window.width);
            self.place((x, f64::from(window.y) + down * f64::from(window.height)))
        };
        let centre = at(0.5, 0.5)?;
        let (left, right, top) = (at(0.0, 0.5)?, at(1.0, 0.5)?, at(0.5, 0.0)?);
        let (north, east) = metres(left, right);
        let (ahead, aside) = metres(centre, top);
        Some(Look { centre, width: north.hypot(east), yaw: aside.atan2(ahead).to_degrees() })
    }

    /// The place of a point of the upright image.
    fn place(&self, point: (f64, f64)) -> Option<Place> {
        let Some(tags) = &self.tags else {
            let degrees = PIXEL / DEGREE;
            return Place::new(MADE_UP.0 - point.1 * degrees, MADE_UP.1 + point.0 * degrees);
        };
        tags.place(match &self.pixels {
            Pixels::Raster(raster) => raster.in_file(point),
            Pixels::Picture(picture) => picture.in_file(point),
            Pixels::Drawn(_) => point,
        })
    }

    /// The six lines of a world file (ESRI) for an image at made-up places: degrees of a pixel, and the middle of the first one.
    pub(crate) fn world_file() -> String {
        let degrees = PIXEL / DEGREE;
        let (north, east) = (MADE_UP.0 - degrees / 2.0, MADE_UP.1 + degrees / 2.0);
        format!("{degrees:.12}\n0\n0\n-{degrees:.12}\n{east:.12}\n{north:.12}\n")
    }
}

/// Metres to the north and to the east from one place to another near it, also across the date line.
fn metres(from: Place, to: Place) -> (f64, f64) {
    let east = (to.longitude - from.longitude + 540.0).rem_euclid(360.0) - 180.0;
    ((to.latitude - from.latitude) * DEGREE, east * DEGREE * from.latitude.to_radians().cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_lies_where_the_image_says_or_off_zero_where_it_says_nothing() -> Result<()> {
        let drawn = Terrain::drawn(RgbImage::new(1000, 800));
        let window = Window { x: 400, y: 300, width: 200, height: 200 };
        let look = drawn.look(window).ok_or(Error::Thread("no place"))?;
        let (north, east) = metres(look.centre, Place { latitude: MADE_UP.0, longitude: MADE_UP.1 });
        assert!((north - 120.0).abs() < 0.1 && (east + 150.0).abs() < 0.1, "{north} {east}");
        assert!((look.width - 60.0).abs() < 0.1 && look.yaw.abs() < 0.01, "{look:?}");
        assert_eq!(drawn.frame(window).map(|frame| frame.dimensions()).ok(), Some((200, 200)));
        // UTM 32 south, by pixels of 10 m; and one that is turned.
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases/geo");
        for (name, is_turned) in [("g01_utm_32755_south.tif", false), ("g08_rotated_utm.tif", true)] {
            let terrain = Terrain::open(&cases.join(name))?;
            let (width, height) = terrain.size();
            let look = terrain.look(Window { x: 0, y: 0, width, height }).ok_or(Error::Thread("no place"))?;
            assert!(look.centre.latitude.abs() > 1.0, "{look:?}");
            assert_eq!(look.yaw.abs() > 5.0, is_turned, "{look:?}");
        }
        Ok(())
    }
}
