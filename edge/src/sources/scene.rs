//! GeoTIFF scenes of any size: read a band of rows at a time and cut into overlapping tiles, each with its own place.

use super::source::{Frame, Next, Source};
use super::tiler::{Tile, tiles};
use crate::config::TilerConfig;
use crate::error::{self, chain};
use crate::position::{georeference, note, position};
use cssa_image::georeference::Georeference;
use image::{DynamicImage, ImageBuffer};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::{ColorType, TiffError};

/// Side of a tile where none is configured.
const SIDE: u32 = 512;
/// Largest band of rows, in samples.
const MAX_BAND: u64 = 1 << 29;

/// Why a scene, or a tile of it, has no pixels.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("cannot be opened")]
    Unopened(#[source] io::Error),
    #[error("is no TIFF")]
    NoTiff(#[source] TiffError),
    #[error(transparent)]
    Tags(#[from] TiffError),
    #[error("has the colours {0:?}, expected grey or RGB with 8 or 16 bits")]
    Colours(ColorType),
    #[error("is {width} pixels wide, expected at most {MAX_BAND} samples in a row of tiles")]
    Wide { width: u32 },
    #[error("piece {index} is damaged")]
    Damaged { index: u32, source: TiffError },
    #[error("piece {0} has other values than the file says")]
    OtherValues(u32),
    #[error("a piece that is too short")]
    ShortPiece,
    #[error("a piece that is too wide")]
    WidePiece,
    #[error("a tile with the wrong number of values")]
    OddTile,
}

type Result<T, E = Unreadable> = std::result::Result<T, E>;

/// Scenes, one after the other.
pub struct SceneSource {
    waiting: VecDeque<PathBuf>,
    tiler: TilerConfig,
    open: Option<Scene>,
}

struct Scene {
    name: String,
    decoder: Decoder<BufReader<File>>,
    georeference: Option<Georeference>,
    width: u32,
    samples: u32,
    deep: bool,
    tiles: VecDeque<(usize, Tile)>,
    band: Option<Band>,
}

/// The rows that a row of tiles needs, as they are in the file.
struct Band {
    first: u32,
    rows: u32,
    values: Values,
}

enum Values {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
}

impl SceneSource {
    /// A source that has opened nothing yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], tiler: TilerConfig) -> Self {
        let side = if tiler.side == 0 { SIDE } else { tiler.side };
        Self { waiting: paths.iter().cloned().collect(), tiler: TilerConfig { side, ..tiler }, open: None }
    }
}

impl Source for SceneSource {
    fn next(&mut self, settled: &dyn Fn(&str) -> bool) -> error::Result<Next> {
        loop {
            let Some(scene) = &mut self.open else {
                let Some(path) = self.waiting.pop_front() else { return Ok(Next::End) };
                match Scene::open(&path, self.tiler) {
                    Ok(scene) => self.open = Some(scene),
                    Err(error) => return Ok(Next::Frame(unreadable(path.display().to_string(), &error))),
                }
                continue;
            };
            let Some((n, tile)) = scene.tiles.pop_front() else {
                self.open = None;
                continue;
            };
            let name = format!("{}#{n}", scene.name);
            if settled(&name) {
                continue;
            }
            match scene.cut(tile) {
                Ok(pixels) => {
                    let middle = (
                        f64::from(tile.x) + f64::from(tile.width) / 2.0,
                        f64::from(tile.y) + f64::from(tile.height) / 2.0,
                    );
                    let place = scene.georeference.as_ref().map(|georeference| georeference.locate(middle));
                    let place = place.and_then(|place| place.map_err(|problem| note(&name, &[problem])).ok());
                    return Ok(Next::Frame(Frame {
                        key: Some(name.clone()),
                        name,
                        pixels: Ok(cssa_image::to_rgb8(pixels)),
                        position: place.and_then(position),
                        time: None,
                    }));
                }
                Err(error) => {
                    // What the band cannot give, its other tiles cannot have either.
                    scene.band = None;
                    return Ok(Next::Frame(unreadable(name, &error)));
                }
            }
        }
    }
}

fn unreadable(name: String, error: &Unreadable) -> Frame {
    let pixels = Err(format!("{name}: {}", chain(error)));
    Frame { key: Some(name.clone()), pixels, name, position: None, time: None }
}

impl Scene {
    fn open(path: &Path, tiler: TilerConfig) -> Result<Self> {
        let file = File::open(path).map_err(Unreadable::Unopened)?;
        let mut decoder = Decoder::new(BufReader::new(file)).map_err(Unreadable::NoTiff)?;
        let (width, height) = decoder.dimensions()?;
        let (samples, deep) = match decoder.colortype()? {
            ColorType::Gray(bits @ (8 | 16)) => (1, bits == 16),
            ColorType::GrayA(bits @ (8 | 16)) => (2, bits == 16),
            ColorType::RGB(bits @ (8 | 16)) => (3, bits == 16),
            ColorType::RGBA(bits @ (8 | 16)) => (4, bits == 16),
            other => return Err(Unreadable::Colours(other)),
        };
        let most = u64::from(width) * u64::from(tiler.side) * u64::from(samples);
        if most > MAX_BAND {
            return Err(Unreadable::Wide { width });
        }
        let georeference = georeference(&path.display(), decoder.inner());
        let tiles = tiles((width, height), tiler.side, tiler.overlap).into_iter().enumerate().collect();
        let name = path.display().to_string();
        Ok(Self { name, decoder, georeference, width, samples, deep, tiles, band: None })
    }

    fn cut(&mut self, tile: Tile) -> Result<DynamicImage> {
        let band = match self.band.take() {
            Some(band) if band.first == tile.y && band.rows == tile.height => band,
            _ => self.read(tile.y, tile.height)?,
        };
        let (width, samples) = (self.width as usize, self.samples as usize);
        let (from, take) = (tile.x as usize * samples, tile.width as usize * samples);
        let image = match &band.values {
            Values::Bytes(values) => of_bytes(tile, samples, rows(values, width * samples, from, take)),
            Values::Words(values) => of_words(tile, samples, rows(values, width * samples, from, take)),
        };
        self.band = Some(band);
        image.ok_or(Unreadable::OddTile)
    }

    /// Reads the strips or tiles of the file that hold some rows.
    fn read(&mut self, first: u32, rows: u32) -> Result<Band> {
        let (chunk_width, chunk_height) = self.decoder.chunk_dimensions();
        let across = self.width.div_ceil(chunk_width);
        let stride = self.width as usize * self.samples as usize;
        let length = stride * rows as usize;
        let mut values = if self.deep { Values::Words(vec![0; length]) } else { Values::Bytes(vec![0; length]) };
        for down in first / chunk_height..=(first + rows - 1) / chunk_height {
            for column in 0..across {
                let index = down * across + column;
                let (data_width, data_height) = self.decoder.chunk_data_dimensions(index);
                let damaged = |source| Unreadable::Damaged { index, source };
                let chunk = self.decoder.read_chunk(index).map_err(damaged)?;
                let at = (column * chunk_width) as usize * self.samples as usize;
                let line = data_width as usize * self.samples as usize;
                let shape = Piece { top: down * chunk_height, height: data_height, line, at, stride };
                match (&mut values, chunk) {
                    (Values::Bytes(into), DecodingResult::U8(from)) => shape.copy(&from, into, first, rows)?,
                    (Values::Words(into), DecodingResult::U16(from)) => shape.copy(&from, into, first, rows)?,
                    _ => return Err(Unreadable::OtherValues(index)),
                }
            }
        }
        Ok(Band { first, rows, values })
    }
}

/// Where a strip or tile of the file lies.
struct Piece {
    top: u32,
    height: u32,
    line: usize,
    at: usize,
    stride: usize,
}

impl Piece {
    fn copy<T: Copy>(&self, from: &[T], into: &mut [T], first: u32, rows: u32) -> Result<()> {
        for row in self.top.max(first)..(self.top + self.height).min(first + rows) {
            let source = (row - self.top) as usize * self.line;
            let target = (row - first) as usize * self.stride + self.at;
            let source = from.get(source..source + self.line).ok_or(Unreadable::ShortPiece)?;
            into.get_mut(target..target + self.line).ok_or(Unreadable::WidePiece)?.copy_from_slice(source);
        }
        Ok(())
    }
}

fn rows<T: Copy>(values: &[T], stride: usize, from: usize, take: usize) -> Vec<T> {
    values.chunks_exact(stride).flat_map(|row| row[from..from + take].iter().copied()).collect()
}

fn of_bytes(tile: Tile, samples: usize, values: Vec<u8>) -> Option<DynamicImage> {
    let (width, height) = (tile.width, tile.height);
    match samples {
        1 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLuma8),
        2 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLumaA8),
        3 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgb8),
        _ => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgba8),
    }
}

