//! Scenes of roundabouts and parking lots.

use std::f32::consts::TAU;

use super::canvas::{Paint, natural, paint};
use super::captions::{Story, count_word};
use super::nature::{car, dashes, greenery, road_surface, surroundings};
use super::picture::{Kind, Picture};
use super::roads::{cars_along, some_houses};
use super::shape::{Frame, Point, Shape, at};

/// A roundabout with a green island.
pub(crate) fn roundabout(picture: &mut Picture) -> Story {
    picture.land();
    let centre = at(picture.random.range(90.0, 166.0), picture.random.range(90.0, 166.0));
    let radius = picture.random.range(30.0, 46.0);
    let half = picture.random.range(8.0, 11.0);
    let arms = picture.random.between(3, 5);
    let start = picture.random.range(0.0, TAU);
    let surface = picture.asphalt();
    let ring = Shape::Disc(centre, radius).outline(half);
    picture.canvas.fill(&Shape::Disc(centre, radius + half + 2.0), &natural([150.0, 142.0, 118.0]));
    let ends: Vec<Point> =
        (0..arms).map(|arm| Frame::new(centre, start + TAU * arm as f32 / arms as f32).point(330.0, 0.0)).collect();
    for &end in &ends {
        let edge = centre.towards(end, radius / 330.0);
        road_surface(picture, &[edge, end], half, surface);
        picture.reserve(&Shape::Stroke(vec![edge, end], half), 4.0);
        dashes(picture, &[centre.towards(end, (radius + half + 6.0) / 330.0), end], 0.6);
    }
    picture.canvas.fill(&ring, &surface);
    picture.record(Kind::Roundabout, centre);
    let island = Shape::Disc(centre, radius - half);
    picture.canvas.fill(&island, &Paint { ragged: 0.3, ..natural([88.0, 118.0, 64.0]) });
    picture.canvas.fill(&island.outline(1.0), &paint([196.0, 192.0, 182.0]));
    picture.reserve(&Shape::Disc(centre, radius + half), 4.0);
    let mut left = picture.random.between(1, 9);
    for &end in &ends {
        let share = picture.random.between(0, left.min(3));
        let from = centre.towards(end, (radius + half + 12.0) / 330.0);
        cars_along(picture, from, end, &[-half / 2.0, half / 2.0], share);
        left -= share;
    }
    some_houses(picture);
    greenery(picture);
    Story {
        category: "roundabout",
        counted: Kind::Car,
        noun: ("car", "cars"),
        located: Kind::Roundabout,
        facts: vec![("arms", count_word(arms).to_owned())],
        templates: &[
            "there is a roundabout with {arms} roads",
            "{arms} roads meet at the roundabout {place}",
            "there {are} {count} {noun} near the roundabout",
            "{count} {noun} {are} on the road beside the roundabout",
            "a roundabout with {count} {noun} is {place}",
            "the roundabout is {place} of the picture",
            "a round lawn is in the middle of the roundabout",
            "the roundabout is {place} and {near} can be seen",
            "we can see a roundabout with a green island",
        ],
    }
}

/// A parking lot with rows of cars.
pub(crate) fn parking(picture: &mut Picture) -> Story {
    picture.land();
    surroundings(picture);
    let rows = picture.random.between(1, 5);
    let bays = picture.random.between(6, 15);
    let size = at(bays as f32 * 8.0 + 16.0, rows as f32 * 30.0 + 8.0);
    let lot = picture.grid(1, size, true);
    let frame = lot.first().copied().unwrap_or(Frame::new(at(128.0, 128.0), 0.0));
    let surface = picture.asphalt();
    let area = frame.rectangle(size.x / 2.0, size.y / 2.0);
    picture.canvas.fill(&area.outline(1.5), &paint([178.0, 174.0, 164.0]));
    picture.canvas.fill(&area, &surface);
    picture.reserve(&area, 4.0);
    picture.record(Kind::ParkingLot, frame.centre);
    let white = Paint { opacity: 0.7, ..paint([224.0, 222.0, 214.0]) };
    let full = picture.random.pick(&[0.2, 0.6, 0.85]);
    for row in 0..rows {
        let y = (row as f32 - (rows as f32 - 1.0) / 2.0) * 30.0;
        for bay in 0..=bays {
            let x = (bay as f32 - bays as f32 / 2.0) * 8.0;
            picture.canvas.fill(&frame.line((x, y - 7.0), (x, y + 7.0), 0.4), &white);
            if bay < bays && (picture.random.chance(full) || bay == bays / 2) {
                let spot = frame.point(x + 4.0, y);
                let nose = frame.point(x + 4.0, y + if picture.random.chance(0.5) { 1.0 } else { -1.0 });
                car(picture, &Frame::new(spot, libm::atan2f(nose.y - spot.y, nose.x - spot.x)));
                picture.record(Kind::Car, spot);
            }
        }
    }
    greenery(picture);
    let lines = format!("{} {}", count_word(rows), if rows == 1 { "row" } else { "rows" });
    Story {
        category: "parking lot",
        counted: Kind::Car,
        noun: ("car", "cars"),
        located: Kind::ParkingLot,
        facts: vec![("rows", lines)],
        templates: &[
            "there {are} {count} {noun} in the parking lot",
            "{count} {noun} {are} parked in {rows}",
            "{count} {noun} {are} parked in the parking lot {place}",
            "the parking lot is {place} of the picture",
            "there is a parking lot {place} with {rows} of cars",
            "we can see {count} {noun} in a parking lot near {near}",
            "{extra} is {extra_place} and the parking lot is nearby",
            "this is a parking lot with {count} {noun}",
            "a parking lot with white lines and {count} {noun}",
        ],
    }
}
