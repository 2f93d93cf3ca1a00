//! The drawing surface: anti-aliased fills with natural texture, shadows and a camera's finish.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};

use super::shape::{Point, Shape, at, length};
use cssa::random::{Random, scramble};

/// The width and the height of a scene.
pub(crate) const SIDE: usize = 256;

/// The side of the squares that a fill looks at as a whole before it looks at their pixels.
const BLOCK: usize = 8;

/// A colour with parts from 0 to 255.
pub(crate) type Colour = [f32; 3];

/// How a shape is filled.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    pub(crate) colour: Colour,
    /// The strength of fine grain.
    pub(crate) grain: f32,
    /// The strength of broad patches.
    pub(crate) mottle: f32,
    /// The strength of the raggedness of the edge in pixels.
    pub(crate) ragged: f32,
    /// The width of the edge's fade in pixels.
    pub(crate) soft: f32,
    pub(crate) opacity: f32,
    /// Stripes: the direction across them, their period and their strength.
    pub(crate) stripes: Option<(Point, f32, f32)>,
}

/// A smooth, clean paint.
pub(crate) const fn paint(colour: Colour) -> Paint {
    Paint { colour, grain: 4.0, mottle: 3.0, ragged: 0.0, soft: 1.0, opacity: 1.0, stripes: None }
}

/// A paint with texture and a ragged edge, as plants and soil have.
pub(crate) const fn natural(colour: Colour) -> Paint {
    Paint { grain: 11.0, mottle: 16.0, ragged: 2.0, soft: 1.6, ..paint(colour) }
}

/// A colour made lighter (above one) or darker (below one).
pub(crate) fn lit(colour: Colour, factor: f32) -> Colour {
    colour.map(|part| (part * factor).min(255.0))
}

/// What a camera and the air make of everything alike.
#[derive(Clone, Copy)]
pub(crate) struct Exposure {
    tint: [f32; 3],
    haze: f32,
    noise: f32,
}

impl Exposure {
    pub(crate) fn new(random: &mut Random) -> Self {
        let gain = random.range(0.88, 1.1);
        let tint = [0, 1, 2].map(|_| gain * random.range(0.97, 1.03));
        Self { tint, haze: random.range(0.0, 16.0), noise: random.range(1.0, 3.0) }
    }
}

/// The direction in which shadows fall, of length one.
pub(crate) fn sun(random: &mut Random) -> Point {
    let angle = random.range(0.0, TAU);
    at(libm::cosf(angle), libm::sinf(angle))
}

/// A picture that is being drawn.
pub(crate) struct Canvas {
    pixels: Vec<Colour>,
    fine: Vec<f32>,
    broad: Vec<f32>,
    /// The direction in which shadows fall, of length one.
    pub(crate) shadow: Point,
}

impl Canvas {
    /// An empty canvas with its own texture and its own sun.
    pub(crate) fn new(random: &mut Random) -> Self {
        let salt = random.between(0, 1 << 30) as u64;
        let shadow = sun(random);
        Self {
            pixels: vec![[0.0; 3]; SIDE * SIDE],
            fine: octaves(&[(128, 0.5), (64, 0.4), (256, 0.4)], salt),
            broad: octaves(&[(4, 0.5), (8, 0.4), (16, 0.3), (32, 0.2)], salt ^ 77),
            shadow,
        }
    }

    /// Fills a shape.
    pub(crate) fn fill(&mut self, shape: &Shape, paint: &Paint) {
        let margin = 2.0 * paint.ragged + paint.soft;
        let Some((low, high)) = clipped(shape, margin) else {
            return;
        };
        for top in (low.1..=high.1).step_by(BLOCK) {
            for left in (low.0..=high.0).step_by(BLOCK) {
                let half = BLOCK as f32 / 2.0;
                let near = shape.distance(at(left as f32 + half, top as f32 + half));
                let reach = margin + 1.5 * half;
                if near > reach {
                    continue;
                }
                let edge = (near > -reach).then_some(shape);
                for y in top..=high.1.min(top + BLOCK - 1) {
                    for x in left..=high.0.min(left + BLOCK - 1) {
                        self.dab(x, y, edge, paint);
                    }
                }
            }
        }
    }

    /// Paints one pixel, which is covered wholly where there is no edge near.
    fn dab(&mut self, x: usize, y: usize, edge: Option<&Shape>, paint: &Paint) {
        let here = at(x as f32 + 0.5, y as f32 + 0.5);
        let place = y * SIDE + x;
        let (fine, broad) = (self.fine[place], self.broad[place]);
        let share = edge.map_or(1.0, |shape| {
            let distance = shape.distance(here) + paint.ragged * (fine + 1.5 * broad);
            (0.5 - distance / paint.soft).clamp(0.0, 1.0)
        });
        let cover = share * paint.opacity;
        if cover > 0.0 {
            let mut light = paint.grain * fine + paint.mottle * broad;
            if let Some((across, period, strength)) = paint.stripes {
                let phase = (here.x * across.x + here.y * across.y) / period;
                light += strength * triangle(phase);
            }
            blend(&mut self.pixels[place], paint.colour, light, cover);
        }
    }

