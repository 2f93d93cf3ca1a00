//! How wide a camera saw, and its height above the sea.

use super::{Block, Name};
use crate::ifd::Value;
use crate::tags::aim::Aim;
use std::io::{Read, Seek};

const ALTITUDE_REF: Name = Name(5, "GPSAltitudeRef");
const ALTITUDE: Name = Name(6, "GPSAltitude");
const COLUMNS: Name = Name(0xA002, "PixelXDimension");
const ROWS: Name = Name(0xA003, "PixelYDimension");
const ZOOM: Name = Name(0xA404, "DigitalZoomRatio");
const FILM_FOCAL_LENGTH: Name = Name(0xA405, "FocalLengthIn35mmFilm");

/// Focal lengths that lenses without distortion have, in millimetres on 35 mm film: 140° from corner to corner, and telescopes.
const FOCAL_LENGTHS: std::ops::RangeInclusive<i64> = 8..=2000;
/// Highest that aircraft fly, in metres.
const MAX_ALTITUDE: f64 = 40_000.0;

impl<R: Read + Seek> Block<R> {
    /// What it says of the lens and of the height.
    pub(super) fn aim(&mut self) -> Aim {
        let (altitude, film_focal_length) = (self.altitude(), self.film_focal_length());
        Aim { altitude, film_focal_length, written_size: self.written_size(), ..Aim::default() }
    }

    fn written_size(&mut self) -> Option<[u32; 2]> {
        let exif = self.exif.clone();
        let mut pixels = |name| match self.get(&exif, name).ok()?? {
            Value::Integers(pixels) if pixels.len() == 1 => u32::try_from(pixels[0]).ok().filter(|pixels| *pixels > 0),
            _ => None,
        };
        Some([pixels(COLUMNS)?, pixels(ROWS)?])
    }

    /// None where the image was cut out of what the lens saw: writers do not agree on what the focal length is then.
    fn film_focal_length(&mut self) -> Option<f64> {
        let exif = self.exif.clone();
        let zoom = self.get(&exif, ZOOM).ok()?.map(|zoom| zoom.numbers());
        // 0 says that there is none.
        if zoom.is_some_and(|zoom| zoom.len() != 1 || zoom[0] > 1.0) {
            return None;
        }
        match self.get(&exif, FILM_FOCAL_LENGTH).ok()?? {
            Value::Integers(length) if length.len() == 1 && FOCAL_LENGTHS.contains(&length[0]) => {
                Some(length[0] as f64)
            }
            _ => None,
        }
    }

    fn altitude(&mut self) -> Option<f64> {
        self.check_rationals().ok()?;
        let side = self.own(ALTITUDE_REF).ok()??;
        let sign = match side.numbers().as_slice() {
            [0.0] => 1.0,
            [1.0] => -1.0,
            _ => return None,
        };
        match self.own(ALTITUDE).ok()??.numbers().as_slice() {
            [metres] if (0.0..=MAX_ALTITUDE).contains(metres) => Some(sign * metres),
            _ => None,
        }
    }
}
