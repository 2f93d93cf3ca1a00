//! The pixels of tiles, and where they lie on the earth.
//!
//! More than 8 bits become 8 as in `edge caption`: by the percentiles of the whole scene ([`cssa_image::Scaling`]), which is read once for
//! them, block by block. So a tile's pixels are the same in whatever shard it is.

use crate::error::{Error, Result, Shared};
use crate::ranges::{Ranges, Stream};
use crate::store::{Place, Stores};
use crate::tile::{Part, Tile};
use cssa::errors::chain;
use cssa_image::georeference::Georeference;
use cssa_image::{DecodeError, Raster, Window};
use image::RgbImage;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tiff_reader::source::{FileSource, SharedSource};

/// Scenes that are open at a time.
const OPEN: usize = 3;
/// Most steps from a place to its pixel, and how near it must come.
const STEPS: usize = 20;
const NEAR: f64 = 1e-3;

/// Reads tiles, of any thread; the scenes read last stay open.
pub struct Reader {
    stores: Arc<Stores>,
    scenes: Mutex<VecDeque<(Arc<str>, Slot)>>,
}

type Slot = Arc<OnceLock<Shared<Scene>>>;

/// What is to be captioned.
#[derive(Debug)]
pub struct Seen {
    /// Its pixels.
    pub pixels: RgbImage,
    /// Longitude and latitude of the upper left, upper right, lower right and lower left corner; `None` where the source does not say
    /// where it lies, or the tile lies over the antimeridian.
    pub footprint: Option<[[f64; 2]; 4]>,
}

struct Scene {
    raster: Raster,
    georeference: Option<Georeference>,
    ranges: Option<Arc<Ranges>>,
    name: String,
}

impl Reader {
    /// A reader that has opened nothing yet.
    #[must_use]
    pub fn new(stores: Arc<Stores>) -> Self {
        Self { stores, scenes: Mutex::default() }
    }

    /// Reads a tile.
    ///
    /// # Errors
    /// A source that cannot be read, a tile that does not lie in it.
    pub fn tile(&self, tile: &Tile) -> Result<Seen> {
        let slot = self.slot(&tile.source);
        let scene = slot.get_or_init(|| Scene::open(&self.stores, &tile.source).map(Arc::new)).clone()?;
        scene.see(tile)
    }

    fn slot(&self, source: &Arc<str>) -> Slot {
        let mut scenes = self.scenes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = scenes.iter().find(|(known, _)| known == source) {
            return Arc::clone(slot);
        }
        if scenes.len() == OPEN {
            scenes.pop_front();
        }
        let slot = Slot::default();
        scenes.push_back((Arc::clone(source), Arc::clone(&slot)));
        slot
    }
}

/// Columns and rows of a scene, by its header alone.
pub(crate) fn size(stores: &Stores, source: &str) -> Result<(u32, u32)> {
    let (source, _) = opened(&stores.place(source)?)?;
    let odd = |error| Error::Image { place: String::new(), cause: chain(&error) };
    let file = tiff_reader::TiffFile::from_source(source).map_err(odd)?;
    let ifd = file.ifd(0).map_err(odd)?;
    Ok((ifd.width(), ifd.height()))
}

fn opened(place: &Place) -> Result<(SharedSource, Option<Arc<Ranges>>)> {
    let identity = place.identity()?;
    match place {
        Place::File(path) => match FileSource::open(path) {
            Ok(file) => Ok((Arc::new(file), None)),
            Err(tiff_reader::TiffError::Io(error, _)) => Err(Error::system(&place.name(), "read", &error)),
            Err(error) => Err(Error::Image { place: place.name(), cause: chain(&error) }),
        },
        Place::Object { .. } => {
            let ranges = Arc::new(Ranges::new(place.clone(), identity.bytes));
            Ok((Arc::clone(&ranges) as SharedSource, Some(ranges)))
        }
    }
}

impl Scene {
    fn open(stores: &Stores, source: &str) -> Result<Self> {
        let (shared, ranges) = opened(&stores.place(source)?)?;
        let raster = Raster::of_source(Arc::clone(&shared)).map_err(|error| failed(source, &ranges, &error))?;
        if let Some(note) = raster.note() {
            tracing::info!("{source}: {note}");
        }
        let georeference = match Georeference::read(&mut Stream { source: shared, at: 0 }) {
            Ok(georeference) => Some(georeference),
            Err(problem) => {
                tracing::warn!("{source}: no footprints: {problem}");
                None
            }
        };
        Ok(Self { raster, georeference, ranges, name: source.into() })
    }

