//! Scenes, and what all sources make of the same files.

use super::super::tests::cutting;
use super::*;
use crate::config::TilerConfig;
use crate::position::Receiver;
use crate::sources::{Frame, ListSource};
use anyhow::{Context, Result};
use cssa_wire::Position;
use std::fs::File;
use std::path::Path;
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
    let mut source = SceneSource::new(&paths, cutting(100));
    let file = key::of_file(&path, &key::State::of(&path)?, Some(TilerConfig { side: 100, overlap: 0.0 }));
    let done = format!("{file}#1");
    let mut frames = Vec::new();
    let Next::Unread(error) = source.next(&|_: &str| false)? else { anyhow::bail!("nothing was said") };
    assert!(error.to_string().contains("missing.tif"), "{error}");
    while let Next::Frame(frame) = source.next(&|key: &str| key == done)? {
        frames.push(frame);
    }
    assert_eq!(frames.len(), 6 - 1);
    let last = frames.last().context("no frame")?;
    let pixels = last.pixels.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    assert_eq!((pixels.dimensions(), pixels.get_pixel(3, 4).0), ((100, 100), [153, 104, 7]));
    // The first tile's middle is 500 m east and south of the corner: on the central meridian less 500 m.
    let (latitude, longitude) = frames[0].position.or(None).context("no place")?.degrees();
    assert!((latitude - 45.158).abs() < 1e-3 && (longitude - 14.9936).abs() < 1e-3, "{latitude} {longitude}");
    Ok(())
}

/// A thumbnail that stands before the image is not the image, and its georeference not the image's.
#[test]
fn a_thumbnail_before_the_image_is_passed_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("scene.tif");
    let mut encoder = TiffEncoder::new(File::create(&path)?)?;
    for (side, kind, corner) in [(16u32, 1u32, 499_000.0), (100, 0, 599_000.0)] {
        let mut image = encoder.new_image::<colortype::RGB8>(side, side)?;
        let directory = image.encoder();
        directory.write_tag(Tag::Unknown(254), kind)?;
        directory.write_tag(Tag::ModelPixelScaleTag, &[10.0, 10.0, 0.0][..])?;
        directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, corner, 5_001_000.0, 0.0][..])?;
        directory.write_tag(Tag::GeoKeyDirectoryTag, &[1u16, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32633][..])?;
        image.write_data(&vec![side as u8; (side * side * 3) as usize])?;
    }
    for side in [0, 100] {
        let mut source = SceneSource::new(std::slice::from_ref(&path), cutting(side));
        let Next::Frame(frame) = source.next(&|_: &str| false)? else { anyhow::bail!("no frame") };
        let pixels = frame.pixels.map_err(anyhow::Error::msg)?;
        assert_eq!((pixels.dimensions(), pixels.get_pixel(9, 9).0), ((100, 100), [100; 3]));
        let (_, longitude) = frame.position.or(None).context("no place")?.degrees();
        assert!((longitude - 16.266).abs() < 1e-2, "{longitude}");
    }
    Ok(())
}

#[test]
fn what_is_wrong_is_said_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("scene.tif");
    std::fs::write(&path, b"\xff\xd8 a JPEG by its first bytes")?;
    let mut source = SceneSource::new(&[path], cutting(100));
    let Next::Frame(Frame { pixels: Err(said), .. }) = source.next(&|_: &str| false)? else {
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
    let cut = Cutting { tiler: TilerConfig { side: 0, overlap: 0.25 }, memory: 1 << 28 };
    let files = tempfile::tempdir()?;
    let list = files.path().join("list.txt");
    let lines: Vec<String> = paths
        .iter()
        .map(|path| path.canonicalize().map(|path| path.display().to_string()))
        .collect::<Result<_, _>>()?;
    std::fs::write(&list, lines.join("\n"))?;
    let mut scenes = SceneSource::new(&paths, cut);
    let mut listed = ListSource::read(&list, cut)?;
    for path in &paths {
        let expected = cssa_image::decode(&std::fs::read(path)?).ok();
        for source in [&mut scenes as &mut dyn Source, &mut listed] {
            let Next::Frame(frame) = source.next(&|_: &str| false)? else {
                anyhow::bail!("no frame of {}", path.display())
            };
            assert!(frame.pixels.ok() == expected, "{}: {}", path.display(), frame.name);
        }
    }
    assert!(matches!(scenes.next(&|_: &str| false)?, Next::End));
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
    let mut source = SceneSource::new(&[path], cutting(100));
    let mut tiles = 0;
    while let Next::Frame(frame) = source.next(&|_: &str| false)? {
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
    let mut source = SceneSource::new(&[path], cutting(100));
    let Next::Frame(frame) = source.next(&|_: &str| false)? else { anyhow::bail!("no frame") };
    assert!(frame.pixels.is_err());
    assert!(matches!(source.next(&|_: &str| false)?, Next::End));
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
    let (vehicle, clock) = (Position::new(1.0, 2.0), Receiver::default());
    for name in known.into_iter().chain(unknown) {
        let path = cases.join(name);
        let cut = cutting(0);
        let Next::Frame(scene) = SceneSource::new(std::slice::from_ref(&path), cut).next(&|_: &str| false)? else {
            anyhow::bail!("{name}: no frame");
        };
        let list = folder.path().join("list.txt");
        std::fs::write(&list, path.display().to_string())?;
        let Next::Frame(listed) = ListSource::read(&list, cut)?.next(&|_: &str| false)? else {
            anyhow::bail!("{name}: no frame");
        };
        assert_eq!((scene.position, scene.taken.time(&clock)), (listed.position, listed.taken.time(&clock)), "{name}");
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
    let mut source = SceneSource::new(std::slice::from_ref(&path), cutting(0));
    let Next::Frame(frame) = source.next(&|_: &str| false)? else { anyhow::bail!("no frame") };
    assert!(frame.pixels.is_err_and(|error| error.contains("scene.tif")));
    assert!(cssa_image::read(&path).is_err());
    Ok(())
}
