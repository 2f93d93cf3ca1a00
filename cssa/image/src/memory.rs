//! Pixels that another program holds in memory, by the rules for a file that has the same ones: 16 bits become 8 by [`Scaling`], a channel
//! beside grey or RGB is alpha and left away, and more pixels than are kept are averaged. Otherwise than in a file, 8 bits under an alpha of 0
//! stay what they are: cameras and video programs leave a fourth byte unset.

use crate::error::DecodeError;
use crate::picture::{Kept, MAX_PIXELS, check_size};
use crate::reduce::{Reducer, factor};
use crate::scaling::{Scaling, WORDS};
use image::RgbImage;

/// Samples of an image, row by row, the channels of a pixel together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// 8 bits each.
    Bytes(Vec<u8>),
    /// 16 bits each.
    Words(Vec<u16>),
}

/// Refuses what [`rgb8`] would for its size, before anybody copies so many pixels.
///
/// # Errors
/// No pixels, or too many.
pub fn check_pixels((width, height): (u32, u32)) -> Result<(), DecodeError> {
    check_size(u64::from(width), u64::from(height), MAX_PIXELS)
}

/// An image of `channels` samples a pixel: 1 is grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
///
/// # Errors
/// No pixels, too many, other channels, or another number of samples than the size says.
pub fn rgb8(
    (width, height): (u32, u32),
    channels: usize,
    samples: Samples,
    kept: Kept,
) -> Result<RgbImage, DecodeError> {
    check_pixels((width, height))?;
    let held = match &samples {
        Samples::Bytes(bytes) => bytes.len(),
        Samples::Words(words) => words.len(),
    };
    let expected = width as usize * height as usize * channels;
    if !(1..=4).contains(&channels) || expected == 0 || held != expected {
        let said =
            format!("{held} samples are {width} × {height} pixels of {channels}, expected 1 to 4 a pixel, and pixels");
        return Err(DecodeError::Inconsistent(said));
    }
    let bytes = match samples {
        Samples::Bytes(bytes) => bytes,
        Samples::Words(words) => scaled(&words, channels),
    };
    let rgb: Vec<u8> = match channels {
        1 | 2 => bytes.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect(),
        3 => bytes,
        _ => bytes.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
    };
    let factor = factor((width, height), kept.pixels());
    let image = if factor == 1 {
        RgbImage::from_raw(width, height, rgb)
    } else {
        let mut reducer = Reducer::new((width, height), factor);
        reducer.push(&rgb);
        reducer.finish(height)
    };
    image.ok_or_else(|| DecodeError::Inconsistent(format!("{width} × {height} pixels have other rows")))
}

/// 8 bits of 16: transparent pixels are not counted, and black.
fn scaled(words: &[u16], channels: usize) -> Vec<u8> {
    let has_alpha = channels.is_multiple_of(2);
    let is_seen = |pixel: &[u16]| !has_alpha || pixel.last() != Some(&0);
    let colours = channels - usize::from(has_alpha);
    let mut counts = vec![0; WORDS];
    for pixel in words.chunks_exact(channels).filter(|pixel| is_seen(pixel)) {
        pixel[..colours].iter().for_each(|word| counts[usize::from(*word)] += 1);
    }
    let table = Scaling::of_counts(&counts, 0.0, true).table(0.0);
    let mut bytes = Vec::with_capacity(words.len());
    for pixel in words.chunks_exact(channels) {
        let seen = is_seen(pixel);
        bytes.extend(pixel.iter().map(|word| if seen { table[usize::from(*word)] } else { 0 }));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::scaled_to_rgb8;
    use image::{DynamicImage, ImageBuffer};

    fn raw(size: (u32, u32), channels: usize, samples: Samples) -> Option<Vec<u8>> {
        rgb8(size, channels, samples, Kept::Reduced).ok().map(RgbImage::into_raw)
    }

    #[test]
    fn grey_and_alpha_are_taken_as_a_file_has_them() {
        assert_eq!(raw((2, 1), 1, Samples::Bytes(vec![7, 9])), Some(vec![7, 7, 7, 9, 9, 9]));
        assert_eq!(raw((1, 1), 2, Samples::Bytes(vec![7, 0])), Some(vec![7, 7, 7]));
        assert_eq!(raw((1, 1), 4, Samples::Bytes(vec![1, 2, 3, 0])), Some(vec![1, 2, 3]));
    }

    #[test]
    fn sixteen_bits_become_eight_as_in_a_file() {
        let words: Vec<u16> = (0..64 * 64 * 4).map(|n: u32| (n * 2_654_435_761 % 9000) as u16).collect();
        let image: Option<ImageBuffer<image::Rgba<u16>, _>> = ImageBuffer::from_raw(64, 64, words.clone());
        let expected = image.map(|image| scaled_to_rgb8(DynamicImage::ImageRgba16(image)).0.into_raw());
        assert_eq!(raw((64, 64), 4, Samples::Words(words)), expected);
    }

    #[test]
    fn more_pixels_than_are_kept_are_averaged() {
        let image = rgb8((2, 2), 1, Samples::Bytes(vec![0, 10, 20, 30]), Kept::AtMost(1));
        assert_eq!(image.ok().map(RgbImage::into_raw), Some(vec![15, 15, 15]));
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for (size, channels, samples) in
            [((0, 4), 3, 0), ((4, 4), 5, 80), ((4, 4), 0, 0), ((4, 4), 3, 47), ((u32::MAX, 1), 1, 1)]
        {
            assert!(rgb8(size, channels, Samples::Bytes(vec![0; samples]), Kept::Reduced).is_err());
        }
    }
}
