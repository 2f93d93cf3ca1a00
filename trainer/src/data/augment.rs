//! T_img (paper 3.4.1): rotation, flip, scale, crop and colour jitter of an image before its features are cached.
//!
//! Rotations and flips would make "left" and "upper" untrue, so an image whose captions name a direction keeps its own.

use crate::random::Random;
use image::{Rgb, RgbImage, imageops};

/// What a caption calls directions, alone or as a part of a word with hyphens.
const DIRECTIONS: &str = "left right leftmost rightmost upper lower top bottom above below north south east west northern \
                          southern eastern western northeast northwest southeast southwest horizontal horizontally \
                          vertical vertically clockwise counterclockwise anticlockwise";

/// Whether turning or mirroring the image would make one of its captions untrue.
pub fn names_direction(captions: &[String]) -> bool {
    let named = |word: String| word.split('-').any(|part| DIRECTIONS.split(' ').any(|direction| direction == part));
    captions.iter().flat_map(|caption| cssa::vocabulary::words(caption)).any(named)
}

/// An augmented copy, `size` × `size` pixels.
pub fn view(image: &RgbImage, size: u32, keep_direction: bool, random: &mut Random) -> RgbImage {
    let cropped = crop(image, random);
    let mut copy = cssa::preprocess::resize(&cropped, size);
    if !keep_direction {
        copy = match random.below(4) {
            0 => copy,
            1 => imageops::rotate90(&copy),
            2 => imageops::rotate180(&copy),
            _ => imageops::rotate270(&copy),
        };
        if random.below(2) == 1 {
            imageops::flip_horizontal_in_place(&mut copy);
        }
    }
    jitter(&mut copy, random);
    copy
}

/// A part with 70 to 100 % of each side and slightly changed proportions: crop and scale in one.
fn crop(image: &RgbImage, random: &mut Random) -> RgbImage {
    let (width, height) = image.dimensions();
    let scale = random.range(0.74, 1.0);
    let mut side = |extent: u32| ((extent as f32 * scale * random.range(0.95, 1.0)) as u32).clamp(1, extent);
    let (w, h) = (side(width), side(height));
    let x = random.below((width - w) as usize + 1) as u32;
    let y = random.below((height - h) as usize + 1) as u32;
    imageops::crop_imm(image, x, y, w, h).to_image()
}

/// Brightness, contrast and each channel's gain by up to 20, 20 and 6 %.
fn jitter(image: &mut RgbImage, random: &mut Random) {
    let (brightness, contrast) = (random.range(0.8, 1.2), random.range(0.8, 1.2));
    let gain = [0; 3].map(|_| brightness * random.range(0.94, 1.06));
    for Rgb(pixel) in image.pixels_mut() {
        for (value, gain) in pixel.iter_mut().zip(gain) {
            *value = ((f32::from(*value) * gain - 128.0) * contrast + 128.0).clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_repeatable_and_differ() {
        let image = RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, 99]));
        let first = view(&image, 32, false, &mut Random::keyed(&[1, 2]));
        assert_eq!(first, view(&image, 32, false, &mut Random::keyed(&[1, 2])));
        assert_ne!(first, view(&image, 32, false, &mut Random::keyed(&[1, 3])));
        assert_eq!(first.dimensions(), (32, 32));
    }

    #[test]
    fn directions_in_captions_are_seen() {
        for caption in ["a road on the Left .", "the top-right corner .", "planes parked vertically"] {
            assert!(names_direction(&[caption.into()]), "{caption}");
        }
        assert!(!names_direction(&["a leftover field .".into()]));
    }
}
