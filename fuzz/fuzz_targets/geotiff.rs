//! GeoTIFF: a file of any kind, and a TIFF of one directory with keys made of the input's numbers.
#![no_main]

use cssa_image::georeference::Georeference;
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

fn read(bytes: &[u8]) {
    let Ok(georeference) = Georeference::read(&mut Cursor::new(bytes)) else { return };
    for point in [(0.0, 0.0), (64.0, 64.0), (-1e9, 1e9)] {
        if let Ok(place) = georeference.locate(point) {
            assert!(place.latitude.abs() <= 90.0 && place.longitude.abs() <= 180.0);
        }
    }
}

/// Keys, pixel scale, tie point and doubles, each behind the other.
fn tiff(bytes: &[u8]) -> Vec<u8> {
    let doubles = bytes.len() / 8 * 8;
    let begin = 8 + 2 + 4 * 12 + 4;
    let entry = |tag: u16, kind: u16, count: usize, at: usize| {
        let (count, at) = ((count as u32).to_le_bytes(), (at as u32).to_le_bytes());
        [tag.to_le_bytes().as_slice(), &kind.to_le_bytes(), &count, &at].concat()
    };
    let ties = begin + 24.min(doubles);
    let entries = [
        entry(33550, 12, 3, begin),
        entry(33922, 12, 6, ties),
        entry(34735, 3, bytes.len() / 2, begin),
        entry(34736, 12, doubles / 8, begin),
    ];
    [b"II*\0\x08\0\0\0\x04\0".as_slice(), &entries.concat(), &[0; 4], bytes].concat()
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    read(&tiff(bytes));
});
