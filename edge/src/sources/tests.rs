//! What holds for all sources of files.

use super::*;
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
    while let Next::Frame(frame) = source.next(settled)? {
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
        ("folder", Box::new(move || open(SourceConfig::Folder { path: folder.into(), watch: false, memory }))),
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
                while let Next::Frame(frame) = source.next(&|key| done.contains(key))? {
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
    while let Next::Frame(frame) = source.next(&|key| keys.contains(key))? {
        keys.extend(frame.key);
    }
    assert_eq!(keys.len(), 3, "{keys:?}");
    Ok(())
}
