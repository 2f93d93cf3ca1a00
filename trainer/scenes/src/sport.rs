//! Scenes of sports: tennis, baseball, basketball and a playground with a track.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::canvas::{Colour, Paint, natural, paint};
use super::captions::Story;
use super::courts::{baseball_diamond, basketball_court, tennis_court};
use super::nature::{greenery, surroundings};
use super::picture::{Kind, Picture};
use super::shape::{Frame, Shape, at};

const COURTS: [(Colour, Colour); 5] = [
    ([62.0, 104.0, 150.0], [74.0, 122.0, 88.0]),
    ([74.0, 122.0, 88.0], [150.0, 84.0, 66.0]),
    ([96.0, 140.0, 100.0], [70.0, 112.0, 82.0]),
    ([160.0, 92.0, 70.0], [84.0, 130.0, 94.0]),
    ([58.0, 92.0, 140.0], [90.0, 122.0, 158.0]),
];

fn court_scale(picture: &mut Picture, wanted: usize, most: f32) -> f32 {
    match wanted {
        1 => picture.random.range(1.1, most),
        2 => picture.random.range(1.0, 0.8 * most),
        3 | 4 => picture.random.range(0.95, 1.25),
        _ => picture.random.range(0.85, 1.05),
    }
}

/// Tennis courts in rows.
pub(crate) fn tennis(picture: &mut Picture) -> Story {
    picture.land();
    surroundings(picture);
    let wanted = picture.random.between(1, 8);
    let (inner, outer) = picture.random.pick(&COURTS);
    let scale = court_scale(picture, wanted, 2.2);
    for frame in picture.grid(wanted, at(54.0 * scale, 32.0 * scale), true) {
        let frame = frame.scaled(scale);
        tennis_court(picture, &frame, inner, outer);
        picture.record(Kind::TennisCourt, frame.centre);
        picture.reserve(&frame.rectangle(27.0, 16.0), 3.0);
    }
    greenery(picture);
    Story {
        category: "tennis courts",
        counted: Kind::TennisCourt,
        noun: ("tennis court", "tennis courts"),
        located: Kind::TennisCourt,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} {noun} {are} on the lawn with {near} nearby",
            "{count} {noun} {are} {place} of the picture",
            "we can see {count} {noun} with white lines",
            "{count} {noun} {are} surrounded by green lawn",
            "the {noun} {are} {place} and {near} can be seen",
            "the {noun} with white lines {are} {place}",
            "{extra} is {extra_place} and the {noun} {are} nearby",
            "this is a picture with {count} {noun}",
        ],
    }
}

/// Baseball diamonds.
pub(crate) fn baseball(picture: &mut Picture) -> Story {
    picture.land();
    surroundings(picture);
    let wanted = picture.random.pick(&[1, 1, 2, 2, 3, 4]);
    let radius = match wanted {
        1 => picture.random.range(74.0, 104.0),
        2 => picture.random.range(62.0, 78.0),
        _ => picture.random.range(54.0, 62.0),
    };
    for spot in picture.scatter(wanted, radius * 0.62) {
        let angle = picture.random.range(0.0, TAU);
        let home = Frame::new(spot.centre, angle).shifted(-radius * 0.5, 0.0);
        baseball_diamond(picture, &home, radius);
        picture.record(Kind::BaseballDiamond, spot.centre);
        picture.reserve(&Shape::Disc(spot.centre, radius * 0.62), 5.0);
    }
    greenery(picture);
    Story {
        category: "baseball diamond",
        counted: Kind::BaseballDiamond,
        noun: ("baseball diamond", "baseball diamonds"),
        located: Kind::BaseballDiamond,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} {noun} {are} on the green lawn",
            "{count} {noun} and {near} can be seen in the picture",
            "we can see {count} {noun} {place} of the picture",
            "the {noun} {are} {place} and there is grass around {them}",
            "the {noun} with brown soil {are} {place}",
            "{extra} is {extra_place} near the {noun}",
            "this is a picture with {count} {noun}",
            "there is green lawn around the {noun}",
        ],
    }
}

