//! Scenes of roads and intersections with cars.

use std::f32::consts::PI;

use super::canvas::{Paint, paint};
use super::captions::{Story, count_word};
use super::nature::{car, dashes, greenery, road, road_surface};
use super::objects::house;
use super::picture::{Kind, Picture};
use super::shape::{Frame, Point, Shape, at};

const ROOF: [f32; 3] = [146.0, 112.0, 94.0];

/// Draws up to `wanted` cars in the lanes of a straight road and records them.
pub(crate) fn cars_along(picture: &mut Picture, from: Point, to: Point, lanes: &[f32], wanted: usize) {
    let turn = libm::atan2f(to.y - from.y, to.x - from.x);
    let size = from.distance(to);
    let mut slots: Vec<(f32, f32)> = Vec::new();
    for &lane in lanes {
        for slot in 0..(size / 18.0) as usize {
            slots.push((18.0 * slot as f32 + 9.0, lane));
        }
    }
    picture.random.shuffle(&mut slots);
    let mut drawn = 0;
    for (along, lane) in slots {
        let jitter = picture.random.range(-3.5, 3.5);
        let base = Frame::new(from.towards(to, (along + jitter) / size), turn).shifted(0.0, lane);
        let Point { x, y } = base.centre;
        let inside = (7.0..249.0).contains(&x) && (7.0..249.0).contains(&y);
        if drawn < wanted && inside {
            let heading = if lane < 0.0 { turn } else { turn + PI };
            car(picture, &Frame::new(base.centre, heading));
            picture.record(Kind::Car, base.centre);
            drawn += 1;
        }
    }
}

/// Draws some houses on free ground and notes them for the captions.
pub(crate) fn some_houses(picture: &mut Picture) {
    let wanted = picture.random.pick(&[0, 0, 3, 5]);
    let spots = picture.scatter(wanted, 19.0);
    for spot in &spots {
        house(picture, spot, 13.0, 9.0, ROOF);
        picture.record(Kind::House, spot.centre);
        picture.reserve(&spot.rectangle(13.0, 9.0), 5.0);
    }
    if spots.len() > 2 {
        picture.near.push("some houses");
    }
}

/// A straight road with cars.
pub(crate) fn road_with_cars(picture: &mut Picture) -> Story {
    picture.land();
    let offset = picture.random.range(50.0, 206.0);
    let slant = picture.random.range(-10.0, 10.0);
    let lanes = picture.random.pick(&[1.0, 2.0]);
    let (from, to, way) = match picture.random.between(0, 3) {
        0 => (at(-20.0, offset), at(276.0, offset + slant), "from left to right"),
        1 => (at(offset, -20.0), at(offset + slant, 276.0), "from top to bottom"),
        2 => {
            (at(-20.0, -20.0 + slant), at(276.0, 276.0 - slant), "from the top left corner to the bottom right corner")
        }
        _ => {
            (at(-20.0, 276.0 + slant), at(276.0, -20.0 - slant), "from the bottom left corner to the top right corner")
        }
    };
    let half = 8.5 * lanes;
    road(picture, &[from, to], half);
    let rows: Vec<f32> = if lanes > 1.5 { vec![-12.5, -4.5, 4.5, 12.5] } else { vec![-4.2, 4.2] };
    picture.record(Kind::Road, from.towards(to, 0.5));
    let wanted = picture.random.between(1, 13);
    cars_along(picture, from, to, &rows, wanted);
    some_houses(picture);
    greenery(picture);
    Story {
        category: "road",
        counted: Kind::Car,
        noun: ("car", "cars"),
        located: Kind::Road,
        facts: vec![("way", way.to_owned())],
        templates: &[
            "there {are} {count} {noun} on the straight road",
            "{count} {noun} {are} on the road {way}",
            "we can see {count} {noun} on the road",
            "a straight road {place} with {count} {noun} on it",
            "the straight road goes {way}",
            "a road is {place} and {near} can be seen",
            "there is a straight road {place} of the picture",
            "there is a road with {count} {noun} near {near}",
            "a road with lawn on both sides goes {way}",
        ],
    }
}

/// Two roads that cross or meet.
pub(crate) fn intersection(picture: &mut Picture) -> Story {
    picture.land();
    let centre = at(picture.random.range(60.0, 196.0), picture.random.range(60.0, 196.0));
    let frame = Frame::new(centre, picture.random.range(-0.2, 0.2));
    let half = picture.random.range(9.0, 13.0);
    let mut arms = vec![(320.0, 0.0), (0.0, 320.0), (-320.0, 0.0), (0.0, -320.0)];
    picture.random.shuffle(&mut arms);
    arms.truncate(picture.random.pick(&[3, 4, 4]));
    let surface = picture.asphalt();
    for &(x, y) in &arms {
        road_surface(picture, &[centre, frame.point(x, y)], half, surface);
    }
    for &(x, y) in &arms {
        let end = frame.point(x, y);
        picture.canvas.fill(&Shape::Stroke(vec![centre, end], half), &surface);
        picture.reserve(&Shape::Stroke(vec![centre, end], half), 4.0);
        let start = centre.towards(end, (half + 16.0) / 320.0);
        dashes(picture, &[start, end], 0.6);
        crossing(picture, &Frame::new(centre, libm::atan2f(end.y - centre.y, end.x - centre.x)), half);
    }
    picture.record(Kind::Road, centre);
    let mut left = picture.random.between(0, 10);
    for &(x, y) in &arms {
        let end = frame.point(x, y);
        let share = picture.random.between(0, left.min(4));
        let start = centre.towards(end, (half + 18.0) / 320.0);
        cars_along(picture, start, end, &[-half / 2.0, half / 2.0], share);
        left -= share;
    }
    some_houses(picture);
    greenery(picture);
    Story {
        category: "intersection",
        counted: Kind::Car,
        noun: ("car", "cars"),
        located: Kind::Road,
        facts: vec![("arms", count_word(arms.len()).to_owned())],
        templates: &[
            "there {are} {count} {noun} at the intersection",
            "{count} {noun} {are} on the road at the intersection",
            "an intersection with {count} {noun} is {place}",
            "the intersection is {place} of the picture",
            "there is an intersection {place} and {near} can be seen",
            "an intersection of {arms} roads with white lines",
            "{arms} roads meet {place} of the picture",
            "there is an intersection with lawn around it",
            "the intersection with {arms} roads is near {near}",
            "we can see {arms} roads at the intersection",
        ],
    }
}

fn crossing(picture: &mut Picture, arm: &Frame, half: f32) {
    let white = Paint { opacity: 0.8, ..paint([228.0, 226.0, 218.0]) };
    let bars = (half / 3.0) as i32;
    for bar in -bars..=bars {
        let y = bar as f32 * 2.8;
        if y.abs() < half - 1.0 {
            picture.canvas.fill(&arm.line((half + 5.0, y), (half + 10.0, y), 0.7), &white);
        }
    }
}
