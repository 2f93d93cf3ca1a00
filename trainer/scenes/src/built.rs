//! Scenes of buildings: houses, factories and storage tanks.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::canvas::{Colour, Paint, paint};
use super::captions::{Story, count_word};
use super::nature::{car, greenery, road, road_surface, surroundings, tree};
use super::objects::{block, house, tank};
use super::picture::{Kind, Picture};
use super::shape::{Frame, Shape, at};

const ROOFS: [Colour; 7] = [
    [150.0, 96.0, 78.0],
    [126.0, 108.0, 96.0],
    [112.0, 112.0, 114.0],
    [168.0, 142.0, 116.0],
    [138.0, 84.0, 70.0],
    [92.0, 90.0, 92.0],
    [182.0, 170.0, 152.0],
];

/// A dense residential area: rows of houses along roads.
pub(crate) fn residential(picture: &mut Picture) -> Story {
    picture.land();
    let upright = picture.random.chance(0.5);
    let frame = Frame::new(at(128.0, 128.0), if upright { FRAC_PI_2 } else { 0.0 });
    let roads = picture.random.between(2, 3);
    let spacing = 256.0 / roads as f32;
    let surface = picture.asphalt();
    let half = picture.random.range(6.0, 8.5);
    let mut dominant = ROOFS;
    picture.random.shuffle(&mut dominant);
    for index in 0..roads {
        let across = (index as f32 + 0.5) * spacing - 128.0;
        let ends = [frame.point(-140.0, across), frame.point(140.0, across)];
        road_surface(picture, &ends, half, surface);
        picture.record(Kind::Road, frame.point(0.0, across));
        picture.reserve(&Shape::Stroke(ends.to_vec(), half + 2.0), 1.0);
        for side in [-1.0, 1.0] {
            house_row(picture, &frame, across + side * (half + 20.0), &dominant[..3]);
        }
        street_cars(picture, &frame, across, half);
    }
    let mut trees = 0;
    for _ in 0..picture.random.between(20, 140) {
        let centre = at(picture.random.range(0.0, 256.0), picture.random.range(0.0, 256.0));
        let radius = picture.random.range(2.5, 5.5);
        if picture.is_clear(&Shape::Disc(centre, radius)) {
            tree(picture, centre, radius);
            trees += 1;
        }
    }
    let way = if upright { "from top to bottom" } else { "from left to right" };
    let mut facts = vec![("way", way.to_owned()), ("rows", count_word(2 * roads).to_owned())];
    if trees > 7 {
        facts.push(("trees", "some green trees".to_owned()));
    }
    Story {
        category: "dense residential",
        counted: Kind::Road,
        noun: ("road", "roads"),
        located: Kind::Road,
        facts,
        templates: &[
            "many houses are arranged in {rows} rows in the residential area",
            "{count} {noun} with houses on both sides can be seen",
            "there {are} {count} {noun} in the dense residential area",
            "many houses with roofs are arranged in rows beside {count} {noun}",
            "{count} straight {noun} {way} and many houses beside {them}",
            "the dense residential area has many houses and {count} {noun}",
            "there are {rows} rows of houses in this residential area",
            "this is a dense residential area with many houses",
            "many houses and {trees} are in the residential area",
            "the {noun} {place} {are} between many houses",
        ],
    }
}

fn house_row(picture: &mut Picture, frame: &Frame, across: f32, roofs: &[Colour]) {
    let mut along = -128.0 + picture.random.range(4.0, 14.0);
    while along < 118.0 {
        let half_width = picture.random.range(8.0, 11.5);
        let half_height = picture.random.range(7.0, 9.5);
        let spot = frame.shifted(along + half_width, across + picture.random.range(-2.0, 2.0));
        let footprint = spot.rectangle(half_width + 1.0, half_height + 1.0);
        let inside = Frame::new(at(128.0, 128.0), 0.0).rectangle(140.0, 140.0);
        if picture.is_clear(&footprint) && inside.distance(spot.centre) < 0.0 {
            let roof = picture.random.pick(roofs);
            house(picture, &spot, half_width, half_height, roof);
            picture.record(Kind::House, spot.centre);
            picture.reserve(&footprint, 2.0);
        }
        along += 2.0 * half_width + picture.random.range(4.0, 10.0);
    }
}

fn street_cars(picture: &mut Picture, frame: &Frame, across: f32, half: f32) {
    for _ in 0..picture.random.between(0, 5) {
        let lane = picture.random.pick(&[-0.5, 0.5]) * half;
        let along = picture.random.range(-120.0, 120.0);
        car(picture, &frame.shifted(along, across + lane));
    }
}

