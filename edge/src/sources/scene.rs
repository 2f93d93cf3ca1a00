//! Scenes of any size: GeoTIFF read a band of rows at a time and cut into overlapping tiles, each with its own place. Other images
//! are taken, too, and held whole.

use super::source::{Frame, Next, Source};
use super::tiler::{Tile, Tiles, tiles};
use crate::config::TilerConfig;
use crate::error::{self, chain};
use crate::position::{Whereabouts, note};
use cssa::files;
use cssa_image::georeference::Georeference;
use cssa_image::tags::{self, Tags};
use cssa_image::{DecodeError, Kept, Picture, Raster, Window, is_tiff_file, read_picture};
use image::RgbImage;
use std::collections::VecDeque;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Side of a tile where none is configured.
const SIDE: u32 = 512;
/// Largest file that is looked through for tags of all kinds; of larger ones the georeference is read.
const MAX_TAGGED: u64 = 1 << 28;
/// Largest band of rows, in bytes.
const MAX_BAND: u64 = 1 << 29;

/// Why a scene, or a tile of it, has no pixels.
#[derive(Debug, thiserror::Error)]
enum Unreadable {
    #[error("cannot be decoded")]
    Pixels(#[from] DecodeError),
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
    #[error("is {width} pixels wide, expected at most {MAX_BAND} bytes in a row of tiles")]
    Wide { width: u32 },
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
    pixels: Pixels,
    tags: Tags,
    tiles: Tiles,
    band: Option<Band>,
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

impl SceneSource {
    /// A source that has opened nothing yet.
    #[must_use]
    pub fn new(paths: &[PathBuf], tiler: TilerConfig) -> Self {
        Self { waiting: paths.iter().cloned().collect(), tiler, open: None }
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
            let Some((n, tile)) = scene.tiles.next() else {
                self.open = None;
                continue;
            };
            let name = format!("{}#{n}", scene.name);
            if settled(&name) {
                continue;
            }
            match scene.cut(tile) {
                Ok(pixels) => {
                    let middle = scene.in_file(tile);
                    note(&name, &scene.tags.problems(middle));
                    let (position, time) = (Whereabouts::of_image(&scene.tags, middle), scene.tags.time);
                    let key = Some(name.clone());
                    return Ok(Next::Frame(Frame { key, name, pixels: Ok(pixels), position, time }));
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
    let said = match error {
        Unreadable::File(_) => chain(error),
        error => format!("{name}: {}", chain(error)),
    };
    Frame { key: Some(name.clone()), pixels: Err(said), name, position: Whereabouts::Unsaid, time: None }
}

impl Scene {
    fn open(path: &Path, tiler: TilerConfig) -> Result<Self> {
        let name = path.display().to_string();
        if !is_tiff_file(path) {
            let picture = read_picture(path, Kept::All)?;
            let tiles = cut_into(picture.pixels.dimensions(), tiler);
            let tags = tags::read(&files::read(path, MAX_TAGGED).unwrap_or_default());
            return Ok(Self { name, pixels: Pixels::Held(picture), tags, tiles, band: None });
        }
        let raster = Raster::open(path)?;
        let size = raster.dimensions();
        let tiles = cut_into(size, tiler);
        if u64::from(size.0) * u64::from(tiles.height()) * 3 > MAX_BAND {
            return Err(Unreadable::Wide { width: size.0 });
        }
        if let Some(note) = raster.note() {
            tracing::info!("{name}: {note}");
        }
        let file = File::open(path).map_err(DecodeError::File)?;
        let tags = if file.metadata().map_err(DecodeError::File)?.len() <= MAX_TAGGED {
            tags::read(&files::read(path, MAX_TAGGED)?)
        } else {
            Tags::of_georeference(Georeference::read(&mut BufReader::new(file)))
        };
        Ok(Self { name, pixels: Pixels::File(Box::new(raster)), tags, tiles, band: None })
    }

    fn cut(&mut self, tile: Tile) -> Result<RgbImage> {
        let Tile { x, y, width, height } = tile;
        let raster = match &self.pixels {
            Pixels::Held(picture) => {
                return Ok(image::imageops::crop_imm(&picture.pixels, x, y, width, height).to_image());
            }
            Pixels::File(raster) => raster,
        };
        let band = match self.band.take() {
            Some(band) if band.first == y && band.pixels.height() == height => band,
            _ => {
                let window = Window { x: 0, y, width: raster.dimensions().0, height };
                Band { first: y, pixels: raster.window(window)? }
            }
        };
        let pixels = image::imageops::crop_imm(&band.pixels, x, 0, width, height).to_image();
        self.band = Some(band);
        Ok(pixels)
    }

    /// A tile's middle, in the file's own columns and rows.
    fn in_file(&self, tile: Tile) -> (f64, f64) {
        let middle =
            (f64::from(tile.x) + f64::from(tile.width) / 2.0, f64::from(tile.y) + f64::from(tile.height) / 2.0);
        match &self.pixels {
            Pixels::File(raster) => raster.in_file(middle),
            Pixels::Held(picture) => picture.in_file(middle),
        }
    }
}

/// Without a side of tiles, what has no more pixels than one tile of 512 × 512 is whole; larger scenes are cut into such tiles.
fn cut_into(size: (u32, u32), tiler: TilerConfig) -> Tiles {
    let is_small = u64::from(size.0) * u64::from(size.1) <= u64::from(SIDE) * u64::from(SIDE);
    let side = if tiler.side == 0 && !is_small { SIDE } else { tiler.side };
    tiles(size, side, tiler.overlap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::ListSource;
    use anyhow::{Context, Result};
    use cssa_wire::Position;
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
        let (latitude, longitude) = frames[1].position.or(None).context("no place")?.degrees();
        assert!((latitude - 45.158).abs() < 1e-3 && (longitude - 14.9936).abs() < 1e-3, "{latitude} {longitude}");
        Ok(())
    }

    #[test]
    fn what_is_wrong_is_said_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scene.tif");
        std::fs::write(&path, b"\xff\xd8 a JPEG by its first bytes")?;
        let mut source = SceneSource::new(&[path], TilerConfig { side: 100, overlap: 0.0 });
        let Next::Frame(Frame { pixels: Err(said), .. }) = source.next(&|_| false)? else {
            anyhow::bail!("expected a frame without pixels");
        };
        assert!(said.contains("scene.tif") && said.matches("cut off").count() == 1, "{said}");
        Ok(())
    }

    /// Without tiles, the scene source, the list source and `edge caption` have one and the same picture of a file, or none.
    #[test]
    fn every_source_sees_the_same_in_a_file() -> Result<()> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/cases/img");
        let paths = cssa_image::images(&[folder])?;
        assert!(paths.len() > 80, "{}", paths.len());
        let tiler = TilerConfig { side: 0, overlap: 0.25 };
        let files = tempfile::tempdir()?;
        let list = files.path().join("list.txt");
        let lines: Vec<String> = paths
            .iter()
            .map(|path| path.canonicalize().map(|path| path.display().to_string()))
            .collect::<Result<_, _>>()?;
        std::fs::write(&list, lines.join("\n"))?;
        let mut scenes = SceneSource::new(&paths, tiler);
        let mut listed = ListSource::read(&list, tiler)?;
        for path in &paths {
            let expected = cssa_image::decode(&std::fs::read(path)?).ok();
            for source in [&mut scenes as &mut dyn Source, &mut listed] {
                let Next::Frame(frame) = source.next(&|_| false)? else {
                    anyhow::bail!("no frame of {}", path.display())
                };
                assert!(frame.pixels.ok() == expected, "{}: {}", path.display(), frame.name);
            }
        }
        assert!(matches!(scenes.next(&|_| false)?, Next::End));
        Ok(())
    }

    /// A mosaic that is dark on the left and bright on the right: each tile is scaled as the whole file is.
    #[test]
    fn tiles_of_a_deep_scene_are_scaled_alike() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("deep.tif");
        let mut encoder = TiffEncoder::new(File::create(&path)?)?;
        let pixels: Vec<u16> = (0..200).flat_map(|_| (0..400).map(|x| 1000 + 10 * x)).collect();
        encoder.write_image::<colortype::Gray16>(400, 200, &pixels)?;
        let whole = cssa_image::read(&path)?;
        let mut source = SceneSource::new(&[path], TilerConfig { side: 100, overlap: 0.0 });
        let mut tiles = 0;
        while let Next::Frame(frame) = source.next(&|_| false)? {
            let pixels = frame.pixels.map_err(anyhow::Error::msg)?;
            let (x, y) = (tiles % 4 * 100, tiles / 4 * 100);
            assert_eq!(pixels, image::imageops::crop_imm(&whole, x, y, 100, 100).to_image(), "{}", frame.name);
            tiles += 1;
        }
        assert_eq!(tiles, 8);
        assert_eq!((whole.get_pixel(7, 0).0, whole.get_pixel(392, 0).0), ([0; 3], [255; 3]));
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

    /// The same file has the same place and time in every source; what says something that is no place is not where the vehicle is.
    #[test]
    fn places_and_times_are_those_of_a_list() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let cases = fixtures::cases();
        let known = ["exif/e01_normal.jpg", "exif/e50.png", "exif/e51.tif", "geo/g01_utm_32755_south.tif"];
        let unknown =
            ["exif/e05_status_void_old_coords.jpg", "geo/g13_local_engineering.tif", "geo/g18_geocentric_4978.tif"];
        let vehicle = Position::new(1.0, 2.0);
        for name in known.into_iter().chain(unknown) {
            let path = cases.join(name);
            let tiler = TilerConfig { side: 0, overlap: 0.0 };
            let Next::Frame(scene) = SceneSource::new(std::slice::from_ref(&path), tiler).next(&|_| false)? else {
                anyhow::bail!("{name}: no frame");
            };
            let list = folder.path().join("list.txt");
            std::fs::write(&list, path.display().to_string())?;
            let Next::Frame(listed) = ListSource::read(&list, tiler)?.next(&|_| false)? else {
                anyhow::bail!("{name}: no frame");
            };
            assert_eq!((scene.position, scene.time), (listed.position, listed.time), "{name}");
            assert_eq!(scene.position.or(vehicle).is_some(), known.contains(&name), "{name}: {:?}", scene.position);
            assert!(scene.position.or(vehicle) != vehicle, "{name}");
        }
        Ok(())
    }

    #[test]
    fn a_pipe_is_no_scene_and_is_not_waited_for() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("scene.tif");
        let made = std::process::Command::new("mkfifo").arg(&path).status()?;
        anyhow::ensure!(made.success());
        let mut source = SceneSource::new(std::slice::from_ref(&path), TilerConfig { side: 0, overlap: 0.0 });
        let Next::Frame(frame) = source.next(&|_| false)? else { anyhow::bail!("no frame") };
        assert!(frame.pixels.is_err_and(|error| error.contains("scene.tif")));
        assert!(cssa_image::read(&path).is_err());
        Ok(())
    }
}
