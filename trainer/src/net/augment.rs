//! T_img (paper 3.4.1): rotation, flip, scale, crop and colour jitter, as operations on whole batches on the device that
//! trains. What happens to each image is drawn on the host, so that it does not depend on the device.
//!
//! [`AugmentationKind::Camera`] turns by any angle, scales from a half to twice, and adds what the light and a camera do (`camera.rs`).
//!
//! Quarter turns and flips would make "left" and "upper" untrue, so an image whose captions name a direction keeps its own.

use super::camera::{self, Camera, Haze};
use crate::error::Result;
use cssa::backbone::Normalization;
use cssa::dataset::Captioned;
use cssa::random::Random;
use serde::{Deserialize, Serialize};
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

/// The same for [`AugmentationKind::Camera`].
const CAST: f32 = 0.15;

/// What augments images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AugmentationKind {
    /// The paper's T_img.
    #[default]
    Image,
    /// Any rotation, scale from a half to twice, haze, colour cast, blur, JPEG.
    Camera,
}

impl AugmentationKind {
    /// Whether it is what a recipe need not name.
    #[must_use]
    pub fn is_paper(&self) -> bool {
        *self == Self::Image
    }

    /// In how many views dev is scored: who trains for a camera's pictures chooses on them too.
    #[must_use]
    pub fn dev_views(self) -> usize {
        match self {
            Self::Image => 1,
            Self::Camera => 2,
        }
    }

    /// Names the changes that are drawn, for caches of what was made with them.
    #[must_use]
    pub fn constants(self) -> String {
        let paper = format!("{TILT} {SMALLEST_CROP} {BRIGHTNESS} {TINT} {DIRECTIONS}");
        match self {
            Self::Image => paper,
            Self::Camera => format!("{paper} {CAST} {}", camera::constants()),
        }
    }

    /// The side of what an image shows, where 1 is all of it; beyond its edges it goes on mirrored.
    fn side(self, random: &mut Random) -> f32 {
        match self {
            Self::Image => random.range(SMALLEST_CROP, 1.0),
            // From a half to twice, mostly near 1, so that captions stay true of most images.
            Self::Camera => {
                let exponent = random.range(-1.0, 1.0);
                libm::exp2f(exponent * exponent.abs())
            }
        }
    }
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
    /// That of a dataset's image, by all its captions.
    pub fn of(image: &Captioned) -> Self {
        Self::named(image.captions.iter().chain(image.further.iter().map(|further| &further.caption)))
    }

    /// That of an image with these captions.
    fn named<'a>(captions: impl IntoIterator<Item = &'a String>) -> Self {
        let named = |word: String| word.split('-').any(|part| DIRECTIONS.split(' ').any(|direction| direction == part));
        let directed = captions.into_iter().flat_map(|caption| cssa::vocabulary::words(caption)).any(named);
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
    /// What the camera does to each image.
    cameras: Vec<Camera>,
}

impl Augmentation {
    /// The images of `other` after these.
    pub fn extend(&mut self, other: &Self) {
        self.maps.extend(&other.maps);
        self.colours.extend(&other.colours);
        self.cameras.extend(&other.cameras);
    }

