//! What holds for all sources of files.

use super::*;
use crate::config::After;
use anyhow::Result;
use image::RgbImage;
use std::collections::BTreeSet;
use std::path::Path;

/// Tiles of this side that repeat nothing, in the memory that is the default.
pub(super) fn cutting(side: u32) -> Cutting {
    Cutting { tiler: TilerConfig { side, overlap: 0.0 }, memory: 1 << 28 }
}

/// Names of the frames that come now, without their folders, and whether they have pixels.
pub(super) fn names(source: &mut dyn Source, settled: &dyn Fn(&str) -> bool) -> Result<Vec<(String, bool)>> {
    let mut names = Vec::new();
    while let Next::Frame(frame) = source.next(&settled)? {
        names.push((frame.name.rsplit('/').next().unwrap_or_default().into(), frame.pixels.is_ok()));
    }
    Ok(names)
}

type Sources<'a> = [(&'static str, Box<dyn Fn() -> Result<Box<dyn Source>> + 'a>); 3];

fn sources<'a>(path: &'a Path, side: u32) -> Sources<'a> {
    let folder = path.parent().unwrap_or(path);
    let open = move |config: SourceConfig| Ok(super::open(&config, TilerConfig { side, overlap: 0.0 })?);
    let memory = 1 << 28;
    [
        (
            "folder",
            Box::new(move || {
                open(SourceConfig::Folder { path: folder.into(), watch: false, after: After::Keep, memory })
            }),
        ),
        ("list", Box::new(move || open(SourceConfig::List { path: folder.join("list.txt"), memory }))),
        ("scenes", Box::new(move || open(SourceConfig::Scenes { paths: vec![path.into()], memory }))),
    ]
}

/// A camera that begins to count anew writes DJI_0001 a second time.
#[test]
fn a_new_picture_under_an_old_name_is_captioned() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.png");
    std::fs::write(folder.path().join("list.txt"), "a.png\n")?;
    for side in [0, 100] {
        for (name, open) in sources(&path, side) {
            let mut done: BTreeSet<String> = BTreeSet::new();
            let mut given = || -> Result<usize> {
                let (mut source, mut frames) = (open()?, 0);
                while let Next::Frame(frame) = source.next(&|key: &str| done.contains(key))? {
                    done.extend(frame.key);
                    frames += 1;
                }
                Ok(frames)
            };
            let tiles = if side == 0 { 1 } else { 2 };
            RgbImage::new(200, 100).save(&path)?;
            assert_eq!((given()?, given()?), (tiles, 0), "{name} {side}");
            // As many bytes, at another time.
            std::fs::File::options().write(true).open(&path)?.set_modified(std::time::SystemTime::UNIX_EPOCH)?;
            assert_eq!((given()?, given()?), (tiles, 0), "{name} {side}: another time");
            RgbImage::from_fn(200, 100, |x, y| image::Rgb([x as u8, y as u8, 9])).save(&path)?;
            std::fs::File::options().write(true).open(&path)?.set_modified(std::time::SystemTime::UNIX_EPOCH)?;
            assert_eq!((given()?, given()?), (tiles, 0), "{name} {side}: another size");
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Tiles of another size show something else.
#[test]
fn another_size_of_tiles_is_captioned_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("a.png");
    std::fs::write(folder.path().join("list.txt"), "a.png\n")?;
    RgbImage::new(200, 100).save(&path)?;
    let mut done: BTreeSet<String> = BTreeSet::new();
    for (name, at) in [("folder", 0), ("list", 1), ("scenes", 2)] {
        for (side, frames) in [(100, 2), (100, 0), (64, 8), (300, 1), (100, 0), (64, 0), (0, 1), (0, 0)] {
            let (_, open) = &sources(&path, side)[at];
            let (mut source, mut found) = (open()?, 0);
            while let Next::Frame(frame) = source.next(&|key: &str| done.contains(key))? {
                done.extend(frame.key);
                found += 1;
            }
            assert_eq!(found, frames, "{name} {side}");
            done.retain(|key| !source.is_gone(key));
        }
        done.clear();
    }
    Ok(())
}

/// Names that are not UTF-8 are told apart by their bytes.
#[test]
fn scenes_are_told_apart_by_the_bytes_of_their_names() -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir()?;
    let named = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    let paths = [named(b"\xfe.png"), named(b"\xff.png"), named(b"a|b#0.png")];
    RgbImage::new(40, 40).save(&paths[0])?;
    let changed = paths[0].metadata()?.modified()?;
    for path in &paths[1..] {
        std::fs::copy(&paths[0], path)?;
        std::fs::File::options().write(true).open(path)?.set_modified(changed)?;
    }
    let mut keys = BTreeSet::new();
    let mut source = SceneSource::new(&paths, cutting(0));
    while let Next::Frame(frame) = source.next(&|key: &str| keys.contains(key))? {
        keys.extend(frame.key);
    }
    assert_eq!(keys.len(), 3, "{keys:?}");
    Ok(())
}

