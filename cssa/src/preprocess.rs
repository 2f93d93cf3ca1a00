//! From an image to the network's input, the same in training and on board: the whole frame is scaled to the model's square
//! (bilinear, antialiased), without keeping its proportions, so that nothing in view is cut off.

use crate::backbone::Normalization;
use crate::model::Model;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::vector_math::ROUNDING;

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
    use image::Rgb;

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
}
