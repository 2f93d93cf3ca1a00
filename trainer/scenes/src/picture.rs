//! A scene in the making: the canvas, the list of what was drawn, and the ground that is taken.

use std::f32::consts::TAU;

use super::canvas::{Canvas, Paint, SIDE, lit, natural, paint};
use super::shape::{Frame, Point, Shape, at};
use cssa::random::Random;

/// A kind of object that captions may count or locate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Airplane,
    BaseballDiamond,
    BasketballCourt,
    Boat,
    Bridge,
    Building,
    Car,
    Extra,
    Farmland,
    House,
    ParkingLot,
    Pier,
    Playground,
    Pond,
    Road,
    Roundabout,
    Runway,
    Sea,
    Tank,
    TennisCourt,
}

/// One object that was drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed {
    pub(crate) kind: Kind,
    pub(crate) centre: Point,
}

/// A picture, with its layout kept as data.
pub(crate) struct Picture {
    pub(crate) canvas: Canvas,
    pub(crate) random: Random,
    pub(crate) placed: Vec<Placed>,
    /// What stands near the main objects, as noun phrases.
    pub(crate) near: Vec<&'static str>,
    /// The noun phrase of the one lesser object that has a position of its own.
    pub(crate) extra: Option<&'static str>,
    taken: Vec<bool>,
}

impl Picture {
    /// An empty picture.
    pub(crate) fn new(mut random: Random) -> Self {
        Self {
            canvas: Canvas::new(&mut random),
            random,
            placed: Vec::new(),
            near: Vec::new(),
            extra: None,
            taken: vec![false; SIDE * SIDE],
        }
    }

    /// Notes an object that has been drawn.
    pub(crate) fn record(&mut self, kind: Kind, centre: Point) {
        self.placed.push(Placed { kind, centre });
    }

    /// The centres of all objects of a kind.
    pub(crate) fn centres(&self, kind: Kind) -> Vec<Point> {
        let same = self.placed.iter().filter(|placed| placed.kind == kind);
        same.map(|placed| placed.centre).collect()
    }

    /// Covers the whole ground.
    pub(crate) fn ground(&mut self, ground: Paint) {
        self.canvas.fill(&Shape::Everything, &ground);
    }

    /// Covers the whole ground with grass or with dry soil .
    pub(crate) fn land(&mut self) {
        let colours = [[92.0, 118.0, 64.0], [76.0, 108.0, 58.0], [104.0, 126.0, 70.0], [94.0, 118.0, 72.0]];
        let ground = natural(lit(self.random.pick(&colours), self.random_tone()));
        self.ground(ground);
        self.patches(ground);
    }

    fn patches(&mut self, ground: Paint) {
        for _ in 0..self.random.between(2, 7) {
            let centre = at(self.random.range(0.0, 256.0), self.random.range(0.0, 256.0));
            let half = at(self.random.range(15.0, 70.0), self.random.range(15.0, 60.0));
            let waves = [(); 4].map(|()| self.random.range(-1.0, 1.0));
            let [red, green, blue] = ground.colour;
            let dry = self.random.range(0.94, 1.2);
            let patch = Paint {
                colour: [red * dry * 1.04, green * dry, blue * dry * 0.96],
                opacity: self.random.range(0.2, 0.6),
                ragged: 9.0,
                soft: 14.0,
                ..ground
            };
            self.canvas.fill(&Shape::blob(centre, half, waves), &patch);
        }
    }

    fn random_tone(&mut self) -> f32 {
        self.random.range(0.9, 1.12)
    }

    /// Covers the whole ground with concrete.
    pub(crate) fn concrete(&mut self) {
        let colours = [[172.0, 168.0, 158.0], [150.0, 150.0, 148.0], [174.0, 168.0, 154.0]];
        let colour = lit(self.random.pick(&colours), self.random_tone());
        self.ground(Paint { grain: 6.0, mottle: 9.0, ..paint(colour) });
    }