/// An uncompressed TIFF of RGB in strips of 16 rows, black and of so many rows: on the disk there is nothing but its head.
fn write_large_tiff(path: &Path, width: u32, height: u32) -> Result<()> {
    let strips = height.div_ceil(16);
    let (row, begin) = (u64::from(width) * 3, 8 + 2 + 10 * 12 + 4);
    let (lengths, bits) = (begin + 4 * strips, begin + 8 * strips);
    let data = u64::from(bits) + 6;
    let mut bytes = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, kind, count, value) in [
        (256u16, 4u16, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, bits),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, strips, begin),
        (277, 3, 1, 3),
        (278, 4, 1, 16),
        (279, 4, strips, lengths),
        (284, 3, 1, 1),
    ] {
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend([count.to_le_bytes(), value.to_le_bytes()].concat());
    }
    bytes.extend([0; 4]);
    (0..strips).for_each(|n| bytes.extend(((data + u64::from(n) * 16 * row) as u32).to_le_bytes()));
    (0..strips).for_each(|n| bytes.extend((u64::from(16.min(height - 16 * n)) * row).to_le_bytes()[..4].to_vec()));
    bytes.extend([8, 0, 8, 0, 8, 0]);
    std::fs::write(path, bytes)?;
    Ok(std::fs::File::options().write(true).open(path)?.set_len(data + row * u64::from(height))?)
}

/// A mosaic of 108 million pixels takes 324 MB: no source holds more of it than it may, and what reading it takes.
#[test]
fn a_large_file_is_never_held_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("large.tif");
    std::fs::write(folder.path().join("list.txt"), "large.tif\n")?;
    write_large_tiff(&path, 12_000, 9_000)?;
    // Decoded strips that are kept, and some pieces at work.
    const READING: u64 = (1 << 26) + (1 << 26);
    for (side, memory, tiles) in [(0, 1 << 28, 1), (4000, 1 << 28, 9), (1000, 1 << 26, 108), (1000, 1 << 20, 108)] {
        let config = [
            SourceConfig::Folder { path: folder.path().into(), watch: false, after: After::Keep, memory },
            SourceConfig::List { path: folder.path().join("list.txt"), memory },
            SourceConfig::Scenes { paths: vec![path.clone()], memory },
        ];
        for config in config.iter().take(if side == 0 { 2 } else { 3 }) {
            let (mut frames, mut failed) = (0, None);
            let used = allocation_counter::measure(|| {
                let tiler = TilerConfig { side, overlap: 0.0 };
                let mut source = match super::open(config, tiler) {
                    Ok(source) => source,
                    Err(error) => return failed = Some(error.to_string()),
                };
                while let Ok(Next::Frame(frame)) = source.next(&|_: &str| false) {
                    frames += 1;
                    failed = failed.take().or(frame.pixels.err());
                }
            });
            assert_eq!((frames, failed), (tiles, None), "{config:?}");
            let tile = u64::from(side) * u64::from(side) * 3;
            let most = memory.min(3 << 25).max(tile) + tile + READING;
            assert!(used.bytes_max < most, "{} bytes of {most}: side {side}, {config:?}", used.bytes_max);
        }
    }
    Ok(())
}
