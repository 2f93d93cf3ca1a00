//! An image file of any kind that is cut into tiles, each with its own place. Of a TIFF no more is read than the tiles at hand need;
//! other files are held whole, reduced where their pixels take more memory than they may.

use super::key;
use super::ledger::Ledger;
use super::source::Frame;
use super::taken::{self, Taken};
use super::tiler::{Tile, Tiles, tiles};
use super::zone;
use crate::config::TilerConfig;
use crate::error::{Error, chain};
use crate::position::{Receiver, View, Whereabouts};
use cssa::files::FileError;
use cssa_image::tags::{self, Tags};
use cssa_image::{DecodeError, Kept, Picture, Problem, Raster, Window, is_tiff_file, read_picture};
use image::RgbImage;
use std::path::{Path, PathBuf};

/// Pixels of an image that is captioned whole: more are of no use.
const WHOLE: u64 = 1 << 25;

/// How images are cut, and what that may take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cutting {
    /// Sides and overlap of the tiles.
    pub tiler: TilerConfig,
    /// Bytes of pixels that a source holds at most while it cuts an image.
    pub memory: u64,
}

impl Cutting {
    /// The tiles that files are cut into, where they are.
    pub(super) fn tiles(self, untiled: Untiled) -> Option<TilerConfig> {
        let side = match untiled {
            Untiled::Cut(side) if self.tiler.side == 0 => side,
            _ => self.tiler.side,
        };
        (side > 0).then_some(TilerConfig { side, ..self.tiler })
    }

    /// As many pixels as may be held.
    fn pixels(self) -> u64 {
        self.memory / 3
    }
}

/// Why an image, or a tile of it, has no pixels.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("cannot be decoded")]
    Pixels(#[from] DecodeError),
    #[error(transparent)]
    File(#[from] FileError),
}

impl Unreadable {
    /// The system's answer rather than the file's content: another time there may be another.
    fn is_the_systems(&self) -> bool {
        matches!(self, Self::Pixels(DecodeError::File(_)) | Self::File(FileError::System { .. }))
    }
}

/// Why a file is not open.
pub(super) enum Unopened {
    /// It is no image that can be read: its frame says so.
    Frame(Box<Frame>),
    /// The system does not give it.
    File(Error),
}

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// An image file that is being cut.
pub(super) struct ImageFile {
    path: PathBuf,
    name: String,
    key: String,
    pixels: Pixels,
    /// Columns and rows, upright: a tile that is the whole image takes the pixels.
    size: (u32, u32),
    tags: Tags,
    taken: Taken,
    /// What is to be said of its times.
    odd_times: Vec<Problem>,
    tiles: Tiles,
    /// Tiles are named by their numbers, also where there is one alone.
    is_numbered: bool,
    band: Option<Band>,
    memory: u64,
}

enum Pixels {
    File(Box<Raster>),
    Held(Picture),
}

/// The rows that a row of tiles needs.
struct Band {
    first: u32,
    pixels: RgbImage,
}

/// What is done with an image where no side of tiles is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untiled {
    /// It is one tile, reduced while it is read where it is large.
    Whole,
    /// One of more pixels than a square with this side is cut into such tiles, which are numbered; a smaller one is one tile.
    Cut(u32),
}

impl ImageFile {
    /// Opens an image, which is at work under its key from then on.
    pub(super) fn open(
        path: &Path,
        key: &str,
        cutting: Cutting,
        untiled: Untiled,
        ledger: &dyn Ledger,
    ) -> Result<Self, Unopened> {
        let name = path.display().to_string();
        ledger.begin(key);
        let pixels = match Pixels::read(path, cutting, untiled) {
            Ok(pixels) => pixels,
            Err(error) if error.is_the_systems() => return Err(Unopened::File(not_given(path, error))),
            Err(error) => return Err(Unopened::Frame(Box::new(unreadable(name, key, &error)))),
        };
        let (width, height) = pixels.dimensions();
        let side = match untiled {
            Untiled::Cut(side) if cutting.tiler.side == 0 && u64::from(width) * u64::from(height) > square(side) => {
                side
            }
            _ => cutting.tiler.side,
        };
        let tiles = tiles((width, height), side, cutting.tiler.overlap);
        let is_numbered = untiled != Untiled::Whole || tiles.len() > 1;
        let (key, tags, memory) = (key.to_owned(), tags::read_file(path), cutting.memory);
        let (taken, odd_times) = taken_of(path, &tags);
        let path = path.to_owned();
        let size = (width, height);
        Ok(Self { path, name, key, pixels, size, tags, taken, odd_times, tiles, is_numbered, band: None, memory })
    }

    /// The next tile that is not settled; an error where the system does not give it, nor any other.
    pub(super) fn next(&mut self, ledger: &dyn Ledger) -> Option<Result<Frame, Error>> {
        while let Some((n, tile)) = self.tiles.next() {
            let numbered = |text: &str| if self.is_numbered { format!("{text}#{n}") } else { text.to_owned() };
            let (name, key) = (numbered(&self.name), format!("{}{}", numbered(&self.key), self.reduction()));
            if self.is_numbered {
                if key::is_settled(&key, ledger) {
                    continue;
                }
                ledger.begin(&key);
            }
            let pixels = match self.cut(tile) {
                Ok(pixels) => pixels,
                Err(error) if error.is_the_systems() => return Some(Err(not_given(&self.path, error))),
                Err(error) => {
                    // What the band cannot give, its other tiles cannot have either.
                    self.band = None;
                    return Some(Ok(unreadable(name, &key, &error)));
                }
            };
            let middle = self.in_file(tile);
            let (position, taken) = (Whereabouts::of_image(&self.tags, middle), self.taken);
            let view = self.view(tile);
            let problems = self.tags.problems(middle).into_iter().chain(self.odd_times.iter().cloned()).collect();
            return Some(Ok(Frame { name, key: Some(key), pixels: Ok(pixels), position, view, taken, problems }));
        }
        None
    }

