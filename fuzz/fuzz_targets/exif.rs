//! Exif and XMP: as a file of any kind, as a block of Exif in a JPEG, as a packet of XMP in one.
#![no_main]

use cssa_image::tags;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

/// A computer's clock in 2026.
const NOW: u32 = 1_795_000_000;
/// 2020-01-01.
const EARLIEST: u32 = 1_577_836_800;

fn segment(name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(name.len() + body.len() + 2).unwrap_or(u16::MAX);
    [&[0xFF, 0xD8, 0xFF, 0xE1], length.to_be_bytes().as_slice(), name, body, &[0xFF, 0xDA]].concat()
}

fn read(bytes: &[u8]) {
    let tags = tags::read_at(Cursor::new(bytes), NOW);
    assert!(tags.time.is_none_or(|time| (EARLIEST..=NOW + 86_400).contains(&time)), "{:?}", tags.time);
    if let Some(place) = tags.place((0.0, 0.0)) {
        assert!(place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0);
    }
    for problem in tags.problems((0.0, 0.0)) {
        assert!(!problem.to_string().is_empty());
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&segment(b"Exif\0\0", bytes));
    read(&segment(b"http://ns.adobe.com/xap/1.0/\0", bytes));
});
