//! Scenes of airports: parked airplanes and runways.

use std::f32::consts::{FRAC_PI_2, PI};

use super::canvas::{Colour, Paint, natural, paint};
use super::captions::{Story, count_word};
use super::nature::greenery;
use super::objects::{airplane, block};
use super::picture::{Kind, Picture};
use super::shape::{Frame, Shape, at};

const ACCENTS: [Colour; 5] =
    [[200.0, 202.0, 206.0], [60.0, 84.0, 150.0], [170.0, 50.0, 46.0], [70.0, 120.0, 110.0], [214.0, 160.0, 60.0]];

/// Airplanes parked on an apron.
pub(crate) fn airplanes(picture: &mut Picture) -> Story {
    picture.concrete();
    slabs(picture);
    if picture.random.chance(0.55) {
        terminal(picture);
    }
    if picture.extra.is_none() && picture.random.chance(0.6) {
        lawn(picture);
    }
    let wanted = picture.random.between(1, 10);
    let scale = match wanted {
        1..=2 => picture.random.range(26.0, 44.0),
        3..=5 => picture.random.range(22.0, 30.0),
        _ => picture.random.range(17.0, 22.0),
    };
    let accent = picture.random.pick(&ACCENTS);
    let size = 2.0 * scale + 6.0;
    let frames = if picture.random.chance(0.7) {
        let heading = picture.random.pick(&[0.0, FRAC_PI_2, PI, 4.712_389]);
        let heading = heading + picture.random.range(-0.3, 0.3);
        let grid = picture.grid(wanted, at(size, size), false);
        grid.iter().map(|frame| Frame::new(frame.centre, heading)).collect()
    } else {
        picture.scatter(wanted, scale + 3.0)
    };
    for frame in &frames {
        airplane(picture, frame, scale, accent);
        picture.record(Kind::Airplane, frame.centre);
        picture.reserve(&Shape::Disc(frame.centre, scale), 3.0);
    }
    Story {
        category: "airplanes",
        counted: Kind::Airplane,
        noun: ("airplane", "airplanes"),
        located: Kind::Airplane,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} parked {place}",
            "{count} white {noun} {are} parked on the apron",
            "{count} {noun} and {near} can be seen at the airport",
            "we can see {count} {noun} at the airport",
            "the {noun} {are} {place} of the airport",
            "the {noun} {are} parked {place} on the apron",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "this is an airport with {count} white {noun}",
            "{extra} is {extra_place} of the apron",
        ],
    }
}

fn slabs(picture: &mut Picture) {
    let joint = Paint { opacity: 0.25, ..paint([90.0, 88.0, 84.0]) };
    let step = picture.random.range(20.0, 40.0);
    for index in 0..(256.0 / step) as usize + 1 {
        let offset = (index as f32 + 0.4) * step;
        for ends in [vec![at(offset, -5.0), at(offset, 261.0)], vec![at(-5.0, offset), at(261.0, offset)]] {
            picture.canvas.fill(&Shape::Stroke(ends, 0.4), &joint);
        }
    }
}

fn side_frame(picture: &mut Picture, depth: f32) -> Frame {
    let turn = picture.random.pick(&[0.0, FRAC_PI_2, PI, 4.712_389]);
    Frame::new(at(128.0, 128.0), turn).shifted(0.0, -128.0 + depth)
}

fn terminal(picture: &mut Picture) {
    let depth = picture.random.range(20.0, 30.0);
    let frame = side_frame(picture, depth);
    let width = picture.random.range(70.0, 110.0);
    let half_height = depth * 0.6;
    block(picture, &frame, width, half_height, [196.0, 194.0, 188.0]);
    picture.record(Kind::Extra, frame.centre);
    picture.reserve(&frame.rectangle(width, half_height), 10.0);
    picture.near.push("a building");
    picture.extra = Some("a building");
}

fn lawn(picture: &mut Picture) {
    let depth = picture.random.range(14.0, 26.0);
    let frame = side_frame(picture, depth);
    let shape = frame.rectangle(150.0, depth);
    let grass = Paint { ragged: 0.6, ..natural([104.0, 122.0, 74.0]) };
    picture.canvas.fill(&shape, &grass);
    picture.record(Kind::Extra, frame.centre);
    picture.reserve(&shape, 5.0);
    picture.near.push("a lawn");
    picture.extra = Some("a lawn");
}

