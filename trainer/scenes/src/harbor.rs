//! Scenes of harbors: a wharf, piers and boats.

use std::f32::consts::{FRAC_PI_2, PI};

use super::canvas::{Paint, paint};
use super::captions::{Story, count_word};
use super::nature::water;
use super::objects::boat;
use super::picture::{Kind, Picture};
use super::shape::{Frame, Point, at};

/// A harbor: a quay on one side and piers with boats.
pub(crate) fn harbor(picture: &mut Picture) -> Story {
    let sea = water(picture);
    picture.ground(sea);
    let turn = picture.random.pick(&[0.0, FRAC_PI_2, PI, 4.712_389]);
    let frame = Frame::new(at(128.0, 128.0), turn);
    let depth = picture.random.range(30.0, 60.0);
    let shore = -128.0 + depth;
    let concrete = Paint { grain: 7.0, mottle: 8.0, ..paint([168.0, 164.0, 152.0]) };
    let quay = frame.shifted(0.0, shore - 40.0).rectangle(150.0, 40.0);
    picture.canvas.shade(&quay, 3.0);
    picture.canvas.fill(&quay, &concrete);
    picture.record(Kind::Extra, frame.point(0.0, (shore - 128.0) / 2.0));
    picture.extra = Some("a wharf");
    let piers = picture.random.between(1, 3);
    let wanted = picture.random.between(1, 14);
    let reach = picture.random.range(110.0, 150.0).min(228.0 - depth);
    let spots = moorings(picture, &frame, (shore, reach), piers, wanted);
    let scale = picture.random.range(10.0, 13.0);
    for spot in spots {
        let size = scale * picture.random.range(0.85, 1.1);
        boat(picture, &spot, size);
        picture.record(Kind::Boat, spot.centre);
    }
    Story {
        category: "harbor",
        counted: Kind::Boat,
        noun: ("boat", "boats"),
        located: Kind::Boat,
        facts: vec![("piers", format!("{} {}", count_word(piers), if piers == 1 { "pier" } else { "piers" }))],
        templates: &[
            "there {are} {count} {noun} in the harbor",
            "{count} white {noun} {are} docked in the harbor with {piers}",
            "{count} {noun} {are} docked at the harbor with {piers}",
            "we can see {count} {noun} and {piers} on the water",
            "the {noun} {are} {place} of the harbor",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "{extra} is {extra_place} of the harbor",
            "the white {noun} {are} docked {place} in the harbor",
            "this is a harbor with {count} white {noun}",
            "there {are} {count} {noun} near the wharf {extra_place}",
        ],
    }
}

fn moorings(
    picture: &mut Picture,
    frame: &Frame,
    (shore, reach): (f32, f32),
    piers: usize,
    wanted: usize,
) -> Vec<Frame> {
    let planks = Paint { grain: 9.0, ..paint([178.0, 168.0, 148.0]) };
    let spacing = 256.0 / piers as f32;
    let mut berths: Vec<Point> = Vec::new();
    for pier in 0..piers {
        let x = (pier as f32 + 0.5) * spacing - 128.0 + picture.random.range(-6.0, 6.0);
        let shape = frame.line((x, shore), (x, shore + reach), 3.5);
        picture.canvas.shade(&shape, 3.0);
        picture.canvas.fill(&shape, &planks);
        picture.record(Kind::Pier, frame.point(x, shore + reach / 2.0));
        let rows = ((reach - 14.0) / 13.0) as usize;
        for row in 0..rows {
            let y = shore + 16.0 + 13.0 * row as f32;
            berths.push(at(x - 20.0, y));
            berths.push(at(x + 20.0, y));
        }
    }
    picture.random.shuffle(&mut berths);
    berths.truncate(wanted);
    let place = |berth: &Point| {
        let spot = frame.point(berth.x, berth.y);
        let bow = frame.point(berth.x + if berth.x > 0.0 { 1.0 } else { -1.0 }, berth.y);
        Frame::new(spot, libm::atan2f(bow.y - spot.y, bow.x - spot.x))
    };
    berths.iter().map(place).collect()
}
