//! A landscape: scenes side by side in one light, each fading into its neighbours, for what flies over more than one.

use super::canvas::{Colour, Exposure, SIDE, sun};
use super::picture::Picture;
use super::shape::Point;
use super::{Layout, airport, built, harbor, land, sport, water};
use cssa::random::Random;
use image::{Rgb, RgbImage};

/// Pixels from one scene to the next: neighbours share the rest of their 256.
pub const STEP: u32 = SIDE as u32 - FADE;
/// Pixels in which a scene fades into its neighbour.
const FADE: u32 = 24;

/// Kinds that look like part of something larger: no road or river that would end at their edge.
const LAYOUTS: [Layout; 9] = [
    land::farmland,
    land::forest,
    water::beach,
    water::pond,
    built::tanks,
    airport::airplanes,
    harbor::harbor,
    sport::tennis,
    sport::baseball,
];

/// A landscape in the making, scene by scene from left to right, row by row.
pub struct Landscape {
    image: RgbImage,
    seed: u64,
    columns: u32,
    rows: u32,
    shadow: Point,
    exposure: Exposure,
    /// Kinds of the scenes so far, as places in [`LAYOUTS`].
    kinds: Vec<usize>,
}

impl Landscape {
    /// An empty landscape of so many columns and rows of scenes, at least one of each; equal arguments give equal bytes.
    #[must_use]
    pub fn new(seed: u64, columns: u32, rows: u32) -> Self {
        let (columns, rows) = (columns.max(1), rows.max(1));
        let mut random = Random::keyed(&[seed, u64::MAX]);
        let (shadow, exposure) = (sun(&mut random), Exposure::new(&mut random));
        let image = RgbImage::new(columns * STEP + FADE, rows * STEP + FADE);
        Self { image, seed, columns, rows, shadow, exposure, kinds: Vec::new() }
    }

    /// Draws the next scene; false where there is none left.
    pub fn draw_next(&mut self) -> bool {
        let place = self.kinds.len();
        let columns = self.columns as usize;
        if place == columns * self.rows as usize {
            return false;
        }
        let mut random = Random::keyed(&[self.seed, u64::MAX, place as u64]);
        let kind = self.kind(place, &mut random);
        self.kinds.push(kind);
        let mut picture = Picture::new(random);
        picture.canvas.shadow = self.shadow;
        LAYOUTS[kind](&mut picture);
        let scene = picture.canvas.finish(self.exposure, &mut picture.random);
        self.lay(&scene, (place % columns) as u32 * STEP, (place / columns) as u32 * STEP);
        true
    }

    /// The landscape as it was drawn so far.
    #[must_use]
    pub fn into_image(self) -> RgbImage {
        self.image
    }

    /// Another kind than those to the left and above.
    fn kind(&self, place: usize, random: &mut Random) -> usize {
        let columns = self.columns as usize;
        let above = place.checked_sub(columns).map(|above| self.kinds[above]);
        let left = (!place.is_multiple_of(columns)).then(|| self.kinds[place - 1]);
        let others: Vec<usize> = (0..LAYOUTS.len()).filter(|&kind| Some(kind) != above && Some(kind) != left).collect();
        random.pick(&others)
    }

    /// Lays a scene over those to the left and above, which it shares a margin with.
    fn lay(&mut self, scene: &RgbImage, left: u32, top: u32) {
        for (x, y, pixel) in scene.enumerate_pixels() {
            let cover = fade(x, top + y, left) * fade(y, left + x, top);
            let here = self.image.get_pixel_mut(left + x, top + y);
            let colour: Colour = [0, 1, 2].map(|part| mixed(here[part], pixel[part], cover));
            *here = Rgb(colour.map(|part| part as u8));
        }
    }
}

fn mixed(under: u8, over: u8, cover: f32) -> f32 {
    f32::from(under) + (f32::from(over) - f32::from(under)) * cover + 0.5
}

/// How much of a scene covers its neighbour, so many pixels from the edge that they share, which is `seam` pixels from the landscape's and
/// wanders along its length.
fn fade(offset: u32, along: u32, seam: u32) -> f32 {
    if seam == 0 || offset >= FADE {
        return 1.0;
    }
    let (along, phase) = (along as f32, seam as f32);
    let middle =
        FADE as f32 / 2.0 + 4.5 * libm::sinf(along / 19.0 + phase) + 2.5 * libm::sinf(along / 7.3 + 3.0 * phase);
    let share = ((offset as f32 + 0.5 - middle) / 10.0 + 0.5).clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Landscape {
        let mut landscape = Landscape::new(seed, 3, 2);
        while landscape.draw_next() {}
        landscape
    }

    /// The mean step from a column to the next one, where scenes meet and elsewhere.
    fn roughness(image: &RgbImage, columns: impl Iterator<Item = u32>) -> f32 {
        let steps: Vec<f32> = columns
            .flat_map(|x| (0..image.height()).map(move |y| (x, y)))
            .map(|(x, y)| {
                let (one, other) = (image.get_pixel(x, y), image.get_pixel(x + 1, y));
                (0..3).map(|part| f32::from(one[part].abs_diff(other[part]))).sum()
            })
            .collect();
        steps.iter().sum::<f32>() / steps.len() as f32
    }

    #[test]
    fn a_landscape_is_one_piece_and_the_same_again() {
        let landscape = drawn(4);
        for (place, kind) in landscape.kinds.iter().enumerate() {
            assert!(place % 3 == 0 || landscape.kinds[place - 1] != *kind, "{:?}", landscape.kinds);
            assert!(place < 3 || landscape.kinds[place - 3] != *kind, "{:?}", landscape.kinds);
        }
        let image = landscape.into_image();
        assert_eq!(image.dimensions(), (3 * STEP + FADE, 2 * STEP + FADE));
        assert_eq!(image.as_raw(), drawn(4).into_image().as_raw());
        assert_ne!(image.as_raw(), drawn(5).into_image().as_raw());
        let everywhere = roughness(&image, 0..700);
        for x in STEP - 2..STEP + FADE + 2 {
            let here = roughness(&image, x..x + 1);
            assert!(here < 3.0 * everywhere, "{here} at column {x}, where scenes meet, {everywhere} everywhere");
        }
        assert!(!drawn(4).draw_next());
    }
}
