//! Scenes of open land: farmland and forest.

use std::f32::consts::{FRAC_PI_2, TAU};

use super::canvas::{Colour, Paint, lit, natural};
use super::captions::Story;
use super::nature::{pool, road, tree, trees};
use super::objects::house;
use super::picture::{Kind, Picture};
use super::shape::{Frame, Shape, at};

const CROPS: [(Colour, &str); 7] = [
    ([92.0, 124.0, 62.0], "green"),
    ([74.0, 110.0, 54.0], "green"),
    ([112.0, 140.0, 74.0], "green"),
    ([158.0, 128.0, 94.0], "brown"),
    ([136.0, 106.0, 78.0], "brown"),
    ([196.0, 178.0, 112.0], "yellow"),
    ([184.0, 164.0, 104.0], "yellow"),
];

/// Parcels of farmland with furrows.
pub(crate) fn farmland(picture: &mut Picture) -> Story {
    picture.ground(natural([142.0, 132.0, 100.0]));
    let (columns, rows) = (picture.random.between(1, 4), picture.random.between(1, 3));
    let columns = if columns * rows == 1 { 2 } else { columns };
    let road_side = picture.random.chance(0.4);
    let tilt = picture.random.range(-0.1, 0.1) * if road_side { 0.15 } else { 1.0 };
    let turned = Frame::new(at(128.0, 128.0), tilt);
    let (x_edges, y_edges) = (edges(picture, columns), edges(picture, rows));
    let mut names: Vec<&str> = Vec::new();
    for column in x_edges.windows(2) {
        for row in y_edges.windows(2) {
            let (colour, name) = picture.random.pick(&CROPS);
            parcel(picture, &turned, (column[0], column[1]), (row[0], row[1]), colour);
            names.push(name);
        }
    }
    if road_side {
        let y = if picture.random.chance(0.5) { -120.0 } else { 120.0 };
        road(picture, &[turned.point(-190.0, y), turned.point(190.0, y)], 6.0);
        picture.record(Kind::Extra, turned.point(0.0, y));
        picture.extra = Some("a road");
    }
    farmhouse(picture);
    let mut facts = Vec::new();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => facts.push(("colors", (*one).to_owned())),
        [one, two] => facts.push(("colors", format!("{one} and {two}"))),
        _ => facts.push(("colors", "green and brown and yellow".to_owned())),
    }
    Story {
        category: "farmland",
        counted: Kind::Farmland,
        noun: ("piece of farmland", "pieces of farmland"),
        located: Kind::House,
        facts,
        templates: &[
            "there {are} {count} {noun} in the picture",
            "we can see {count} {noun} with different patterns",
            "{count} {colors} {noun} {are} next to each other",
            "the {count} {noun} are {colors}",
            "this is a picture with {colors} farmland",
            "a small house is {place} of the farmland",
            "there is a house {place} on the farmland",
            "{extra} is {extra_place} and {count} {noun} {are} nearby",
            "{extra} {extra_place} goes beside the farmland",
            "the farmland is divided into {count} pieces",
        ],
    }
}

fn edges(picture: &mut Picture, parts: usize) -> Vec<f32> {
    let mut cuts = vec![-170.0];
    for cut in 1..parts {
        let even = 256.0 * cut as f32 / parts as f32 - 128.0;
        cuts.push(even + picture.random.range(-12.0, 12.0));
    }
    cuts.push(170.0);
    cuts
}

