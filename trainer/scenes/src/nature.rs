//! Trees, water, roads and the lesser things around the main objects.

use super::canvas::{Colour, Paint, lit, natural, paint};
use super::picture::{Kind, Picture};
use super::shape::{Frame, Point, Shape, at};

/// The paint of water.
pub(crate) fn water(picture: &mut Picture) -> Paint {
    let colours = [[58.0, 82.0, 88.0], [52.0, 74.0, 96.0], [78.0, 96.0, 82.0], [46.0, 66.0, 72.0]];
    let colour = picture.random.pick(&colours);
    Paint { grain: 4.0, mottle: 8.0, ..paint(colour) }
}

/// Draws a body of water with a wet bank.
pub(crate) fn pool(picture: &mut Picture, shape: &Shape) {
    let fill = water(picture);
    let bank = natural([128.0, 120.0, 92.0]);
    picture.canvas.fill(&Shape::Outline(Box::new(shape.clone()), 2.5), &bank);
    let ragged = Paint { ragged: 1.5, soft: 1.8, ..fill };
    picture.canvas.fill(shape, &ragged);
    let deep = Paint { opacity: 0.35, soft: 14.0, colour: lit(fill.colour, 0.75), ..ragged };
    picture.canvas.fill(shape, &deep);
}

/// Draws one tree.
pub(crate) fn tree(picture: &mut Picture, centre: Point, radius: f32) {
    let greens: [Colour; 4] = [[50.0, 76.0, 40.0], [58.0, 84.0, 46.0], [44.0, 68.0, 42.0], [70.0, 90.0, 48.0]];
    let colour = lit(picture.random.pick(&greens), picture.random.range(0.85, 1.15));
    let shadow = picture.canvas.shadow;
    picture.canvas.shade(&Shape::Disc(centre, radius * 0.9), radius * 0.9);
    let crown = Paint { grain: 24.0, ragged: 1.6, ..natural(colour) };
    picture.canvas.fill(&Shape::Disc(centre, radius), &crown);
    for size in [0.62, 0.34] {
        let back = -(1.0 - size) * radius * 0.75;
        let lighter = Paint { colour: lit(colour, 1.65 - 0.5 * size), soft: 2.6, opacity: 0.6, ..crown };
        let spot = centre.plus(shadow.x * back, shadow.y * back);
        picture.canvas.fill(&Shape::Disc(spot, radius * size), &lighter);
    }
}

/// Draws up to `wanted` trees in clumps on free ground and returns how many there are.
pub(crate) fn trees(picture: &mut Picture, wanted: usize) -> usize {
    let mut drawn = 0;
    let mut heart = at(128.0, 128.0);
    for attempt in 0..wanted * 4 {
        if attempt % 7 == 0 {
            heart = at(picture.random.range(-5.0, 261.0), picture.random.range(-5.0, 261.0));
        }
        let centre = heart.plus(picture.random.bell() * 17.0, picture.random.bell() * 17.0);
        let radius = picture.random.range(3.0, 7.5);
        if picture.is_clear(&Shape::Disc(centre, radius + 2.0)) {
            tree(picture, centre, radius);
            drawn += 1;
        }
        if drawn == wanted {
            break;
        }
    }
    drawn
}

/// Draws some or many trees, or none, and notes them for the captions.
pub(crate) fn greenery(picture: &mut Picture) {
    let wanted = picture.random.pick(&[0, 14, 22, 70, 110]);
    let drawn = trees(picture, wanted);
    if drawn >= 45 {
        picture.near.push("many green trees");
    } else if (6..30).contains(&drawn) {
        picture.near.push("some green trees");
    }
}

/// Draws a road through points, with kerbs and a broken middle line, and takes its ground.
pub(crate) fn road(picture: &mut Picture, points: &[Point], half: f32) {
    let surface = picture.asphalt();
    road_surface(picture, points, half, surface);
    dashes(picture, points, 0.6);
    picture.reserve(&Shape::Stroke(points.to_vec(), half), 3.0);
}

