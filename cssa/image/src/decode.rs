//! From the bytes of an image file to RGB with 8 bits: JPEG, PNG and TIFF, upright, the same on the ground and in flight. How
//! more than 8 bits become 8 stands at [`Scaling`].

use crate::caught::caught;
use crate::error::DecodeError;
use crate::picture::{Kept, Picture, check_size};
use crate::raster::{self, Raster};
use crate::reduce::{Reducer, factor};
use crate::scaling::{Scaling, WORDS};
use crate::{jpeg_file, png_file};
use cssa::errors::chain;
use cssa::files::{self, FileError};
use image::{DynamicImage, RgbImage};
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

/// Largest JPEG file, which is held, in bytes: as many as the most pixels have. Others are not held.
const MAX_FILE: u64 = 1 << 28;
/// Most pixels of a JPEG, which its decoder holds whole: 8,192 × 8,192.
const MAX_JPEG: u64 = 1 << 26;

/// Reads an image file; the error names it, and the log says once what was done to its pixels.
pub fn read(path: &Path) -> Result<RgbImage, FileError> {
    read_picture(path, Kept::Reduced).map(|picture| picture.pixels)
}

/// As [`read`], with what is known of the pixels.
pub fn read_picture(path: &Path, kept: Kept) -> Result<Picture, FileError> {
    let failed = |error: DecodeError| match error {
        DecodeError::File(cause) => FileError::System { path: path.into(), action: "cannot be read", cause },
        error => FileError::content(path, format!("cannot be decoded: {}", chain(&error))),
    };
    let picture = if raster::is_tiff_file(path) {
        Raster::open(path).and_then(|raster| raster.picture(kept)).map_err(failed)?
    } else if begins(path, png_file::is_png) {
        let file = File::open(path).map_err(|error| failed(error.into()))?;
        caught(|| png_file::read(&mut BufReader::new(file), kept)).map_err(failed)?
    } else {
        picture(files::read(path, MAX_FILE)?, kept).map_err(failed)?
    };
    if let Some(note) = picture.note() {
        tracing::info!("{}: {note}", path.display());
    }
    Ok(picture)
}

/// Whether the first bytes of a file are those of a kind. A pipe or a device has none, and is not waited for.
fn begins(path: &Path, is_kind: impl Fn(&[u8]) -> bool) -> bool {
    let mut start = [0; 8];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && is_kind(&start)
}

/// Decodes the bytes of an image file.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let picture =
        if raster::is_tiff(bytes) { picture(bytes.to_vec(), Kept::Reduced) } else { held(bytes, Kept::Reduced) };
    picture.map(|picture| picture.pixels)
}

/// Decodes the bytes of an image file; those of a TIFF are kept for the time.
pub fn picture(bytes: Vec<u8>, kept: Kept) -> Result<Picture, DecodeError> {
    if raster::is_tiff(&bytes) { Raster::of_bytes(bytes)?.picture(kept) } else { held(&bytes, kept) }
}

fn held(bytes: &[u8], kept: Kept) -> Result<Picture, DecodeError> {
    caught(|| uncaught(bytes, kept))
}

fn uncaught(bytes: &[u8], kept: Kept) -> Result<Picture, DecodeError> {
    if jpeg_file::is_jpeg(bytes) {
        jpeg(bytes, kept)
    } else if png_file::is_png(bytes) {
        png_file::read(&mut Cursor::new(bytes), kept)
    } else {
        Err(DecodeError::Unknown)
    }
}

fn jpeg(bytes: &[u8], kept: Kept) -> Result<Picture, DecodeError> {
    let jpeg = jpeg_file::Jpeg::read(bytes)?;
    let size = jpeg.size;
    check_size(u64::from(size.0), u64::from(size.1), MAX_JPEG)?;
    let factor = factor(size, kept.pixels());
    let (pixels, samples) = jpeg.pixels()?;
    let rgb = if samples == 1 { pixels.iter().flat_map(|grey| [*grey; 3]).collect() } else { pixels };
    let image = if factor == 1 {
        RgbImage::from_raw(size.0, size.1, rgb)
    } else {
        let mut reducer = Reducer::new(size, factor);
        reducer.push(&rgb);
        reducer.finish(size.1)
    };
    let odd = || DecodeError::Jpeg("it has another number of pixels than it says".into());
    Ok(Picture::new(image.ok_or_else(odd)?, size, jpeg.orientation, factor, None))
}

/// Eight bits a channel of an image in memory, more than 8 by the rule of [`Scaling`].
#[must_use]
pub fn to_rgb8(image: DynamicImage) -> RgbImage {
    scaled_to_rgb8(image).0
}

/// As [`to_rgb8`], and how more than 8 bits became 8.
#[must_use]
pub fn scaled_to_rgb8(image: DynamicImage) -> (RgbImage, Option<Scaling>) {
    match image {
        DynamicImage::ImageRgb8(image) => (image, None),
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => {
            let image = image.into_rgba16();
            let mut counts = vec![0; WORDS];
            for pixel in image.pixels().filter(|pixel| pixel.0[3] > 0) {
                pixel.0[..3].iter().for_each(|word| counts[usize::from(*word)] += 1);
            }
            let scaling = Scaling::of_counts(&counts, 0.0, true);
            let table = scaling.table(0.0);
            let pixels = RgbImage::from_fn(image.width(), image.height(), |x, y| {
                let [r, g, b, alpha] = image.get_pixel(x, y).0;
                image::Rgb(if alpha == 0 { [0; 3] } else { [r, g, b].map(|word| table[usize::from(word)]) })
            });
            (pixels, Some(scaling))
        }
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            let image = image.into_rgba8();
            let pixels = RgbImage::from_fn(image.width(), image.height(), |x, y| {
                let [r, g, b, alpha] = image.get_pixel(x, y).0;
                image::Rgb(if alpha == 0 { [0; 3] } else { [r, g, b] })
            });
            (pixels, None)
        }
        other => (other.to_rgb8(), None),
    }
}