fn parcel(picture: &mut Picture, turned: &Frame, x: (f32, f32), y: (f32, f32), colour: Colour) {
    let gap = picture.random.range(1.5, 3.0);
    let shape = turned.polygon(&[
        (x.0 + gap, y.0 + gap),
        (x.1 - gap, y.0 + gap),
        (x.1 - gap, y.1 - gap),
        (x.0 + gap, y.1 - gap),
    ]);
    let across = Frame::new(at(0.0, 0.0), picture.random.pick(&[0.0, FRAC_PI_2])).heading();
    let furrows = turned.point(across.x, across.y).plus(-128.0, -128.0);
    let strength = picture.random.range(0.0, 15.0);
    let tone = lit(colour, picture.random.range(0.88, 1.12));
    let soil =
        Paint { ragged: 0.8, stripes: Some((furrows, picture.random.range(3.5, 9.0), strength)), ..natural(tone) };
    picture.canvas.fill(&shape, &soil);
    let visible = |value: f32| value.clamp(-128.0, 128.0);
    let middle_x = (visible(x.0) + visible(x.1)) / 2.0;
    let middle_y = (visible(y.0) + visible(y.1)) / 2.0;
    picture.record(Kind::Farmland, turned.point(middle_x, middle_y));
}

fn farmhouse(picture: &mut Picture) {
    if !picture.random.chance(0.7) {
        return;
    }
    let spots = picture.scatter(1, 24.0);
    for spot in &spots {
        let yard = Shape::Disc(spot.centre, 21.0);
        picture.canvas.fill(&yard, &natural([150.0, 138.0, 108.0]));
        house(picture, spot, 11.0, 8.0, [150.0, 92.0, 74.0]);
        picture.record(Kind::House, spot.centre);
        for _ in 0..3 {
            let turn = picture.random.range(0.0, TAU);
            tree(picture, Frame::new(spot.centre, turn).point(19.0, 0.0), 4.0);
        }
    }
}

/// A dense forest, with a road, a pond or bare ground in it.
pub(crate) fn forest(picture: &mut Picture) -> Story {
    picture.ground(natural([52.0, 70.0, 40.0]));
    let mut facts = Vec::new();
    match picture.random.between(0, 3) {
        0 => {
            let x = picture.random.range(30.0, 226.0);
            let slant = picture.random.range(-20.0, 20.0);
            let upright = picture.random.chance(0.5);
            let ends =
                if upright { [at(x, -20.0), at(x + slant, 276.0)] } else { [at(-20.0, x), at(276.0, x + slant)] };
            road(picture, &ends, 6.0);
            picture.record(Kind::Extra, ends[0].towards(ends[1], 0.5));
            picture.extra = Some("a road");
            let way = if upright { "from top to bottom" } else { "from left to right" };
            facts.push(("way", way.to_owned()));
        }
        1 => hollow(picture, true),
        2 => hollow(picture, false),
        _ => {}
    }
    for _ in 0..900 {
        let centre = at(picture.random.range(-4.0, 260.0), picture.random.range(-4.0, 260.0));
        let radius = picture.random.range(4.0, 8.0);
        if picture.is_clear(&Shape::Disc(centre, radius)) {
            tree(picture, centre, radius);
        }
    }
    trees(picture, 60);
    Story {
        category: "forest",
        counted: Kind::Extra,
        noun: ("place", "places"),
        located: Kind::Extra,
        facts,
        templates: &[
            "many green trees are in the forest",
            "this is a dense forest with many green trees",
            "we can see many dark green trees in the forest",
            "there are many trees in this dense forest",
            "the forest is dense and many trees are green",
            "many green trees grow next to each other",
            "{extra} is {place} and many green trees are around it",
            "there is {extra} {place} of the dense forest",
            "{extra} {place} is surrounded by many green trees",
            "there is one road {way} in the forest",
            "a road through the dense forest goes {way}",
        ],
    }
}

fn hollow(picture: &mut Picture, wet: bool) {
    let half = at(picture.random.range(24.0, 44.0), picture.random.range(22.0, 40.0));
    let centre = at(picture.random.range(62.0, 194.0), picture.random.range(62.0, 194.0));
    let waves = [(); 4].map(|()| picture.random.range(-1.0, 1.0));
    let shape = Shape::blob(centre, half, waves);
    if wet {
        pool(picture, &shape);
        picture.extra = Some("a pond");
    } else {
        picture.canvas.fill(&shape, &natural([150.0, 132.0, 98.0]));
        picture.extra = Some("a bare clearing");
    }
    picture.reserve(&shape, 2.0);
    picture.record(Kind::Extra, centre);
}
