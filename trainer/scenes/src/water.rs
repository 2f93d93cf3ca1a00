//! Scenes of beaches and ponds.

use std::f32::consts::{FRAC_PI_2, PI};

use super::canvas::{Paint, natural, paint};
use super::captions::Story;
use super::nature::{greenery, pool, side_road};
use super::picture::{Kind, Picture};
use super::roads::some_houses;
use super::shape::{Frame, Shape, at};

/// A beach between the sea and the land.
pub(crate) fn beach(picture: &mut Picture) -> Story {
    picture.land();
    let turns = [(0.0, "at the bottom"), (FRAC_PI_2, "on the left"), (PI, "at the top"), (4.712_389, "on the right")];
    let (turn, side) = picture.random.pick(&turns);
    let frame = Frame::new(at(128.0, 128.0), turn + picture.random.range(-0.15, 0.15));
    let name = coastline(picture, &frame);
    picture.record(Kind::Sea, frame.point(0.0, 100.0));
    greenery(picture);
    let green = picture.near.first().copied();
    let mut facts = vec![("side", side.to_owned()), ("color", name.to_owned())];
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
            "we can see the {color} sea {side} with white waves",
            "the {color} sea {side} is next to a piece of yellow beach",
            "there are {trees} near the beach and the sea",
            "this is a beach with {color} sea water {side}",
        ],
    }
}

/// Draws the sand and the sea and returns the colour of the sea.
fn coastline(picture: &mut Picture, frame: &Frame) -> &'static str {
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
    let sand = picture.random.pick(&[[214.0, 198.0, 164.0], [202.0, 186.0, 152.0], [224.0, 212.0, 184.0]]);
    picture.canvas.fill(&coast(shore - breadth), &Paint { ragged: 3.0, ..natural(sand) });
    picture.canvas.fill(&coast(shore - 7.0), &Paint { opacity: 0.5, soft: 6.0, ..paint([150.0, 132.0, 104.0]) });
    let (sea, name) = picture.random.pick(&[
        ([52.0, 116.0, 120.0], "green"),
        ([40.0, 90.0, 136.0], "blue"),
        ([48.0, 100.0, 150.0], "blue"),
    ]);
    picture.canvas.fill(&coast(shore), &Paint { mottle: 10.0, ragged: 2.0, soft: 3.0, ..paint(sea) });
    let deep = sea.map(|part: f32| part * 0.72);
    picture.canvas.fill(&coast(shore + 40.0), &Paint { opacity: 0.8, soft: 70.0, ..paint(deep) });
    for line in 0..picture.random.between(1, 3) {
        let offset = shore + 1.0 + 13.0 * line as f32;
        let opacity = 0.85 - 0.25 * line as f32;
        let foam = Paint { opacity, ragged: 2.2, soft: 1.6, ..paint([238.0, 242.0, 240.0]) };
        picture.canvas.fill(&coast(offset).outline(1.4), &foam);
    }
    picture.reserve(&coast(shore - breadth), 3.0);
    name
}

/// Ponds on green land.
pub(crate) fn pond(picture: &mut Picture) -> Story {
    picture.land();
    if picture.random.chance(0.4) {
        side_road(picture);
    }
    let wanted = picture.random.pick(&[1, 1, 2, 2, 3, 4]);
    let reach = match wanted {
        1 => picture.random.range(38.0, 76.0),
        2 => picture.random.range(30.0, 48.0),
        _ => picture.random.range(22.0, 34.0),
    };
    for spot in picture.scatter(wanted, reach * 1.15) {
        let half = at(reach * picture.random.range(0.65, 0.9), reach * picture.random.range(0.65, 0.9));
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