    /// The paint of a road's surface.
    pub(crate) fn asphalt(&mut self) -> Paint {
        let colours = [[104.0, 104.0, 106.0], [126.0, 124.0, 120.0], [142.0, 140.0, 136.0]];
        let colour = self.random.pick(&colours);
        Paint { grain: 5.0, mottle: 6.0, ..paint(colour) }
    }

    /// Marks the ground under a shape as taken.
    pub(crate) fn reserve(&mut self, shape: &Shape, margin: f32) {
        let (low, high) = shape.bounds();
        let limit = |value: f32| value.clamp(0.0, SIDE as f32 - 1.0) as usize;
        for y in limit(low.y - margin)..=limit(high.y + margin) {
            for x in limit(low.x - margin)..=limit(high.x + margin) {
                let here = at(x as f32 + 0.5, y as f32 + 0.5);
                let taken = &mut self.taken[y * SIDE + x];
                *taken |= shape.distance(here) < margin;
            }
        }
    }

    /// True when a shape lies inside the picture on ground that is not taken.
    pub(crate) fn is_free(&self, shape: &Shape) -> bool {
        let (low, high) = shape.bounds();
        let edge = SIDE as f32;
        low.x >= 0.0 && low.y >= 0.0 && high.x <= edge && high.y <= edge && self.is_clear(shape)
    }

    /// True when no ground under a shape is taken; the shape may reach out of the picture.
    pub(crate) fn is_clear(&self, shape: &Shape) -> bool {
        let (low, high) = shape.bounds();
        let limit = |value: f32| value.clamp(0.0, SIDE as f32 - 1.0) as usize;
        for y in (limit(low.y)..=limit(high.y)).step_by(2) {
            for x in (limit(low.x)..=limit(high.x)).step_by(2) {
                let here = at(x as f32 + 0.5, y as f32 + 0.5);
                if self.taken[y * SIDE + x] && shape.distance(here) < 0.5 {
                    return false;
                }
            }
        }
        true
    }

    /// Finds free frames for at most `wanted` objects of one size, in tidy rows and columns.
    pub(crate) fn grid(&mut self, wanted: usize, cell: Point, turned: bool) -> Vec<Frame> {
        for attempt in 0..400 {
            let count = wanted.saturating_sub(attempt / 25).max(1);
            let columns = self.random.between(1, count.min(5));
            let rows = count.div_ceil(columns);
            let angle = if turned { self.random.range(-0.4, 0.4) } else { 0.0 };
            let centre = at(self.random.range(20.0, 236.0), self.random.range(20.0, 236.0));
            let block = Frame::new(centre, angle);
            let frames: Vec<Frame> = (0..count)
                .map(|index| {
                    let (column, row) = (index % columns, index / columns);
                    let x = (column as f32 - (columns as f32 - 1.0) / 2.0) * cell.x;
                    let y = (row as f32 - (rows as f32 - 1.0) / 2.0) * cell.y;
                    block.shifted(x, y)
                })
                .collect();
            let fits = |frame: &Frame| self.is_free(&frame.rectangle(cell.x / 2.0, cell.y / 2.0));
            if frames.iter().all(fits) {
                return frames;
            }
        }
        Vec::new()
    }

    /// Finds free frames for at most `wanted` objects anywhere, each with a circle of its own.
    pub(crate) fn scatter(&mut self, wanted: usize, radius: f32) -> Vec<Frame> {
        let mut frames: Vec<Frame> = Vec::new();
        for _ in 0..wanted * 30 {
            let limit = SIDE as f32 - radius;
            let centre = at(self.random.range(radius, limit), self.random.range(radius, limit));
            let apart = frames.iter().all(|frame| frame.centre.distance(centre) > 2.0 * radius);
            if apart && self.is_free(&Shape::Disc(centre, radius)) {
                let angle = self.random.range(0.0, TAU);
                frames.push(Frame::new(centre, angle));
            }
            if frames.len() == wanted {
                break;
            }
        }
        frames
    }
}
