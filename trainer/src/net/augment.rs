//! T_img (paper 3.4.1): rotation, flip, scale, crop and colour jitter, as operations on whole batches on the device that
//! trains. What happens to each image is drawn on the host, so that it does not depend on the device.
//!
//! Quarter turns and flips would make "left" and "upper" untrue, so an image whose captions name a direction keeps its own.

use cssa::backbone::Normalization;
use cssa::random::Random;
use tch::{Device, Kind, Tensor};

/// What a caption calls directions, alone or as a part of a word with hyphens.
const DIRECTIONS: &str = "left right leftmost rightmost upper lower top bottom above below north south east west northern \
                          southern eastern western northeast northwest southeast southwest horizontal horizontally \
                          vertical vertically clockwise counterclockwise anticlockwise";

/// Largest turn away from a multiple of 90°, in radians (6°).
const TILT: f32 = 0.105;
/// Smallest share of each side that a crop keeps.
const SMALLEST_CROP: f32 = 0.7;
/// Largest relative change of brightness and of contrast.
const BRIGHTNESS: f32 = 0.2;
/// Largest relative change of one channel alone.
const TINT: f32 = 0.06;

/// Names the changes that are drawn, for caches of what was made with them.
pub fn constants() -> String {
    format!("{TILT} {SMALLEST_CROP} {BRIGHTNESS} {TINT} {DIRECTIONS}")
}

const BILINEAR: i64 = 0;
const REFLECT: i64 = 2;

/// Whether an image may be turned and mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// No caption of it says where something is.
    Free,
    /// Turned or mirrored, a caption of it would be untrue.
    Kept,
}

impl Orientation {
    /// That of an image with these captions.
    pub fn of(captions: &[String]) -> Self {
        let named = |word: String| word.split('-').any(|part| DIRECTIONS.split(' ').any(|direction| direction == part));
        let directed = captions.iter().flat_map(|caption| cssa::vocabulary::words(caption)).any(named);
        if directed { Self::Kept } else { Self::Free }
    }
}

/// What happens to the images of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentation {
    /// Output coordinates → input coordinates, both −1 to 1: 2 × 3 values an image, row-major.
    maps: Vec<f32>,
    /// Factor and summand of each channel: 3 + 3 values an image.
    colours: Vec<f32>,
}

impl Augmentation {
    /// The images of `other` after these.
    pub fn extend(&mut self, other: &Self) {
        self.maps.extend(&other.maps);
        self.colours.extend(&other.colours);
    }

    /// One more image, which stays as it is.
    pub fn keep(&mut self) {
        self.maps.extend([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        self.colours.extend([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
    }

    /// One more image, changed at random.
    pub fn draw(&mut self, orientation: Orientation, random: &mut Random) {
        let free = orientation == Orientation::Free;
        let quarters = if free { random.below(4) } else { 0 };
        let mirror = if free && random.below(2) == 1 { -1.0 } else { 1.0 };
        let angle = quarters as f32 * std::f32::consts::FRAC_PI_2 + random.range(-TILT, TILT);
        let side = random.range(SMALLEST_CROP, 1.0);
        let (width, height) = (side * random.range(0.95, 1.0), side * random.range(0.95, 1.0));
        let (x, y) = (random.range(width - 1.0, 1.0 - width), random.range(height - 1.0, 1.0 - height));
        let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
        self.maps.extend([cosine * width * mirror, -sine * width, x, sine * height * mirror, cosine * height, y]);
        let (brightness, contrast) =
            (1.0 + random.range(-BRIGHTNESS, BRIGHTNESS), 1.0 + random.range(-BRIGHTNESS, BRIGHTNESS));
        let factors = [0; 3].map(|_| brightness * (1.0 + random.range(-TINT, TINT)) * contrast);
        self.colours.extend(factors);
        self.colours.extend([128.0 * (1.0 - contrast); 3]);
    }

    /// Images `[b, 3, s, s]`, values 0 to 255, changed as drawn.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        let tensor = |values: &[f32], shape: &[i64]| Tensor::from_slice(values).view(shape).to_device(images.device());
        let grid = Tensor::affine_grid_generator(&tensor(&self.maps, &[-1, 2, 3]), images.size(), false);
        let moved = images.grid_sampler(&grid, BILINEAR, REFLECT, false);
        let colours = tensor(&self.colours, &[-1, 2, 3, 1, 1]);
        (moved * colours.select(1, 0) + colours.select(1, 1)).clamp(0.0, 255.0)
    }
}

/// Images as a network takes them: `[b, 3, s, s]`, `(pixel − mean) / deviation`.
pub fn normalize(images: &Tensor, normalization: Normalization) -> Tensor {
    let channel = |values: [f32; 3]| Tensor::from_slice(&values).view([1, 3, 1, 1]).to_device(images.device());
    (images - channel(normalization.mean)) / channel(normalization.deviation)
}

/// Planar bytes of `b` images as a tensor `[b, 3, size, size]` of values 0 to 255.
pub fn to_images(planar: &[u8], size: usize, device: Device) -> Tensor {
    let shape = [-1, 3, size as i64, size as i64];
    Tensor::from_slice(planar).view(shape).to_device(device).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Tensor {
        Tensor::arange(3 * 8 * 8, (Kind::Float, Device::Cpu)).view([1, 3, 8, 8])
    }

    #[test]
    fn kept_images_are_the_same() {
        let mut kept = Augmentation::default();
        kept.keep();
        assert!((kept.apply(&ramp()) - ramp()).abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn a_quarter_turn_moves_corners() {
        let turned =
            Augmentation { maps: vec![0.0, -1.0, 0.0, 1.0, 0.0, 0.0], colours: vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0] };
        let found = turned.apply(&ramp());
        let expected = ramp().rot90(1, [2, 3]);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-3);
    }

    #[test]
    fn draws_are_repeatable_and_within_bounds() {
        let draw = |seed| {
            let mut drawn = Augmentation::default();
            drawn.draw(Orientation::Free, &mut Random::keyed(&[seed]));
            drawn
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        for seed in 0..50 {
            let found = draw(seed).apply(&ramp());
            assert!(found.min().double_value(&[]) >= 0.0 && found.max().double_value(&[]) <= 255.0);
        }
    }

    #[test]
    fn directions_in_captions_are_seen() {
        for caption in ["a road on the Left .", "the top-right corner .", "planes parked vertically"] {
            assert_eq!(Orientation::of(&[caption.into()]), Orientation::Kept, "{caption}");
        }
        assert_eq!(Orientation::of(&["a leftover field .".into()]), Orientation::Free);
    }
}