/// A few houses among trees and lawns.
pub(crate) fn houses(picture: &mut Picture) -> Story {
    picture.land();
    surroundings(picture);
    let wanted = picture.random.between(1, 9);
    let roof = picture.random.pick(&ROOFS);
    for spot in picture.scatter(wanted, 19.0) {
        let half_width = picture.random.range(11.0, 15.0);
        let half_height = picture.random.range(8.0, 10.5);
        house(picture, &spot, half_width, half_height, roof);
        picture.record(Kind::House, spot.centre);
        picture.reserve(&spot.rectangle(half_width, half_height), 6.0);
    }
    greenery(picture);
    Story {
        category: "sparse residential",
        counted: Kind::House,
        noun: ("house", "houses"),
        located: Kind::House,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} {noun} {are} on the green lawn",
            "{count} {noun} and {near} can be seen in the picture",
            "we can see {count} {noun} in the sparse residential area",
            "the {noun} {are} {place} and there is lawn around {them}",
            "the {noun} {are} {place} of the picture",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "this is a sparse residential area with {count} {noun}",
            "green lawn can be seen around the {noun}",
        ],
    }
}

/// Large flat-roofed buildings of an industrial area.
pub(crate) fn industrial(picture: &mut Picture) -> Story {
    picture.concrete();
    surroundings(picture);
    let roofs: [(Colour, &str); 4] = [
        ([220.0, 220.0, 216.0], "white"),
        ([96.0, 126.0, 164.0], "blue"),
        ([142.0, 142.0, 144.0], "gray"),
        ([158.0, 92.0, 76.0], "red"),
    ];
    let (roof, name) = picture.random.pick(&roofs);
    let wanted = picture.random.between(1, 8);
    let width = picture.random.range(54.0, 84.0);
    let height = picture.random.range(34.0, 50.0);
    let cell = if picture.random.chance(0.5) { at(width, height) } else { at(height, width) };
    for frame in picture.grid(wanted, cell, false) {
        let half_width = cell.x / 2.0 - picture.random.range(7.0, 10.0);
        let half_height = cell.y / 2.0 - picture.random.range(7.0, 9.0);
        block(picture, &frame, half_width, half_height, roof);
        picture.record(Kind::Building, frame.centre);
        picture.reserve(&frame.rectangle(cell.x / 2.0, cell.y / 2.0), 2.0);
    }
    greenery(picture);
    Story {
        category: "industrial area",
        counted: Kind::Building,
        noun: ("building", "buildings"),
        located: Kind::Building,
        facts: vec![("roof", name.to_owned())],
        templates: &[
            "there {are} {count} large {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} {noun} with {roof} roofs {are} in the industrial area",
            "{count} large {noun} and {near} can be seen",
            "we can see {count} {roof} {noun} on the bare ground",
            "the {roof} {noun} {are} {place} of the picture",
            "the {noun} {are} {place} and there is bare ground around {them}",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "this is an industrial area with {count} {roof} {noun}",
        ],
    }
}

/// Round storage tanks in rows.
pub(crate) fn tanks(picture: &mut Picture) -> Story {
    if picture.random.chance(0.5) {
        picture.concrete();
    } else {
        picture.land();
    }
    surroundings(picture);
    let wanted = picture.random.between(1, 12);
    let radius = match wanted {
        1..=3 => picture.random.range(14.0, 30.0),
        4..=6 => picture.random.range(12.0, 22.0),
        _ => picture.random.range(9.0, 15.0),
    };
    let roof = picture.random.pick(&[[232.0, 232.0, 228.0], [222.0, 220.0, 210.0], [240.0, 240.0, 240.0]]);
    let step = radius * 2.0 + picture.random.range(7.0, 16.0);
    let frames = picture.grid(wanted, at(step, step), true);
    let apron = Paint { grain: 8.0, ..paint([164.0, 156.0, 138.0]) };
    for frame in &frames {
        picture.canvas.fill(&frame.rectangle(step / 2.0, step / 2.0), &apron);
    }
    for frame in &frames {
        let turned = Frame::new(frame.centre, picture.random.range(0.0, TAU));
        tank(picture, &turned, radius, roof);
        picture.record(Kind::Tank, frame.centre);
        picture.reserve(&frame.rectangle(step / 2.0, step / 2.0), 4.0);
    }
    if picture.extra.is_none() && picture.random.chance(0.3) {
        beside_tanks(picture);
    }
    greenery(picture);
    Story {
        category: "storage tanks",
        counted: Kind::Tank,
        noun: ("storage tank", "storage tanks"),
        located: Kind::Tank,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place}",
            "{count} white {noun} {are} on the ground",
            "{count} {noun} and {near} can be seen in the picture",
            "we can see {count} white {noun} {place} of the picture",
            "the white {noun} {are} {place} and {near} can be seen",
            "the {noun} {are} {place} on the ground",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "this is a picture with {count} white {noun}",
            "{count} round {noun} can be seen from above",
        ],
    }
}

fn beside_tanks(picture: &mut Picture) {
    let x = picture.random.pick(&[14.0, 242.0]);
    let ends = [at(x, -20.0), at(x, 276.0)];
    if picture.is_clear(&Shape::Stroke(ends.to_vec(), 11.0)) {
        road(picture, &ends, 7.0);
        picture.record(Kind::Extra, at(x, 128.0));
        picture.near.push("a road");
        picture.extra = Some("a road");
    }
}
