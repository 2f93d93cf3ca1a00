//! Points and plane shapes, each known by its signed distance.

/// A position in pixels; x grows to the right and y grows downwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

/// A shorthand for a point.
pub(crate) const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Point {
    /// This point moved by an offset.
    pub(crate) fn plus(self, x: f32, y: f32) -> Self {
        at(self.x + x, self.y + y)
    }

    /// The distance to another point.
    pub(crate) fn distance(self, other: Self) -> f32 {
        length(self.x - other.x, self.y - other.y)
    }

    /// The point that lies `share` of the way to another one.
    pub(crate) fn towards(self, other: Self, share: f32) -> Self {
        self.plus((other.x - self.x) * share, (other.y - self.y) * share)
    }
}

/// The length of a vector.
pub(crate) fn length(x: f32, y: f32) -> f32 {
    libm::sqrtf(x * x + y * y)
}

/// A place and a heading: maps an object's own coordinates to the picture.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) centre: Point,
    cos: f32,
    sin: f32,
    pub(crate) scale: f32,
}

impl Frame {
    /// A frame at a centre, turned by an angle in radians.
    pub(crate) fn new(centre: Point, angle: f32) -> Self {
        Self { centre, cos: libm::cosf(angle), sin: libm::sinf(angle), scale: 1.0 }
    }

    /// The picture's point for the object's own coordinates.
    pub(crate) fn point(&self, x: f32, y: f32) -> Point {
        let (x, y) = (x * self.scale, y * self.scale);
        self.centre.plus(x * self.cos - y * self.sin, x * self.sin + y * self.cos)
    }

    /// A frame at the object's own coordinates with the same heading.
    pub(crate) fn shifted(&self, x: f32, y: f32) -> Self {
        Self { centre: self.point(x, y), ..*self }
    }

    /// The same frame with the object's own coordinates enlarged.
    pub(crate) fn scaled(&self, scale: f32) -> Self {
        Self { scale, ..*self }
    }

    /// The picture's direction of the object's own x axis.
    pub(crate) fn heading(&self) -> Point {
        at(self.cos, self.sin)
    }

    /// A rectangle around the frame's centre.
    pub(crate) fn rectangle(&self, half_width: f32, half_height: f32) -> Shape {
        self.polygon(&[
            (-half_width, -half_height),
            (half_width, -half_height),
            (half_width, half_height),
            (-half_width, half_height),
        ])
    }

    /// A polygon given in the object's own coordinates.
    pub(crate) fn polygon(&self, corners: &[(f32, f32)]) -> Shape {
        Shape::Polygon(corners.iter().map(|&(x, y)| self.point(x, y)).collect())
    }

    /// A line given in the object's own coordinates.
    pub(crate) fn line(&self, from: (f32, f32), to: (f32, f32), half_width: f32) -> Shape {
        let ends = vec![self.point(from.0, from.1), self.point(to.0, to.1)];
        Shape::Stroke(ends, half_width)
    }
}

/// A plane shape.
#[derive(Clone)]
pub(crate) enum Shape {
    /// The whole picture.
    Everything,
    /// A disc: centre and radius.
    Disc(Point, f32),
    /// A filled polygon.
    Polygon(Vec<Point>),
    /// A line through points with a half width.
    Stroke(Vec<Point>, f32),
    /// The edge of another shape with a half width.
    Outline(Box<Shape>, f32),
}

impl Shape {
    /// The edge of this shape, drawn with a half width.
    pub(crate) fn outline(&self, half_width: f32) -> Self {
        Self::Outline(Box::new(self.clone()), half_width)
    }

    /// A round blob whose radius wanders, with one number in [-1, 1] for each wave.
    pub(crate) fn blob(centre: Point, half: Point, waves: [f32; 4]) -> Self {
        let corner = |step: i32| {
            let angle = step as f32 * 0.261_799_4;
            let swell = 1.0
                + 0.13 * waves[0] * libm::sinf(2.0 * angle + 3.0 * waves[1])
                + 0.10 * waves[1] * libm::sinf(3.0 * angle + 3.0 * waves[2])
                + 0.05 * waves[2] * libm::sinf(5.0 * angle + 3.0 * waves[3]);
            centre.plus(half.x * swell * libm::cosf(angle), half.y * swell * libm::sinf(angle))
        };
        Self::Polygon((0..24).map(corner).collect())
    }

    /// The signed distance from a point to the edge, negative inside.
    pub(crate) fn distance(&self, point: Point) -> f32 {
        match self {
            Self::Everything => -1000.0,
            Self::Disc(centre, radius) => point.distance(*centre) - radius,
            Self::Polygon(corners) => polygon_distance(corners, point),
            Self::Stroke(points, half) => {
                let pairs = points.windows(2);
                let nearest = pairs.map(|pair| segment_square(pair[0], pair[1], point));
                libm::sqrtf(nearest.fold(f32::MAX, f32::min)) - half
            }
            Self::Outline(inner, half) => inner.distance(point).abs() - half,
        }
    }

    /// The corners of a box that holds the shape.
    pub(crate) fn bounds(&self) -> (Point, Point) {
        match self {
            Self::Everything => (at(-1.0, -1.0), at(1000.0, 1000.0)),
            Self::Disc(centre, radius) => (centre.plus(-radius, -radius), centre.plus(*radius, *radius)),
            Self::Polygon(points) => grown(points, 0.0),
            Self::Stroke(points, half) => grown(points, *half),
            Self::Outline(inner, half) => {
                let (low, high) = inner.bounds();
                (low.plus(-half, -half), high.plus(*half, *half))
            }
        }
    }
}

fn grown(points: &[Point], margin: f32) -> (Point, Point) {
    let mut low = at(f32::MAX, f32::MAX);
    let mut high = at(f32::MIN, f32::MIN);
    for point in points {
        low = at(low.x.min(point.x), low.y.min(point.y));
        high = at(high.x.max(point.x), high.y.max(point.y));
    }
    (low.plus(-margin, -margin), high.plus(margin, margin))
}

/// The squared distance from a point to a segment.
fn segment_square(from: Point, to: Point, point: Point) -> f32 {
    let (along_x, along_y) = (to.x - from.x, to.y - from.y);
    let (x, y) = (point.x - from.x, point.y - from.y);
    let squared = (along_x * along_x + along_y * along_y).max(1e-6);
    let share = ((x * along_x + y * along_y) / squared).clamp(0.0, 1.0);
    let (x, y) = (x - along_x * share, y - along_y * share);
    x * x + y * y
}

fn polygon_distance(corners: &[Point], point: Point) -> f32 {
    let Some(&last) = corners.last() else {
        return f32::MAX;
    };
    let mut nearest = f32::MAX;
    let mut inside = false;
    let mut from = last;
    for &to in corners {
        nearest = nearest.min(segment_square(from, to, point));
        if (from.y > point.y) != (to.y > point.y) {
            let crossing = from.x + (to.x - from.x) * (point.y - from.y) / (to.y - from.y);
            inside ^= point.x < crossing;
        }
        from = to;
    }
    let distance = libm::sqrtf(nearest);
    if inside { -distance } else { distance }
}