    fn see(&self, tile: &Tile) -> Result<Seen> {
        let window = self.window(tile)?;
        let pixels = self.raster.window(window).map_err(|error| failed(&self.name, &self.ranges, &error))?;
        Ok(Seen { pixels, footprint: self.footprint(window) })
    }

    fn window(&self, tile: &Tile) -> Result<Window> {
        let (width, height) = self.raster.dimensions();
        let outside = |found: String| {
            let place = format!("{} ({width} × {height} pixels)", self.name);
            Error::Outside { id: tile.id.clone(), found, place }
        };
        let found = match tile.part {
            Part::Whole => Window { x: 0, y: 0, width, height },
            Part::Pixels(window) => window,
            Part::Degrees(degrees) => {
                self.around(degrees).ok_or_else(|| outside(format!("lies within {degrees:?} degrees")))?
            }
        };
        let Window { x, y, width: w, height: h } = found;
        let fits =
            |from: u32, length: u32, all: u32| length > 0 && from.checked_add(length).is_some_and(|to| to <= all);
        if !fits(x, w, width) || !fits(y, h, height) {
            return Err(outside(format!("lies at {x}, {y} with {w} × {h} pixels")));
        }
        const MOST: u64 = 1 << 26;
        if u64::from(w) * u64::from(h) > MOST {
            let cause = format!("tile {} has {w} × {h} pixels, expected at most {MOST}: cut it smaller", tile.id);
            return Err(Error::Image { place: self.name.clone(), cause });
        }
        Ok(found)
    }

    fn locate(&self, point: (f64, f64)) -> Option<[f64; 2]> {
        let place = self.georeference.as_ref()?.locate(self.raster.in_file(point)).ok()?;
        Some([place.longitude, place.latitude])
    }

    fn footprint(&self, Window { x, y, width, height }: Window) -> Option<[[f64; 2]; 4]> {
        let (left, top) = (f64::from(x), f64::from(y));
        let (right, bottom) = (left + f64::from(width), top + f64::from(height));
        let corner = |x, y| self.locate((x, y));
        let corners = [corner(left, top)?, corner(right, top)?, corner(right, bottom)?, corner(left, bottom)?];
        let longitudes = corners.map(|corner| corner[0]);
        let wide = longitudes.iter().any(|a| longitudes.iter().any(|b| (a - b).abs() > 180.0));
        (!wide).then_some(corners)
    }

    /// The pixels of the source within bounds.
    fn around(&self, [west, south, east, north]: [f64; 4]) -> Option<Window> {
        let corners = [(west, north), (east, north), (east, south), (west, south)].map(|corner| self.pixel(corner));
        let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        for corner in corners {
            let (x, y) = corner?;
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let (width, height) = self.raster.dimensions();
        let clip = |low: f64, high: f64, all: u32| {
            let from = (low + NEAR).floor().clamp(0.0, all.into()) as u32;
            let to = (high - NEAR).ceil().clamp(0.0, all.into()) as u32;
            (to > from).then_some((from, to - from))
        };
        let ((x, width), (y, height)) = (clip(low.0, high.0, width)?, clip(low.1, high.1, height)?);
        Some(Window { x, y, width, height })
    }

    /// Newton's method on [`Self::locate`]: any projection, as smooth as it is over a scene.
    fn pixel(&self, (longitude, latitude): (f64, f64)) -> Option<(f64, f64)> {
        let (width, height) = self.raster.dimensions();
        let (mut x, mut y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
        for _ in 0..STEPS {
            let at = self.locate((x, y))?;
            let (right, below) = (self.locate((x + 1.0, y))?, self.locate((x, y + 1.0))?);
            let (a, c) = (right[0] - at[0], right[1] - at[1]);
            let (b, d) = (below[0] - at[0], below[1] - at[1]);
            let (u, v) = (longitude - at[0], latitude - at[1]);
            let area = a * d - b * c;
            let (dx, dy) = ((u * d - v * b) / area, (v * a - u * c) / area);
            if !dx.is_finite() || !dy.is_finite() {
                return None;
            }
            (x, y) = (x + dx, y + dy);
            if dx.abs().max(dy.abs()) < NEAR / 10.0 {
                return Some((x, y));
            }
        }
        None
    }
}

fn failed(place: &str, ranges: &Option<Arc<Ranges>>, error: &DecodeError) -> Error {
    let said = ranges.as_ref().and_then(|ranges| ranges.failure());
    said.unwrap_or_else(|| Error::Image { place: place.into(), cause: chain(error) })
}
