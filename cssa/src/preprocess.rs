//! From an image file to the network's input, the same in training and on board.
//!
//! JPEG, PNG and TIFF with 8, 16 or 32 bits and 1 to 4 channels become RGB with 8 bits; the whole frame is scaled to
//! the model's square (bilinear, antialiased), without keeping its proportions, so that nothing in view is cut off.

use crate::backbone::Normalization;
use crate::model::Model;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::{DynamicImage, ImageFormat, ImageReader, RgbImage};
use std::io::Cursor;
use std::path::Path;

use crate::files::{self, FileError};
use crate::vector_math::ROUNDING;

/// Largest image file, in bytes.
const MAX_FILE: u64 = 1 << 30;
/// Largest side of an image, in pixels.
const MAX_SIDE: u32 = 32_768;
/// Most pixels of an image: 8192 × 8192. With 16 bits a channel such an image takes 0.6 GB while it is converted.
const MAX_PIXELS: u64 = 1 << 26;
/// Most memory that the decoder itself may take, in bytes.
const MAX_MEMORY: u64 = 1 << 29;

/// File name endings that are taken for images when a folder is read.
pub const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "tif", "tiff"];

/// Reads an image file; the error names it.
pub fn read(path: &Path) -> Result<RgbImage, FileError> {
    let bytes = files::read(path, MAX_FILE)?;
    decode(&bytes).map_err(|error| FileError::content(path, format!("cannot be decoded as JPEG, PNG or TIFF: {error}")))
}

/// Decodes the bytes of an image file.
pub fn decode(bytes: &[u8]) -> image::ImageResult<RgbImage> {
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(limits);
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
        let cut_off =
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the JPEG is cut off: it has no end marker");
        return Err(cut_off.into());
    }
    let decoder = reader.into_decoder()?;
    let (width, height) = image::ImageDecoder::dimensions(&decoder);
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let kind = image::error::LimitErrorKind::DimensionError;
        return Err(image::ImageError::Limits(image::error::LimitError::from_kind(kind)));
    }
    Ok(to_rgb8(DynamicImage::from_decoder(decoder)?))
}

/// Whether a JPEG's end marker follows its pixels. The decoder fills what is missing with grey and says nothing.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == 0xFF {
            at += 1;
            continue;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == START_OF_SCAN {
            return bytes.get(at..).is_some_and(|pixels| pixels.windows(2).any(|pair| pair == [0xFF, 0xD9]));
        }
    }
    false
}

/// Eight bits a channel. An image whose 16-bit values are all multiples of 257 is one of 8 bits that was widened, and comes
/// back exactly. Others are scaled by the fewest bits (8 to 16) that hold their largest value, since 16-bit sensors rarely
/// fill their container; 8-bit values put into 16 bits as they are come back exactly as long as none of them shows more.
#[must_use]
pub fn to_rgb8(image: DynamicImage) -> RgbImage {
    match image {
        DynamicImage::ImageRgb8(image) => image,
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => {
            let image = image.to_rgb16();
            let largest = image.as_raw().iter().copied().max().unwrap_or_default();
            let widened = image.as_raw().iter().all(|value| value % 257 == 0);
            let bits = if widened { 16 } else { (u16::BITS - largest.leading_zeros()).max(8) };
            let full = (1u32 << bits) - 1;
            let scale = |value: u16| ((u32::from(value) * 255 + full / 2) / full) as u8;
            RgbImage::from_fn(image.width(), image.height(), |x, y| image::Rgb(image.get_pixel(x, y).0.map(scale)))
        }
        other => other.to_rgb8(),
    }
}

/// Scales to `size` × `size` pixels.
#[must_use]
pub fn resize(image: &RgbImage, size: u32) -> RgbImage {
    Preprocessor::default().resize(image, size).clone()
}

/// The network's input of a square image: `[3, size, size]`, channels R, G, B.
#[must_use]
pub fn normalize(image: &RgbImage, normalization: Normalization) -> Vec<f32> {
    let mut input = Vec::new();
    normalize_into(&mut input, image, normalization);
    input
}

/// A model's input of an image of any size: `[3, image_size, image_size]`, scaled and normalized as its backbone has it.
#[must_use]
pub fn input(image: &RgbImage, model: &Model) -> Vec<f32> {
    normalize(&resize(image, model.image_size as u32), model.backbone.normalization())
}

/// Makes inputs out of images, one after the other in the same memory.
#[derive(Debug, Default)]
pub struct Preprocessor {
    resizer: Resizer,
    values: Vec<f32>,
    scaled: Option<Image<'static>>,
    square: RgbImage,
    input: Vec<f32>,
}

impl Preprocessor {
    /// What [`normalize`] gives for what [`resize`] gives.
    pub fn input(&mut self, image: &RgbImage, size: u32, normalization: Normalization) -> &[f32] {
        self.resize(image, size);
        normalize_into(&mut self.input, &self.square, normalization);
        &self.input
    }

    /// The square that the last input was made of.
    #[must_use]
    pub fn square(&self) -> &RgbImage {
        &self.square
    }