    /// One more image, which stays as it is.
    pub fn keep(&mut self) {
        self.maps.extend([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        self.colours.extend([1.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
        self.cameras.push(Camera::default());
    }

    /// One more image, changed at random.
    pub fn draw(&mut self, kind: AugmentationKind, orientation: Orientation, random: &mut Random) {
        let free = orientation == Orientation::Free;
        let quarters = if free { random.below(4) } else { 0 };
        let mirror = if free && random.below(2) == 1 { -1.0 } else { 1.0 };
        let tilt = match kind {
            AugmentationKind::Camera if free => std::f32::consts::FRAC_PI_4,
            AugmentationKind::Camera | AugmentationKind::Image => TILT,
        };
        let angle = quarters as f32 * std::f32::consts::FRAC_PI_2 + random.range(-tilt, tilt);
        let side = kind.side(random);
        let (width, height) = (side * random.range(0.95, 1.0), side * random.range(0.95, 1.0));
        let mut shift = |extent: f32| {
            let most = (1.0 - extent).max(0.0);
            random.range(-most, most)
        };
        let (x, y) = (shift(width), shift(height));
        let (sine, cosine) = (libm::sinf(angle), libm::cosf(angle));
        self.maps.extend([cosine * width * mirror, -sine * width, x, sine * height * mirror, cosine * height, y]);
        let (brightness, contrast) =
            (1.0 + random.range(-BRIGHTNESS, BRIGHTNESS), 1.0 + random.range(-BRIGHTNESS, BRIGHTNESS));
        let cast = if kind == AugmentationKind::Camera { CAST } else { TINT };
        let factors = [0; 3].map(|_| brightness * (1.0 + random.range(-cast, cast)) * contrast);
        let (haze, camera) = match kind {
            AugmentationKind::Image => (Haze { factor: 1.0, summand: 0.0 }, Camera::default()),
            AugmentationKind::Camera => (Haze::draw(random), Camera::draw(random)),
        };
        self.colours.extend(factors.map(|factor| factor * haze.factor));
        self.colours.extend([128.0 * (1.0 - contrast) * haze.factor + haze.summand; 3]);
        self.cameras.push(camera);
    }

    /// Images `[b, 3, s, s]`, values 0 to 255, changed as drawn.
    pub fn apply(&self, images: &Tensor) -> Result<Tensor> {
        let tensor = |values: &[f32], shape: &[i64]| Tensor::from_slice(values).view(shape).to_device(images.device());
        let grid = Tensor::affine_grid_generator(&tensor(&self.maps, &[-1, 2, 3]), images.size(), false);
        let moved = camera::blurred(&images.grid_sampler(&grid, BILINEAR, REFLECT, false), &self.cameras);
        let colours = tensor(&self.colours, &[-1, 2, 3, 1, 1]);
        let shown = (moved * colours.select(1, 0) + colours.select(1, 1)).clamp(0.0, 255.0);
        camera::compressed(&shown, &self.cameras)
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
    fn kept_images_are_the_same() -> Result<()> {
        let mut kept = Augmentation::default();
        kept.keep();
        assert!((kept.apply(&ramp())? - ramp()).abs().max().double_value(&[]) < 1e-3);
        Ok(())
    }

    #[test]
    fn a_quarter_turn_moves_corners() -> Result<()> {
        let turned = Augmentation {
            maps: vec![0.0, -1.0, 0.0, 1.0, 0.0, 0.0],
            colours: vec![1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
            cameras: vec![Camera::default()],
        };
        let found = turned.apply(&ramp())?;
        let expected = ramp().rot90(1, [2, 3]);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-3);
        Ok(())
    }

    #[test]
    fn draws_are_repeatable_and_within_bounds() -> Result<()> {
        for kind in [AugmentationKind::Image, AugmentationKind::Camera] {
            let draw = |seed| {
                let mut drawn = Augmentation::default();
                drawn.draw(kind, Orientation::Free, &mut Random::keyed(&[seed]));
                drawn
            };
            assert_eq!(draw(1), draw(1));
            assert_ne!(draw(1), draw(2));
            for seed in 0..50 {
                let found = draw(seed).apply(&ramp())?;
                assert!(found.min().double_value(&[]) >= 0.0 && found.max().double_value(&[]) <= 255.0);
            }
        }
        Ok(())
    }

    /// What cameras do is drawn after the paper's, so that recipes of before have the same views as before.
    #[test]
    fn scales_are_those_of_the_kind() {
        let mut random = Random::new(3);
        let mut sides = |kind: AugmentationKind| -> Vec<f32> { (0..400).map(|_| kind.side(&mut random)).collect() };
        assert!(sides(AugmentationKind::Image).iter().all(|side| (SMALLEST_CROP..=1.0).contains(side)));
        let mut camera = sides(AugmentationKind::Camera);
        camera.sort_by(f32::total_cmp);
        assert!(camera[0] >= 0.5 && camera[399] <= 2.0 && (0.9..1.1).contains(&camera[200]), "{camera:?}");
        assert!(camera[20] < 0.7 && camera[380] > 1.4, "both ends are reached");
    }

    #[test]
    fn directions_in_captions_are_seen() {
        for caption in ["a road on the Left .", "the top-right corner .", "planes parked vertically"] {
            assert_eq!(Orientation::named(&[caption.into()]), Orientation::Kept, "{caption}");
        }
        assert_eq!(Orientation::named(&["a leftover field .".into()]), Orientation::Free);
    }
}
