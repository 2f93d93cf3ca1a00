//! Scenes of water: beaches, ponds, rivers and bridges.

use super::canvas::{Paint, SIDE, natural, paint};
use super::captions::Story;
use super::nature::{dashes, greenery, pool, road_surface};
use super::picture::{Kind, Picture};
use super::roads::{cars_along, some_houses};
use super::shape::{Frame, Point, Shape, at};

/// A beach between the sea and the land.
pub(crate) fn beach(picture: &mut Picture) -> Story {
    picture.land();
    let turns = [
        (0.0, "at the bottom"),
        (1.570_796_4, "on the left"),
        (3.141_592_7, "at the top"),
        (4.712_389, "on the right"),
    ];
    let (turn, side) = picture.random.pick(&turns);
    let frame = Frame::new(at(128.0, 128.0), turn + picture.random.range(-0.15, 0.15));
    let shore = picture.random.range(-10.0, 45.0);
    let breadth = picture.random.range(34.0, 80.0);
    let waves = [(); 4].map(|()| picture.random.range(-1.0, 1.0));
    let coast = |offset: f32| {
        let edge = (-10..=10).map(|step| {
            let x = step as f32 * 20.0;
            let wave = 7.0 * waves[0] * libm::sinf(x / 40.0 + 3.0 * waves[1]);
            let ripple = 3.0 * waves[2] * libm::sinf(x / 15.0 + 3.0 * waves[3]);
            frame.point(x, offset + wave + ripple)
        });
        let far = [frame.point(200.0, 300.0), frame.point(-200.0, 300.0)];
        Shape::Polygon(edge.chain(far).collect())
    };
    let sand = picture.random.pick(&[
        [214.0, 198.0, 164.0],
        [202.0, 186.0, 152.0],
        [224.0, 212.0, 184.0],
    ]);
    picture.canvas.fill(
        &coast(shore - breadth),
        &Paint {
            ragged: 3.0,
            ..natural(sand)
        },
    );
    picture.canvas.fill(
        &coast(shore - 7.0),
        &Paint {
            opacity: 0.5,
            soft: 6.0,
            ..paint([150.0, 132.0, 104.0])
        },
    );
    let sea = picture.random.pick(&[
        [58.0, 116.0, 132.0],
        [46.0, 98.0, 128.0],
        [70.0, 128.0, 128.0],
    ]);
    picture.canvas.fill(
        &coast(shore),
        &Paint {
            mottle: 10.0,
            ragged: 2.0,
            soft: 3.0,
            ..paint(sea)
        },
    );
    let deep = sea.map(|part: f32| part * 0.72);
    picture.canvas.fill(
        &coast(shore + 40.0),
        &Paint {
            opacity: 0.8,
            soft: 70.0,
            ..paint(deep)
        },
    );
    for line in 0..picture.random.between(1, 3) {
        let offset = shore + 1.0 + 13.0 * line as f32;
        let opacity = 0.85 - 0.25 * line as f32;
        let foam = Paint {
            opacity,
            ragged: 2.2,
            soft: 1.6,
            ..paint([238.0, 242.0, 240.0])
        };
        picture.canvas.fill(&coast(offset).outline(1.4), &foam);
    }
    picture.reserve(&coast(shore - breadth), 3.0);
    picture.record(Kind::Sea, frame.point(0.0, 100.0));
    greenery(picture);
    let green = picture.near.first().copied();
    let mut facts = vec![("side", side.to_owned())];
    if let Some(trees) = green {
        facts.push(("trees", trees.to_owned()));
    }
    Story {
        category: "beach",
        counted: Kind::Sea,
        noun: ("sea", "seas"),
        located: Kind::Sea,
        facts,
        templates: &[
            "the sea is {side} and the beach is nearby",
            "there is a beach and the sea is {side}",
            "white waves are near the yellow beach",
            "the yellow beach is between the sea and the green land",
            "{trees} are on the land beside the beach",
            "we can see the sea {side} with white waves",
            "the sea {side} is next to a piece of yellow beach",
            "there are {trees} near the beach and the sea",
            "this is a beach with blue sea water {side}",
        ],
    }
}

