//! From the bytes of an image file to RGB with 8 bits: JPEG, PNG and TIFF with 8, 16 or 32 bits and 1 to 4 channels.

use cssa::files::{self, FileError};
use image::{DynamicImage, ImageFormat, ImageReader, RgbImage};
use std::io::Cursor;
use std::path::Path;

/// Largest image file, in bytes.
const MAX_FILE: u64 = 1 << 30;
/// Largest side of an image, in pixels.
const MAX_SIDE: u32 = 32_768;
/// Most pixels of an image: 8192 × 8192. With 16 bits a channel such an image takes 0.6 GB while it is converted.
const MAX_PIXELS: u64 = 1 << 26;
/// Most memory that the decoder itself may take, in bytes.
const MAX_MEMORY: u64 = 1 << 29;

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