    /// In floats: rounding between the two directions would show in one value of five.
    fn resize(&mut self, image: &RgbImage, size: u32) -> &RgbImage {
        let Self { resizer, values, scaled, square, .. } = self;
        if square.dimensions() != (size, size) {
            *square = RgbImage::new(size, size);
            *scaled = None;
        }
        if image.dimensions() == (size, size) {
            square.copy_from_slice(image);
            return square;
        }
        values.clear();
        values.extend(image.as_raw().iter().copied().map(f32::from));
        let scaled = scaled.get_or_insert_with(|| Image::new(size, size, PixelType::F32x3));
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let source = ImageRef::new(image.width(), image.height(), bytemuck::cast_slice(values), PixelType::F32x3);
        let done = source.ok().and_then(|source| resizer.resize(&source, scaled, &options).ok());
        // Buffers of the sizes that both images say cannot be refused.
        debug_assert!(done.is_some());
        for (byte, value) in square.iter_mut().zip(scaled.buffer().as_chunks::<4>().0) {
            *byte = (f32::from_ne_bytes(*value) + ROUNDING).to_bits() as u8;
        }
        square
    }
}

fn normalize_into(input: &mut Vec<f32>, image: &RgbImage, normalization: Normalization) {
    let pixels = image.as_raw().as_chunks::<3>().0;
    input.resize(3 * pixels.len(), 0.0);
    for (channel, plane) in input.chunks_exact_mut(pixels.len().max(1)).enumerate() {
        let (mean, deviation) = (normalization.mean[channel], normalization.deviation[channel]);
        for (value, pixel) in plane.iter_mut().zip(pixels) {
            *value = (f32::from(pixel[channel]) - mean) / deviation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, Rgb};

    #[test]
    fn widened_images_come_back_exactly() {
        let eight = RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 16 + y) as u8, 255 - x as u8, 7]));
        let wide = DynamicImage::ImageRgb8(eight.clone()).to_rgb16();
        assert_eq!(to_rgb8(DynamicImage::ImageRgb16(wide)), eight);
        let dark = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 90]));
        let wide = DynamicImage::ImageRgb8(dark.clone()).to_rgb16();
        assert_eq!(to_rgb8(DynamicImage::ImageRgb16(wide)), dark);
        let kept = ImageBuffer::from_fn(16, 16, |x, y| Rgb(eight.get_pixel(x, y).0.map(u16::from)));
        assert_eq!(to_rgb8(DynamicImage::ImageRgb16(kept)), eight);
    }

    #[test]
    fn twelve_bits_in_sixteen_fill_the_range() {
        let sensor: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_fn(2, 1, |x, _| Luma([x as u16 * 4095]));
        let rgb = to_rgb8(DynamicImage::ImageLuma16(sensor));
        assert_eq!((rgb.get_pixel(0, 0).0, rgb.get_pixel(1, 0).0), ([0; 3], [255; 3]));
    }

    #[test]
    fn scaling_is_that_of_the_image_crate() {
        let image = RgbImage::from_fn(93, 61, |x, y| Rgb([(x * y) as u8, (x * 7 + y * 3) as u8, (255 - x) as u8]));
        for size in [32, 224] {
            let expected = image::imageops::resize(&image, size, size, image::imageops::FilterType::Triangle);
            let found = resize(&image, size);
            let differ = found.as_raw().iter().zip(expected.as_raw()).filter(|(a, b)| a != b);
            assert!(
                differ.clone().all(|(a, b)| a.abs_diff(*b) == 1) && differ.count() * 1000 < expected.as_raw().len()
            );
        }
    }

    #[test]
    fn memory_that_was_used_before_changes_nothing() {
        let none = Normalization { mean: [0.0; 3], deviation: [1.0; 3] };
        let mut used = Preprocessor::default();
        for (width, height, size) in [(50, 40, 32), (32, 32, 32), (9, 90, 32), (9, 90, 64), (50, 40, 32)] {
            let image = RgbImage::from_fn(width, height, |x, y| Rgb([(x * y) as u8, x as u8, (width + y) as u8]));
            assert_eq!(used.input(&image, size, none), normalize(&resize(&image, size), none));
        }
    }

    #[test]
    fn normalization_is_planar() {
        let image = RgbImage::from_fn(2, 1, |x, _| Rgb([x as u8, 10, 20]));
        let input = normalize(&image, Normalization { mean: [0.0, 10.0, 0.0], deviation: [1.0, 1.0, 2.0] });
        assert_eq!(input, [0.0, 1.0, 0.0, 0.0, 10.0, 10.0]);
    }

    #[test]
    fn a_jpeg_without_its_end_is_an_error() -> image::ImageResult<()> {
        let image = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, (x ^ y) as u8]));
        let mut bytes = Vec::new();
        image.write_with_encoder(image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 90))?;
        assert!(decode(&bytes).is_ok());
        for length in [bytes.len() - 2, bytes.len() / 2, bytes.len() / 8, 3] {
            assert!(decode(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
        }
        Ok(())
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        assert!(decode(b"").is_err());
        assert!(decode(b"\x89PNG\r\n\x1a\n garbage").is_err());
    }
}