/// Ponds on green land.
pub(crate) fn pond(picture: &mut Picture) -> Story {
    picture.land();
    if picture.random.chance(0.4) {
        super::nature::side_road(picture);
    }
    let wanted = picture.random.pick(&[1, 1, 2, 2, 3, 4]);
    let reach = match wanted {
        1 => picture.random.range(38.0, 76.0),
        2 => picture.random.range(30.0, 48.0),
        _ => picture.random.range(22.0, 34.0),
    };
    for spot in picture.scatter(wanted, reach * 1.15) {
        let half = at(
            reach * picture.random.range(0.65, 0.9),
            reach * picture.random.range(0.65, 0.9),
        );
        let waves = [(); 4].map(|()| picture.random.range(-1.0, 1.0));
        let shape = Shape::blob(spot.centre, half, waves);
        pool(picture, &shape);
        picture.record(Kind::Pond, spot.centre);
        picture.reserve(&shape, 6.0);
    }
    some_houses(picture);
    greenery(picture);
    Story {
        category: "pond",
        counted: Kind::Pond,
        noun: ("pond", "ponds"),
        located: Kind::Pond,
        facts: Vec::new(),
        templates: &[
            "there {are} {count} {noun} near {near}",
            "there {are} {count} {noun} {place} of the picture",
            "{count} {noun} {are} on the green lawn",
            "{near} can be seen near {count} {noun}",
            "we can see {count} {noun} {place}",
            "the {noun} {are} {place} and there is lawn around {them}",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "this is a picture with {count} {noun}",
            "the {noun} {are} surrounded by green land",
        ],
    }
}

struct Course {
    points: Vec<Point>,
    upright: bool,
}

fn course(picture: &mut Picture, bends: f32) -> Course {
    let upright = picture.random.chance(0.5);
    let base = picture.random.range(70.0, 186.0);
    let phase = picture.random.range(0.0, 6.283);
    let length = picture.random.range(32.0, 60.0);
    let slope = picture.random.range(-0.2, 0.2);
    let points = (-3..=24)
        .map(|step| {
            let along = step as f32 * 12.0;
            let across =
                base + slope * (along - 128.0) + bends * libm::sinf(along / length + phase);
            if upright {
                at(across, along)
            } else {
                at(along, across)
            }
        })
        .collect();
    Course { points, upright }
}

fn stream(picture: &mut Picture, course: &Course, half: f32) {
    let shape = Shape::Stroke(course.points.clone(), half);
    pool(picture, &shape);
    picture.reserve(&shape, 5.0);
}

fn way(course: &Course) -> (&'static str, String) {
    let text = if course.upright {
        "from top to bottom"
    } else {
        "from left to right"
    };
    ("way", text.to_owned())
}

fn crossings(picture: &mut Picture, course: &Course, wanted: usize, half: f32) {
    let surface = picture.asphalt();
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
        let centre = from.towards(
            to,
            if course.upright {
                middle.x + 20.0
            } else {
                middle.y + 20.0
            } / 296.0,
        );
        let deck = Shape::Stroke(vec![from, to], half);
        bridge_deck(picture, (from, to), centre, half, surface);
        picture.reserve(&deck, 4.0);
        picture.record(Kind::Bridge, centre);
        let cars = picture.random.between(0, 5);
        if half > 7.0 {
            cars_along(picture, from, to, &[-half / 2.0, half / 2.0], cars);
        }
    }
}

fn bridge_deck(
    picture: &mut Picture,
    ends: (Point, Point),
    centre: Point,
    half: f32,
    surface: Paint,
) {
    let (from, to) = ends;
    let turn = libm::atan2f(to.y - from.y, to.x - from.x);
    let span = Frame::new(centre, turn);
    road_surface(picture, &[from, to], half, surface);
    let reach = picture.random.range(40.0, 46.0);
    let deck = span.rectangle(reach, half + 1.0);
    picture.canvas.shade(&deck, 5.0);
    let pale = surface.colour.map(|part| part * 1.2);
    picture.canvas.fill(
        &deck,
        &Paint {
            colour: pale,
            ..surface
        },
    );
    let rail = paint([206.0, 204.0, 196.0]);
    for edge in [-half, half] {
        picture
            .canvas
            .fill(&span.line((-reach, edge), (reach, edge), 0.8), &rail);
    }
    dashes(picture, &[from, to], 0.5);
}

/// A winding river through green land, with or without a bridge.
pub(crate) fn river(picture: &mut Picture) -> Story {
    picture.land();
    let bends = picture.random.range(14.0, 34.0);
    let course = course(picture, bends);
    let half = picture.random.range(9.0, 22.0);
    stream(picture, &course, half);
    let bridges = picture.random.pick(&[0, 0, 1]);
    if bridges > 0 {
        crossings(picture, &course, bridges, 6.5);
    }
    if !surroundings_fit(picture) {
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

fn surroundings_fit(picture: &mut Picture) -> bool {
    let spots = picture.scatter(1, 34.0);
    if picture.random.chance(0.5) {
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
    let course = course(picture, 5.0);
    let half = picture.random.range(26.0, 36.0);
    stream(picture, &course, half);
    let wanted = picture.random.pick(&[1, 1, 2, 3]);
    let breadth = picture.random.range(7.5, 12.0);
    crossings(picture, &course, wanted, breadth);
    some_houses(picture);
    greenery(picture);
    let cars = picture.centres(Kind::Car).len();
    let mut facts = vec![way(&course)];
    if cars > 0 {
        let word = super::captions::count_word(cars);
        facts.push((
            "cars",
            format!("{word} {}", if cars == 1 { "car" } else { "cars" }),
        ));
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