    /// Draws the shadow that a shape of a given height throws on the ground.
    pub(crate) fn shade(&mut self, shape: &Shape, height: f32) {
        let steps = (height / 2.0) as usize + 1;
        let step = height / steps as f32;
        let offset = at(self.shadow.x * height, self.shadow.y * height);
        let Some((low, high)) = clipped(shape, height + 2.0) else {
            return;
        };
        for y in low.1..=high.1 {
            for x in low.0..=high.0 {
                let mut nearest = f32::MAX;
                for index in 0..=steps {
                    let back = step * index as f32 / height.max(0.01);
                    let here = at(x as f32 + 0.5 - offset.x * back, y as f32 + 0.5 - offset.y * back);
                    nearest = nearest.min(shape.distance(here));
                }
                let cover = (0.5 - nearest / 1.6).clamp(0.0, 1.0);
                let pixel = &mut self.pixels[y * SIDE + x];
                for (part, tone) in pixel.iter_mut().zip([0.42, 0.46, 0.54]) {
                    *part *= 1.0 - cover * (1.0 - tone);
                }
            }
        }
    }

    /// How strongly a slope that faces a direction is lit, near one.
    pub(crate) fn slope_light(&self, facing: Point) -> f32 {
        1.0 - 0.2 * (facing.x * self.shadow.x + facing.y * self.shadow.y)
    }

    /// The picture as a camera sees it: blurred a little, tinted, hazy and noisy.
    pub(crate) fn finish(&self, exposure: Exposure, random: &mut Random) -> RgbImage {
        let Exposure { tint, haze, noise } = exposure;
        let mut image = RgbImage::new(SIDE as u32, SIDE as u32);
        for (place, pixel) in image.pixels_mut().enumerate() {
            let (x, y) = (place % SIDE, place / SIDE);
            let mut colour = [0.0; 3];
            for (near_x, near_y, weight) in neighbours(x, y) {
                for (part, near) in colour.iter_mut().zip(self.pixels[near_y * SIDE + near_x]) {
                    *part += weight * near;
                }
            }
            let grey = noise * random.bell();
            let mut bytes = [0; 3];
            for (index, byte) in bytes.iter_mut().enumerate() {
                let value = colour[index] * tint[index] * (1.0 - haze / 255.0) + haze;
                *byte = (value + grey + 0.4 * noise * random.bell()).clamp(0.0, 255.0) as u8;
            }
            *pixel = Rgb(bytes);
        }
        image
    }
}

fn neighbours(x: usize, y: usize) -> [(usize, usize, f32); 5] {
    let last = SIDE - 1;
    [
        (x, y, 0.64),
        (x.saturating_sub(1), y, 0.09),
        ((x + 1).min(last), y, 0.09),
        (x, y.saturating_sub(1), 0.09),
        (x, (y + 1).min(last), 0.09),
    ]
}

fn clipped(shape: &Shape, margin: f32) -> Option<((usize, usize), (usize, usize))> {
    let (low, high) = shape.bounds();
    let top = SIDE as f32 - 1.0;
    let outside = high.x + margin < 0.0 || high.y + margin < 0.0;
    if outside || low.x - margin > top || low.y - margin > top {
        return None;
    }
    let whole = |value: f32| value.clamp(0.0, top) as usize;
    Some(((whole(low.x - margin), whole(low.y - margin)), (whole(high.x + margin + 1.0), whole(high.y + margin + 1.0))))
}

fn blend(pixel: &mut Colour, colour: Colour, light: f32, cover: f32) {
    let factor = 1.0 + light / 128.0;
    for (part, goal) in pixel.iter_mut().zip(colour) {
        *part += ((goal * factor).clamp(0.0, 255.0) - *part) * cover;
    }
}

fn triangle(phase: f32) -> f32 {
    let part = phase - libm::floorf(phase);
    (part * 2.0 - 1.0).abs() * 2.0 - 1.0
}

fn octaves(layers: &[(usize, f32)], salt: u64) -> Vec<f32> {
    let mut field = vec![0.0; SIDE * SIDE];
    for &(cells, strength) in layers {
        let lattice: Vec<f32> = (0..cells * cells)
            .map(|place| {
                let bits = scramble(salt ^ (((place + cells * cells) as u64) << 20));
                (bits >> 40) as f32 / 8_388_608.0 - 1.0
            })
            .collect();
        add_layer(&mut field, &lattice, cells, strength);
    }
    field
}

fn add_layer(field: &mut [f32], lattice: &[f32], cells: usize, strength: f32) {
    let size = SIDE / cells;
    let smooth = |offset: usize| {
        let share = offset as f32 / size as f32;
        share * share * (3.0 - 2.0 * share)
    };
    for (place, value) in field.iter_mut().enumerate() {
        let (x, y) = (place % SIDE, place / SIDE);
        let (left, top) = (x / size, y / size);
        let (right, bottom) = ((left + 1) % cells, (top + 1) % cells);
        let (across, down) = (smooth(x % size), smooth(y % size));
        let node = |column: usize, row: usize| lattice[row * cells + column];
        let upper = node(left, top) + (node(right, top) - node(left, top)) * across;
        let lower = node(left, bottom) + (node(right, bottom) - node(left, bottom)) * across;
        *value += strength * (upper + (lower - upper) * down);
    }
}

/// The unit direction from one point to another.
pub(crate) fn direction(from: Point, to: Point) -> Point {
    let size = length(to.x - from.x, to.y - from.y).max(1e-3);
    at((to.x - from.x) / size, (to.y - from.y) / size)
}