    /// Tiles of the same number are others where the image is reduced by another factor before it is cut.
    fn reduction(&self) -> String {
        match &self.pixels {
            Pixels::Held(Picture { reduced: by @ 2.., .. }) if self.is_numbered => format!("/{by}"),
            _ => String::new(),
        }
    }

    fn cut(&mut self, tile: Tile) -> Result<RgbImage> {
        let Tile { x, y, width, height } = tile;
        let raster = match &mut self.pixels {
            Pixels::Held(picture) if picture.pixels.dimensions() == (width, height) => {
                return Ok(std::mem::take(&mut picture.pixels));
            }
            Pixels::Held(picture) => {
                return Ok(image::imageops::crop_imm(&picture.pixels, x, y, width, height).to_image());
            }
            Pixels::File(raster) => raster,
        };
        let across = raster.dimensions().0;
        if u64::from(across) * u64::from(height) * 3 > self.memory {
            return Ok(raster.window(Window { x, y, width, height })?);
        }
        let is_at_hand = |band: &Band| band.first == y && band.pixels.height() == height;
        let band = match self.band.take().filter(is_at_hand) {
            Some(band) => band,
            // The one before is gone by now: there is room for one.
            None => Band { first: y, pixels: raster.window(Window { x: 0, y, width: across, height })? },
        };
        let pixels = image::imageops::crop_imm(&band.pixels, x, 0, width, height).to_image();
        self.band = Some(band);
        Ok(pixels)
    }

    /// A tile's middle, in the file's own columns and rows.
    fn in_file(&self, tile: Tile) -> (f64, f64) {
        let half = |from: u32, length: u32| f64::from(from) + f64::from(length) / 2.0;
        self.pixels.in_file((half(tile.x, tile.width), half(tile.y, tile.height)))
    }

    /// How a tile was taken.
    fn view(&self, tile: Tile) -> View {
        let in_file = |x: u32, y: u32| self.pixels.in_file((f64::from(x), f64::from(y)));
        let (width, height) = self.size;
        let (origin, opposite) = (in_file(0, 0), in_file(width, height));
        let size = ((origin.0 - opposite.0).abs(), (origin.1 - opposite.1).abs());
        let Tile { x, y, width, height } = tile;
        View::part(&self.tags, size, (in_file(x, y), in_file(x + width, y + height)))
    }
}

impl Pixels {
    /// What is captioned whole is reduced; of a TIFF that is cut nothing is read yet.
    fn read(path: &Path, cutting: Cutting, untiled: Untiled) -> Result<Self> {
        let is_whole = cutting.tiler.side == 0 && untiled == Untiled::Whole;
        if !is_whole && is_tiff_file(path) {
            let raster = Raster::open(path)?;
            if let Some(note) = raster.note() {
                tracing::info!("{}: {note}", path.display());
            }
            return Ok(Self::File(Box::new(raster)));
        }
        let most = if is_whole { WHOLE.min(cutting.pixels()) } else { cutting.pixels() };
        Ok(Self::Held(read_picture(path, Kept::AtMost(most))?))
    }

    /// Where a point of the upright image lies in the file's own columns and rows.
    fn in_file(&self, point: (f64, f64)) -> (f64, f64) {
        match self {
            Self::File(raster) => raster.in_file(point),
            Self::Held(picture) => picture.in_file(point),
        }
    }

    fn dimensions(&self) -> (u32, u32) {
        match self {
            Self::File(raster) => raster.dimensions(),
            Self::Held(picture) => picture.pixels.dimensions(),
        }
    }
}

fn square(side: u32) -> u64 {
    u64::from(side) * u64::from(side)
}

fn not_given(path: &Path, error: Unreadable) -> Error {
    match error {
        Unreadable::File(error) => error.into(),
        Unreadable::Pixels(DecodeError::File(error)) => Error::path(path)(error),
        Unreadable::Pixels(error) => FileError::content(path, chain(&error)).into(),
    }
}

fn unreadable(name: String, key: &str, error: &Unreadable) -> Frame {
    let said = match error {
        Unreadable::File(_) => chain(error),
        error => format!("{name}: {}", chain(error)),
    };
    let (key, taken) = (Some(key::unread(key)), Taken::file(None, None));
    let (position, view) = (Whereabouts::Unsaid, View::default());
    Frame { key, pixels: Err(said), name, position, view, taken, problems: Vec::new() }
}

/// When the image in a file was taken, and what is wrong with what says so.
fn taken_of(path: &Path, tags: &Tags) -> (Taken, Vec<Problem>) {
    let changed = path.metadata().and_then(|metadata| metadata.modified()).ok();
    let odd_time = changed.and_then(taken::problem);
    let (time, zone) = zone::time(tags, changed.and_then(taken::seconds).filter(|_| odd_time.is_none()));
    (Taken::file(time, changed), odd_time.into_iter().chain(zone).collect())
}

/// When the image in a file was taken, as packets have it where there is no receiver: by its tags, else by when it was last changed.
#[must_use]
pub fn time_of_file(path: &Path, tags: &Tags) -> u32 {
    taken_of(path, tags).0.time(&Receiver::default())
}
