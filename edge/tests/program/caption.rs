//! `edge caption`: what it writes beside words, and what it does not write over.

use super::{Result, edge, said};
use cssa::bundle::Language;
use cssa_wire::{CaptionPacket, Checksum, DownPacket, Time, Verification};
use std::fs;
use std::path::Path;

/// The packets of a file that `--packets` wrote.
fn packets(path: &Path) -> Result<Vec<CaptionPacket>> {
    let (stream, language) = (fs::read(path)?, Language::read(&fixtures::bundle())?);
    let mut found = Vec::new();
    for frame in cssa_wire::frames(&stream) {
        let bytes = frame.packet?;
        let packet = DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32)?;
        found.push(CaptionPacket::of(&packet, &language.model)?);
    }
    Ok(found)
}

/// A radio sends when and where an image was taken, not when it was captioned.
#[test]
fn packets_have_the_images_own_times_and_places() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out.bin");
    let image = fixtures::cases().join("exif/e01_normal.jpg");
    let done = edge().arg("caption").arg(image).arg("--packets").arg(&out).output()?;
    assert!(done.status.success(), "{}", said(&done));
    let packets = packets(&out)?;
    let caption = &packets[0].captions[0];
    let (latitude, longitude) = caption.position.ok_or("no place")?.degrees();
    assert!((latitude - 48.2085).abs() < 1e-4 && (longitude - 16.37).abs() < 1e-4, "{latitude}, {longitude}");
    // 2024-05-06T10:11:12Z.
    assert_eq!(Time::from(caption.time).utc(), Some(1_714_990_272));
    Ok(())
}

#[test]
fn an_image_is_not_written_over() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (image, link) = (folder.path().join("a.jpg"), folder.path().join("link.bin"));
    fs::copy(fixtures::scenes().join("images/scene_00000.jpg"), &image)?;
    std::os::unix::fs::symlink("a.jpg", &link)?;
    let before = fs::read(&image)?;
    for out in [&image, &link] {
        let done = edge().arg("caption").arg(&image).arg("--packets").arg(out).output()?;
        assert!(!done.status.success() && said(&done).contains("would be written over"), "{}", said(&done));
        assert_eq!(fs::read(&image)?, before);
    }
    let manifest = folder.path().join("bundle/manifest.toml");
    fs::create_dir(folder.path().join("bundle"))?;
    fs::write(&manifest, "kept")?;
    let mut caption = edge();
    caption.arg("caption").arg(&image).arg("--bundle").arg(folder.path().join("bundle"));
    let done = caption.arg("--packets").arg(&manifest).output()?;
    assert!(!done.status.success() && said(&done).contains("would be written over"), "{}", said(&done));
    Ok(())
}

/// What a path cannot give keeps nothing else from being captioned, and no name moves the terminal's cursor.
#[test]
fn the_others_are_captioned() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (odd, empty) = (folder.path().join("a\u{1b}[31m.jpg"), folder.path().join("empty"));
    fs::create_dir(&empty)?;
    fs::copy(fixtures::scenes().join("images/scene_00001.jpg"), &odd)?;
    let gone = folder.path().join("gone.jpg");
    let done = edge().arg("caption").args([&empty, &gone, &odd]).output()?;
    let (printed, told) = (String::from_utf8(done.stdout.clone())?, said(&done));
    assert!(!done.status.success() && printed.lines().count() == 1, "{printed}{told}");
    assert!(printed.contains("a\\u{1b}[31m.jpg: ") && !printed.contains('\u{1b}'), "{printed}");
    for expected in ["empty: no image in this folder", "gone.jpg: no such file", "2 paths were not read"] {
        assert!(told.contains(expected), "{told}\nexpected {expected}");
    }
    Ok(())
}