/// Basketball courts in rows.
pub(crate) fn basketball(picture: &mut Picture) -> Story {
    if picture.random.chance(0.5) {
        picture.land();
    } else {
        picture.concrete();
    }
    surroundings(picture);
    let wanted = picture.random.between(1, 6);
    let (outer, inner) = picture.random.pick(&COURTS);
    let scale = court_scale(picture, wanted, 1.9);
    for frame in picture.grid(wanted, at(62.0 * scale, 38.0 * scale), true) {
        let frame = frame.scaled(scale);
        basketball_court(picture, &frame, inner, outer);
        picture.record(Kind::BasketballCourt, frame.centre);
        picture.reserve(&frame.rectangle(31.0, 19.0), 3.0);
    }
    greenery(picture);
    Story {
        category: "basketball court",
        counted: Kind::BasketballCourt,
        noun: ("basketball court", "basketball courts"),
        located: Kind::BasketballCourt,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} {noun} {are} {place} of the picture",
            "{count} {noun} and {near} can be seen in the picture",
            "we can see {count} {noun} with white lines",
            "the {noun} {are} {place} and {near} can be seen",
            "the {noun} with white lines {are} {place}",
            "{extra} is {extra_place} and the {noun} {are} nearby",
            "this is a picture with {count} {noun}",
        ],
    }
}

/// A running track around a football field.
pub(crate) fn playground(picture: &mut Picture) -> Story {
    picture.land();
    surroundings(picture);
    let angle = picture.random.pick(&[0.0, FRAC_PI_2]) + picture.random.range(-0.15, 0.15);
    let scale = picture.random.range(0.7, 1.05);
    let size = at(170.0 * scale, 100.0 * scale);
    let size = if angle.abs() < 1.0 { size } else { at(size.y, size.x) };
    let centre = picture.grid(1, size.plus(10.0, 10.0), false);
    let middle = centre.first().map_or(at(128.0, 128.0), |frame| frame.centre);
    let frame = Frame::new(middle, angle);
    let grass = field(picture, &frame, scale);
    picture.record(Kind::Playground, middle);
    let track = frame.line((-35.0 * scale, 0.0), (35.0 * scale, 0.0), 52.0 * scale);
    picture.reserve(&track, 4.0);
    courts_beside(picture);
    greenery(picture);
    Story {
        category: "playground",
        counted: Kind::BasketballCourt,
        noun: ("basketball court", "basketball courts"),
        located: Kind::Playground,
        facts: vec![("field", grass.to_owned())],
        templates: &[
            "there is one playground {place} with {count} {noun} nearby",
            "{count} {noun} {are} next to the playground",
            "a playground with a red running track is {place}",
            "there is a playground {place} of the picture",
            "the playground is {place} and {near} can be seen",
            "a football field is surrounded by a red running track",
            "a {field} football field is inside the running track",
            "there is one playground near {near}",
            "one playground with a football field is {place}",
            "this is a playground with a {field} football field",
            "{extra} is {extra_place} and one playground is nearby",
            "there is one playground with a red running track",
        ],
    }
}

fn field(picture: &mut Picture, frame: &Frame, scale: f32) -> &'static str {
    let half = 35.0 * scale;
    let ring = |radius: f32| frame.line((-half, 0.0), (half, 0.0), radius * scale);
    let red = picture.random.pick(&[[168.0, 84.0, 70.0], [182.0, 98.0, 80.0], [150.0, 74.0, 66.0]]);
    picture.canvas.fill(&ring(49.0), &paint(red));
    let white = Paint { opacity: 0.6, ..paint([230.0, 224.0, 216.0]) };
    for lane in 0..6 {
        let radius = 49.0 - 2.4 * lane as f32;
        picture.canvas.fill(&ring(radius).outline(0.35), &white);
    }
    let grass = natural([86.0, 126.0, 66.0]);
    picture.canvas.fill(&ring(36.5), &Paint { ragged: 0.0, ..grass });
    let stripes = Some((frame.heading(), 13.0 * scale, 8.0));
    let pitch = frame.rectangle(48.0 * scale, 29.0 * scale);
    picture.canvas.fill(&pitch, &Paint { ragged: 0.0, stripes, ..grass });
    let line = Paint { opacity: 0.85, ..paint([234.0, 234.0, 226.0]) };
    picture.canvas.fill(&pitch.outline(0.5), &line);
    picture.canvas.fill(&frame.line((0.0, -29.0 * scale), (0.0, 29.0 * scale), 0.5), &line);
    picture.canvas.fill(&Shape::Disc(frame.centre, 8.0 * scale).outline(0.5), &line);
    for side in [-1.0, 1.0] {
        let goal = frame.shifted(side * 41.0 * scale, 0.0);
        picture.canvas.fill(&goal.rectangle(7.0 * scale, 15.0 * scale).outline(0.5), &line);
    }
    "green"
}

fn courts_beside(picture: &mut Picture) {
    let wanted = picture.random.between(0, 3);
    if wanted == 0 {
        return;
    }
    let (outer, inner) = picture.random.pick(&COURTS);
    for frame in picture.grid(wanted, at(62.0, 38.0), false) {
        basketball_court(picture, &frame, inner, outer);
        picture.record(Kind::BasketballCourt, frame.centre);
        picture.reserve(&frame.rectangle(31.0, 19.0), 3.0);
    }
}