/// Draws the bare surface of a road with its verges.
pub(crate) fn road_surface(picture: &mut Picture, points: &[Point], half: f32, surface: Paint) {
    let verge = natural([150.0, 142.0, 118.0]);
    picture.canvas.fill(&Shape::Stroke(points.to_vec(), half + 2.0), &verge);
    picture.canvas.fill(&Shape::Stroke(points.to_vec(), half), &surface);
}

/// Draws white dashes along a line through points.
pub(crate) fn dashes(picture: &mut Picture, points: &[Point], half: f32) {
    let white = Paint { opacity: 0.75, ..paint([226.0, 224.0, 214.0]) };
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        let size = from.distance(to).max(1.0);
        let parts = (size / 10.0) as usize;
        for part in 0..parts {
            let start = from.towards(to, part as f32 / parts as f32);
            let end = from.towards(to, (part as f32 + 0.5) / parts as f32);
            picture.canvas.fill(&Shape::Stroke(vec![start, end], half), &white);
        }
    }
}

/// Draws one car that points along the frame's x axis.
pub(crate) fn car(picture: &mut Picture, frame: &Frame) {
    let colours: [Colour; 8] = [
        [228.0, 228.0, 226.0],
        [216.0, 218.0, 220.0],
        [170.0, 174.0, 178.0],
        [52.0, 54.0, 60.0],
        [150.0, 44.0, 40.0],
        [58.0, 76.0, 122.0],
        [196.0, 190.0, 170.0],
        [236.0, 236.0, 234.0],
    ];
    let colour = picture.random.pick(&colours);
    let body = frame.polygon(&[
        (-4.6, -1.8),
        (-4.0, -2.2),
        (3.6, -2.2),
        (4.6, -1.5),
        (4.6, 1.5),
        (3.6, 2.2),
        (-4.0, 2.2),
        (-4.6, 1.8),
    ]);
    picture.canvas.shade(&body, 1.6);
    picture.canvas.fill(&body, &paint(colour));
    let glass = paint([48.0, 56.0, 64.0]);
    picture.canvas.fill(&frame.shifted(1.4, 0.0).rectangle(0.7, 1.6), &glass);
    picture.canvas.fill(&frame.shifted(-3.0, 0.0).rectangle(0.5, 1.5), &glass);
}

/// Draws a lesser object (a road, a pond or a lawn) at one side, or nothing.
pub(crate) fn surroundings(picture: &mut Picture) {
    match picture.random.between(0, 4) {
        0 | 1 => side_road(picture),
        2 => corner_pond(picture),
        _ => {}
    }
}

/// Draws a road along one side of the picture.
pub(crate) fn side_road(picture: &mut Picture) {
    let offset = picture.random.range(16.0, 34.0);
    let offset = if picture.random.chance(0.5) { offset } else { 256.0 - offset };
    let slant = picture.random.range(-6.0, 6.0);
    let (from, to) = if picture.random.chance(0.5) {
        (at(-20.0, offset), at(276.0, offset + slant))
    } else {
        (at(offset, -20.0), at(offset + slant, 276.0))
    };
    let half = picture.random.range(6.0, 10.0);
    road(picture, &[from, to], half);
    picture.record(Kind::Extra, from.towards(to, 0.5));
    picture.near.push("a road");
    picture.extra = Some("a road");
}

/// Draws a pond in one corner of the picture.
pub(crate) fn corner_pond(picture: &mut Picture) {
    let half = at(picture.random.range(22.0, 36.0), picture.random.range(20.0, 34.0));
    let mut side = |reach: f32| {
        let offset = reach + picture.random.range(6.0, 14.0);
        if picture.random.chance(0.5) { offset } else { 256.0 - offset }
    };
    let centre = at(side(half.x), side(half.y));
    let waves = [(); 4].map(|()| picture.random.range(-1.0, 1.0));
    let shape = Shape::blob(centre, half, waves);
    pool(picture, &shape);
    picture.reserve(&shape, 6.0);
    picture.record(Kind::Extra, centre);
    picture.near.push("a pond");
    picture.extra = Some("a pond");
}
