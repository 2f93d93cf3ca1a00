//! Scenes of rivers and bridges.

use std::f32::consts::TAU;

use super::canvas::{Paint, SIDE, paint};
use super::captions::{Story, count_word};
use super::nature::{dashes, greenery, pool, road_surface};
use super::picture::{Kind, Picture};
use super::roads::{cars_along, some_houses};
use super::shape::{Frame, Point, Shape, at};

struct Course {
    points: Vec<Point>,
    upright: bool,
    half: f32,
}

fn course(picture: &mut Picture, bends: f32, half: f32) -> Course {
    let upright = picture.random.chance(0.5);
    let base = picture.random.range(70.0, 186.0);
    let phase = picture.random.range(0.0, TAU);
    let length = picture.random.range(32.0, 60.0);
    let slope = picture.random.range(-0.2, 0.2);
    let points = (-3..=24)
        .map(|step| {
            let along = step as f32 * 12.0;
            let across = base + slope * (along - 128.0) + bends * libm::sinf(along / length + phase);
            if upright { at(across, along) } else { at(along, across) }
        })
        .collect();
    Course { points, upright, half }
}

fn stream(picture: &mut Picture, course: &Course) {
    let shape = Shape::Stroke(course.points.clone(), course.half);
    pool(picture, &shape);
    picture.reserve(&shape, 5.0);
}

fn way(course: &Course) -> (&'static str, String) {
    let text = if course.upright { "from top to bottom" } else { "from left to right" };
    ("way", text.to_owned())
}

fn crossings(picture: &mut Picture, course: &Course, wanted: usize, half: f32) {
    let share = SIDE as f32 / wanted as f32;
    for index in 0..wanted {
        let along = share * (index as f32 + 0.5) + picture.random.range(-0.15, 0.15) * share;
        let middle = course.points[((along / 12.0) as usize + 3).min(course.points.len() - 1)];
        let span = picture.random.range(-14.0, 14.0);
        let (from, to) = if course.upright {
            (at(-20.0, middle.y - span), at(276.0, middle.y + span))
        } else {
            (at(middle.x - span, -20.0), at(middle.x + span, 276.0))
        };
        let centre = from.towards(to, if course.upright { middle.x + 20.0 } else { middle.y + 20.0 } / 296.0);
        let deck = Shape::Stroke(vec![from, to], half);
        bridge_deck(picture, (from, to), centre, half, course.half + 11.0);
        picture.reserve(&deck, 4.0);
        picture.record(Kind::Bridge, centre);
        let cars = picture.random.between(0, 5);
        if half > 7.0 {
            cars_along(picture, from, to, &[-half / 2.0, half / 2.0], cars);
        }
    }
}

fn bridge_deck(picture: &mut Picture, ends: (Point, Point), centre: Point, half: f32, reach: f32) {
    let surface = picture.asphalt();
    let (from, to) = ends;
    let turn = libm::atan2f(to.y - from.y, to.x - from.x);
    let span = Frame::new(centre, turn);
    road_surface(picture, &[from, to], half, surface);

    let deck = span.rectangle(reach, half + 1.0);
    picture.canvas.shade(&deck, 5.0);
    let pale = surface.colour.map(|part| part * 1.2);
    picture.canvas.fill(&deck, &Paint { colour: pale, ..surface });
    let rail = paint([206.0, 204.0, 196.0]);
    for edge in [-half, half] {
        picture.canvas.fill(&span.line((-reach, edge), (reach, edge), 0.8), &rail);
    }
    dashes(picture, &[from, to], 0.5);
}

/// A winding river through green land, with or without a bridge.
pub(crate) fn river(picture: &mut Picture) -> Story {
    picture.land();
    let bends = picture.random.range(20.0, 36.0);
    let half = picture.random.range(9.0, 22.0);
    let course = course(picture, bends, half);
    stream(picture, &course);
    let bridges = picture.random.pick(&[0, 0, 1]);
    if bridges > 0 {
        crossings(picture, &course, bridges, 6.5);
    }
    if !pond_beside(picture) {
        some_houses(picture);
    }
    greenery(picture);
    Story {
        category: "river",
        counted: Kind::Bridge,
        noun: ("bridge", "bridges"),
        located: Kind::House,
        facts: vec![way(&course)],
        templates: &[
            "a winding river goes {way} through the green land",
            "there is a river {way} with {near} nearby",
            "the river is winding and goes {way}",
            "there {are} {count} {noun} over the winding river",
            "{count} {noun} {are} over the river in the green land",
            "a river goes through the green land",
            "there is a winding river near {near}",
            "{near} can be seen beside the winding river",
            "we can see a winding river {way}",
            "green land is on both sides of the river",
        ],
    }
}

fn pond_beside(picture: &mut Picture) -> bool {
    let spots = picture.scatter(1, 34.0);
    if picture.random.chance(0.6) {
        return false;
    }
    for spot in &spots {
        let waves = [(); 4].map(|()| picture.random.range(-1.0, 1.0));
        let shape = Shape::blob(spot.centre, at(26.0, 22.0), waves);
        pool(picture, &shape);
        picture.reserve(&shape, 5.0);
        picture.near.push("a pond");
    }
    !spots.is_empty()
}

/// Bridges over a wide river.
pub(crate) fn bridge(picture: &mut Picture) -> Story {
    picture.land();
    let half = picture.random.range(26.0, 36.0);
    let course = course(picture, 5.0, half);
    stream(picture, &course);
    let wanted = picture.random.pick(&[1, 1, 2, 3]);
    let breadth = picture.random.range(7.5, 12.0);
    crossings(picture, &course, wanted, breadth);
    some_houses(picture);
    greenery(picture);
    let cars = picture.centres(Kind::Car).len();
    let mut facts = vec![way(&course)];
    if cars > 0 {
        let word = count_word(cars);
        facts.push(("cars", format!("{word} {}", if cars == 1 { "car" } else { "cars" })));
    }
    Story {
        category: "bridge",
        counted: Kind::Bridge,
        noun: ("bridge", "bridges"),
        located: Kind::Bridge,
        facts,
        templates: &[
            "there {are} {count} {noun} over the wide river",
            "{count} {noun} {are} over the river {way}",
            "{count} {noun} {place} can be seen over the river",
            "the {noun} {are} {place} of the picture over a river",
            "we can see {count} {noun} and a wide river",
            "a wide river goes {way} under {count} {noun}",
            "there {are} {count} {noun} and {cars} in the picture",
            "there {are} {count} {noun} near {near}",
            "the wide river goes {way}",
        ],
    }
}