/// One or two runways with white markings.
pub(crate) fn runway(picture: &mut Picture) -> Story {
    picture.land();
    let upright = picture.random.chance(0.5);
    let tilt = picture.random.range(-0.12, 0.12);
    let turn = if upright { FRAC_PI_2 } else { 0.0 };
    let runways = picture.random.pick(&[1, 1, 1, 2]);
    let offset = picture.random.range(-70.0, 70.0);
    let half = picture.random.range(15.0, 24.0);
    let surface = picture.asphalt();
    let mut axes = Vec::new();
    for index in 0..runways {
        let across = if runways == 2 { 124.0 * index as f32 - 62.0 } else { offset };
        let middle = Frame::new(at(128.0, 128.0), turn).shifted(0.0, across);
        let axis = Frame::new(middle.centre, turn + tilt);
        strip(picture, &axis, half, surface);
        picture.record(Kind::Runway, axis.centre);
        axes.push(axis);
    }
    let planes = picture.random.pick(&[0, 0, 1, 1, 2]).min(if half > 17.0 { 2 } else { 0 });
    for index in 0..planes {
        let axis = axes[index % axes.len()];
        let along = picture.random.range(10.0, 60.0) + if index == 0 { 0.0 } else { -100.0 };
        airplane(picture, &axis.shifted(along, 0.0), half * 0.95, [210.0, 212.0, 214.0]);
        picture.record(Kind::Airplane, axis.point(along, 0.0));
    }
    greenery(picture);
    let mut facts = vec![("way", if upright { "from top to bottom" } else { "from left to right" }.to_owned())];
    if planes > 0 {
        let noun = if planes == 1 { "airplane" } else { "airplanes" };
        facts.push(("planes", format!("{} {noun}", count_word(planes))));
        facts.push(("are_planes", if planes == 1 { "is" } else { "are" }.to_owned()));
    }
    Story {
        category: "runway",
        counted: Kind::Runway,
        noun: ("runway", "runways"),
        located: Kind::Runway,
        facts,
        templates: &[
            "there {are} {count} {noun} with white markings on the lawn",
            "{count} straight {noun} {way} can be seen",
            "there {are} {count} {noun} {place} of the picture",
            "the {noun} with white marking lines {are} {place}",
            "the {noun} {are} {place} and there is lawn on both sides",
            "{planes} {are_planes} on the {noun} with white markings",
            "there {are_planes} {planes} and {count} {noun} at the airport",
            "this is an airport with {count} {noun}",
            "there {are} {count} {noun} near {near}",
            "green lawn can be seen beside the {noun}",
        ],
    }
}

fn strip(picture: &mut Picture, axis: &Frame, half: f32, surface: Paint) {
    let bed = axis.rectangle(190.0, half + 4.0);
    picture.canvas.fill(&bed, &natural([146.0, 142.0, 122.0]));
    picture.canvas.fill(&axis.rectangle(190.0, half), &surface);
    let white = Paint { opacity: 0.85, ..paint([228.0, 228.0, 222.0]) };
    for edge in [-1.0, 1.0] {
        let y = edge * (half - 2.0);
        picture.canvas.fill(&axis.line((-190.0, y), (190.0, y), 0.6), &white);
    }
    let threshold = picture.random.range(-110.0, -80.0);
    let bars = (half / 3.2) as i32;
    for bar in -bars..=bars {
        if bar != 0 {
            let y = bar as f32 * 2.7;
            let stroke = axis.line((threshold, y), (threshold + 18.0, y), 0.7);
            picture.canvas.fill(&stroke, &white);
        }
    }
    for dash in 0..11 {
        let x = threshold + 28.0 + dash as f32 * 22.0;
        picture.canvas.fill(&axis.line((x, 0.0), (x + 12.0, 0.0), 0.8), &white);
    }
    for wear in [-0.2, 0.2] {
        let track = axis.line((threshold + 10.0, half * wear), (190.0, half * wear), half * 0.12);
        let rubber = Paint { opacity: 0.25, soft: 5.0, ..paint([60.0, 60.0, 62.0]) };
        picture.canvas.fill(&track, &rubber);
    }
    picture.reserve(&bed, 3.0);
}
