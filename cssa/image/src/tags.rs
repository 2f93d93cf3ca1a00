//! Position and time from an image's own tags: Exif GPS and dates of JPEG, PNG and TIFF, and GeoTIFF.

use crate::Place;
use crate::georeference::Georeference;
use exif::{Exif, In, Tag, Value};
use std::io::Cursor;
use tiff::decoder::Decoder;

/// What the tags say.
#[derive(Clone, Debug, Default)]
pub struct Tags {
    /// Where the camera was.
    camera: Option<Place>,
    /// How the pixels lie on the earth.
    georeference: Option<Georeference>,
    /// When the image was taken, in seconds since 1970; the camera's clock counts as UTC where it does not say more.
    pub time: Option<u32>,
}

impl Tags {
    /// The place of a point of the image, in pixels: by its georeference, else the camera's.
    #[must_use]
    pub fn place(&self, point: (f64, f64)) -> Option<Place> {
        self.georeference.as_ref().and_then(|georeference| georeference.place(point)).or(self.camera)
    }
}

/// Reads the tags of an image file; what is not there or damaged counts as absent.
#[must_use]
pub fn read(bytes: &[u8]) -> Tags {
    let mut tags = Tags::default();
    if bytes.starts_with(b"II") || bytes.starts_with(b"MM") {
        tags.georeference =
            Decoder::new(Cursor::new(bytes)).ok().and_then(|mut decoder| Georeference::read(&mut decoder));
    }
    if let Ok(exif) = exif::Reader::new().read_from_container(&mut Cursor::new(bytes)) {
        tags.camera = camera(&exif);
        tags.time = gps_time(&exif).or_else(|| camera_time(&exif));
    }
    tags
}

fn camera(exif: &Exif) -> Option<Place> {
    let degrees = |place: Tag, side: Tag, negative: u8| {
        let value = rationals(exif, place)?;
        let degrees = value.iter().zip([1.0, 60.0, 3600.0]).map(|(part, unit)| part / unit).sum::<f64>();
        let side = exif.get_field(side, In::PRIMARY)?;
        let Value::Ascii(texts) = &side.value else { return None };
        let is_negative = texts.first()?.first()?.eq_ignore_ascii_case(&negative);
        Some(if is_negative { -degrees } else { degrees })
    };
    let latitude = degrees(Tag::GPSLatitude, Tag::GPSLatitudeRef, b'S')?;
    Place::new(latitude, degrees(Tag::GPSLongitude, Tag::GPSLongitudeRef, b'W')?)
}

fn rationals(exif: &Exif, tag: Tag) -> Option<Vec<f64>> {
    let Value::Rational(values) = &exif.get_field(tag, In::PRIMARY)?.value else { return None };
    let values: Vec<f64> = values.iter().map(exif::Rational::to_f64).collect();
    (values.len() == 3 && values.iter().all(|value| value.is_finite())).then_some(values)
}

fn ascii(exif: &Exif, tag: Tag) -> Option<Vec<u8>> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => texts.first().cloned(),
        _ => None,
    }
}

fn gps_time(exif: &Exif) -> Option<u32> {
    let mut date = ascii(exif, Tag::GPSDateStamp)?;
    let clock = rationals(exif, Tag::GPSTimeStamp)?;
    date.extend(format!(" {:02}:{:02}:{:02}", clock[0] as u8, clock[1] as u8, clock[2] as u8).into_bytes());
    seconds(&exif::DateTime::from_ascii(&date).ok()?)
}

fn camera_time(exif: &Exif) -> Option<u32> {
    let mut time = exif::DateTime::from_ascii(&ascii(exif, Tag::DateTimeOriginal)?).ok()?;
    if let Some(offset) = ascii(exif, Tag::OffsetTimeOriginal) {
        time.parse_offset(&offset).ok();
    }
    seconds(&time)
}

/// Seconds since 1970 of a date of the proleptic Gregorian calendar.
fn seconds(time: &exif::DateTime) -> Option<u32> {
    let date = chrono::NaiveDate::from_ymd_opt(i32::from(time.year), u32::from(time.month), u32::from(time.day))?;
    let clock = date.and_hms_opt(u32::from(time.hour), u32::from(time.minute), u32::from(time.second))?;
    u32::try_from(clock.and_utc().timestamp() - i64::from(time.offset.unwrap_or(0)) * 60).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};
    use exif::experimental::Writer;
    use exif::{Field, Rational};

    fn jpeg_with(fields: &[Field]) -> Result<Vec<u8>> {
        let mut writer = Writer::new();
        fields.iter().for_each(|field| writer.push_field(field));
        let mut exif = Cursor::new(Vec::new());
        writer.write(&mut exif, false)?;
        let mut jpeg = Vec::new();
        image::RgbImage::new(8, 8).write_with_encoder(image::codecs::jpeg::JpegEncoder::new(&mut jpeg))?;
        let body = [b"Exif\0\0".as_slice(), &exif.into_inner()].concat();
        let length = u16::try_from(body.len() + 2)?.to_be_bytes();
        Ok([&jpeg[..2], &[0xFF, 0xE1], &length, &body, &jpeg[2..]].concat())
    }

    fn field(tag: Tag, value: Value) -> Field {
        Field { tag, ifd_num: In::PRIMARY, value }
    }

    fn three(values: [u32; 3]) -> Value {
        Value::Rational(values.iter().map(|&num| Rational { num, denom: 1 }).collect())
    }

    #[test]
    fn a_camera_says_where_and_when() -> Result<()> {
        let text = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
        let place = [
            field(Tag::GPSLatitudeRef, text("S")),
            field(Tag::GPSLatitude, three([33, 51, 36])),
            field(Tag::GPSLongitudeRef, text("E")),
            field(Tag::GPSLongitude, three([151, 12, 36])),
            field(Tag::DateTimeOriginal, text("2025:11:23 21:00:00")),
        ];
        let tags = read(&jpeg_with(&place)?);
        assert_eq!(tags.place((0.0, 0.0)), Place::new(-33.86, 151.21));
        assert_eq!(tags.time, Some(1_763_931_600));
        let mut with_zone = place.to_vec();
        with_zone.push(field(Tag::OffsetTimeOriginal, text("+01:00")));
        assert_eq!(read(&jpeg_with(&with_zone)?).time, Some(1_763_928_000));
        let gps = [field(Tag::GPSDateStamp, text("2025:11:23")), field(Tag::GPSTimeStamp, three([20, 0, 0]))];
        assert_eq!(read(&jpeg_with(&gps)?).time, Some(1_763_928_000));
        let zeros = [field(Tag::GPSLatitudeRef, text("S")), field(Tag::GPSLatitude, three([99, 0, 0]))];
        assert_eq!(read(&jpeg_with(&zeros)?).place((0.0, 0.0)), None);
        assert!(read(b"II*\0garbage").place((0.0, 0.0)).is_none());
        read(&[]).time.is_none().then_some(()).context("a time from nothing")
    }
}