fn of_words(tile: Tile, samples: usize, values: Vec<u16>) -> Option<DynamicImage> {
    let (width, height) = (tile.width, tile.height);
    match samples {
        1 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLuma16),
        2 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageLumaA16),
        3 => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgb16),
        _ => ImageBuffer::from_raw(width, height, values).map(DynamicImage::ImageRgba16),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use tiff::encoder::{TiffEncoder, colortype};
    use tiff::tags::Tag;

    /// A scene whose red and green are its columns and rows, in strips of seven rows, in UTM 33N.
    fn write(path: &Path, width: u32, height: u32) -> Result<()> {
        let mut encoder = TiffEncoder::new(File::create(path)?)?;
        let mut image = encoder.new_image::<colortype::RGB8>(width, height)?;
        image.rows_per_strip(7)?;
        let directory = image.encoder();
        directory.write_tag(Tag::ModelPixelScaleTag, &[10.0, 10.0, 0.0][..])?;
        directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, 499_000.0, 5_001_000.0, 0.0][..])?;
        let keys: [u16; 12] = [1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633];
        directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..])?;
        let pixels: Vec<u8> = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 7])).collect();
        Ok(image.write_data(&pixels)?)
    }

    #[test]
    fn tiles_have_their_own_pixels_and_places() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scene.tif");
        write(&path, 250, 200)?;
        let paths = [folder.path().join("missing.tif"), path.clone()];
        let mut source = SceneSource::new(&paths, TilerConfig { side: 100, overlap: 0.0 });
        let done = format!("{}#1", path.display());
        let mut frames = Vec::new();
        while let Next::Frame(frame) = source.next(&|key| key == done)? {
            frames.push(frame);
        }
        assert_eq!(frames.len(), 1 + 6 - 1);
        assert!(frames[0].pixels.as_ref().is_err_and(|error| error.contains("missing.tif: cannot be opened")));
        let last = frames.last().context("no frame")?;
        let pixels = last.pixels.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        assert_eq!((pixels.dimensions(), pixels.get_pixel(3, 4).0), ((100, 100), [153, 104, 7]));
        // The first tile's middle is 500 m east and south of the corner: on the central meridian less 500 m.
        let (latitude, longitude) = frames[1].position.context("no place")?.degrees();
        assert!((latitude - 45.158).abs() < 1e-3 && (longitude - 14.9936).abs() < 1e-3, "{latitude} {longitude}");
        Ok(())
    }

    #[test]
    fn what_is_no_tiff_is_said_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scene.tif");
        std::fs::write(&path, b"\xff\xd8 a JPEG by its first bytes")?;
        let mut source = SceneSource::new(&[path], TilerConfig { side: 100, overlap: 0.0 });
        let Next::Frame(Frame { pixels: Err(said), .. }) = source.next(&|_| false)? else {
            anyhow::bail!("expected a frame without pixels");
        };
        assert!(said.contains("scene.tif") && said.matches("signature not found").count() == 1, "{said}");
        Ok(())
    }

    #[test]
    fn a_cut_off_scene_gives_what_it_has() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scene.tif");
        write(&path, 250, 200)?;
        let bytes = std::fs::read(&path)?;
        let mut damaged = bytes.clone();
        // The directory stands at the end: what is damaged is its pointer.
        damaged[4..8].copy_from_slice(&[0xFF; 4]);
        std::fs::write(&path, &damaged)?;
        let mut source = SceneSource::new(&[path], TilerConfig { side: 100, overlap: 0.0 });
        let Next::Frame(frame) = source.next(&|_| false)? else { anyhow::bail!("no frame") };
        assert!(frame.pixels.is_err());
        assert!(matches!(source.next(&|_| false)?, Next::End));
        Ok(())
    }
}
