//! Airplanes, boats, buildings and tanks as they look from above.

use super::canvas::{Colour, Paint, direction, lit, paint};
use super::picture::Picture;
use super::shape::{Frame, Shape};

/// Draws an airplane whose nose points along the frame's x axis; `scale` is half its length.
pub(crate) fn airplane(picture: &mut Picture, frame: &Frame, scale: f32, accent: Colour) {
    let sized = |corners: &[(f32, f32)]| -> Shape {
        let scaled: Vec<_> = corners.iter().map(|&(x, y)| (x * scale, y * scale)).collect();
        frame.polygon(&scaled)
    };
    let wings = sized(&[
        (0.28, 0.0),
        (0.18, 0.10),
        (-0.22, 0.90),
        (-0.34, 0.90),
        (-0.16, 0.10),
        (-0.16, -0.10),
        (-0.34, -0.90),
        (-0.22, -0.90),
        (0.18, -0.10),
    ]);
    let tail = sized(&[
        (-0.72, 0.0),
        (-0.76, 0.08),
        (-0.92, 0.34),
        (-1.0, 0.34),
        (-0.94, 0.0),
        (-1.0, -0.34),
        (-0.92, -0.34),
        (-0.76, -0.08),
    ]);
    let body = sized(&[
        (1.0, 0.0),
        (0.95, 0.05),
        (0.84, 0.085),
        (0.6, 0.1),
        (-0.5, 0.1),
        (-0.95, 0.03),
        (-0.95, -0.03),
        (-0.5, -0.1),
        (0.6, -0.1),
        (0.84, -0.085),
        (0.95, -0.05),
    ]);
    let engines: Vec<Shape> = [-0.36, 0.36]
        .iter()
        .map(|&y| frame.line((0.16 * scale, y * scale), (-0.02 * scale, y * scale), 0.05 * scale))
        .collect();
    let height = scale * 0.22;
    for part in [&wings, &tail, &body] {
        picture.canvas.shade(part, height);
    }
    for engine in &engines {
        picture.canvas.fill(engine, &paint([150.0, 152.0, 156.0]));
    }
    picture.canvas.fill(&wings, &paint([208.0, 210.0, 212.0]));
    picture.canvas.fill(&tail, &paint(lit(accent, 1.1)));
    picture.canvas.fill(&body, &paint([244.0, 244.0, 242.0]));
    let stripe = frame.line((0.55 * scale, 0.0), (-0.5 * scale, 0.0), 0.03 * scale);
    picture.canvas.fill(&stripe, &paint([252.0, 252.0, 252.0]));
    let fin = frame.line((-0.6 * scale, 0.0), (-0.95 * scale, 0.0), 0.025 * scale);
    picture.canvas.fill(&fin, &paint(lit(accent, 0.8)));
    let cockpit = frame.line((0.86 * scale, -0.03 * scale), (0.86 * scale, 0.03 * scale), 0.025 * scale);
    picture.canvas.fill(&cockpit, &paint([70.0, 76.0, 84.0]));
}

/// Draws a boat whose bow points along the frame's x axis; `scale` is half its length.
pub(crate) fn boat(picture: &mut Picture, frame: &Frame, scale: f32) {
    let sized = |corners: &[(f32, f32)]| -> Shape {
        let scaled: Vec<_> = corners.iter().map(|&(x, y)| (x * scale, y * scale)).collect();
        frame.polygon(&scaled)
    };
    let hull =
        sized(&[(1.0, 0.0), (0.55, 0.28), (-0.9, 0.32), (-1.0, 0.25), (-1.0, -0.25), (-0.9, -0.32), (0.55, -0.28)]);
    let deck = sized(&[(0.75, 0.0), (0.4, 0.17), (-0.85, 0.2), (-0.85, -0.2), (0.4, -0.17)]);
    let cabin = sized(&[(0.3, 0.12), (-0.3, 0.16), (-0.3, -0.16), (0.3, -0.12)]);
    let covers: [Colour; 4] =
        [[196.0, 190.0, 176.0], [90.0, 110.0, 150.0], [214.0, 214.0, 210.0], [170.0, 150.0, 124.0]];
    let cover = picture.random.pick(&covers);
    picture.canvas.shade(&hull, 2.0);
    picture.canvas.fill(&hull, &paint([240.0, 240.0, 238.0]));
    picture.canvas.fill(&deck, &paint(cover));
    picture.canvas.fill(&cabin, &paint([226.0, 228.0, 230.0]));
    let glass = frame.line((0.3 * scale, -0.1 * scale), (0.3 * scale, 0.1 * scale), 0.5);
    picture.canvas.fill(&glass, &paint([60.0, 70.0, 80.0]));
}

/// Draws a house with a ridged roof.
pub(crate) fn house(picture: &mut Picture, frame: &Frame, half_width: f32, half_height: f32, roof: Colour) {
    let outer = frame.rectangle(half_width, half_height);
    picture.canvas.shade(&outer, 5.0);
    let inset = half_height * 0.75;
    let (left, right) = (-half_width + inset, half_width - inset);
    let (w, h) = (half_width, half_height);
    let sides = [
        ([(-w, -h), (w, -h), (right, 0.0), (left, 0.0)], (0.0, -1.0)),
        ([(-w, h), (w, h), (right, 0.0), (left, 0.0)], (0.0, 1.0)),
    ];
    let ends = [([(-w, -h), (left, 0.0), (-w, h)], (-1.0, 0.0)), ([(w, -h), (right, 0.0), (w, h)], (1.0, 0.0))];
    picture.canvas.fill(&outer, &paint(lit(roof, 0.95)));
    let mut slope = |corners: &[(f32, f32)], facing: (f32, f32)| {
        let outward = direction(frame.centre, frame.point(facing.0, facing.1));
        let light = picture.canvas.slope_light(outward);
        let tiles = Paint { grain: 8.0, ..paint(lit(roof, light)) };
        picture.canvas.fill(&frame.polygon(corners), &tiles);
    };
    for (corners, facing) in &sides {
        slope(corners, *facing);
    }
    for (corners, facing) in &ends {
        slope(corners, *facing);
    }
    let ridge = Paint { opacity: 0.5, ..paint(lit(roof, 1.3)) };
    picture.canvas.fill(&frame.line((left, 0.0), (right, 0.0), 0.5), &ridge);
}

/// Draws a large building with a flat roof, a parapet and machines on top.
pub(crate) fn block(picture: &mut Picture, frame: &Frame, half_width: f32, half_height: f32, roof: Colour) {
    let outer = frame.rectangle(half_width, half_height);
    picture.canvas.shade(&outer, 9.0);
    let across = frame.heading();
    let ribs = Some((across, picture.random.range(5.0, 12.0), 6.0));
    picture.canvas.fill(&outer, &Paint { stripes: ribs, mottle: 5.0, ..paint(roof) });
    picture.canvas.fill(&outer.outline(0.8), &paint(lit(roof, 1.15)));
    for _ in 0..picture.random.between(1, 5) {
        let x = picture.random.range(-0.8, 0.8) * half_width;
        let y = picture.random.range(-0.7, 0.7) * half_height;
        let box_shape = frame.shifted(x, y).rectangle(2.0, 1.6);
        picture.canvas.shade(&box_shape, 2.0);
        picture.canvas.fill(&box_shape, &paint(lit(roof, 0.85)));
    }
}

/// Draws a round storage tank.
pub(crate) fn tank(picture: &mut Picture, frame: &Frame, radius: f32, roof: Colour) {
    let shadow = picture.canvas.shadow;
    let disc = Shape::Disc(frame.centre, radius);
    picture.canvas.shade(&disc, radius * 0.55);
    picture.canvas.fill(&disc, &paint(lit(roof, 0.94)));
    let dark = frame.centre.plus(shadow.x * radius * 0.3, shadow.y * radius * 0.3);
    let gradient = Paint { opacity: 0.3, soft: radius, ..paint(lit(roof, 0.7)) };
    picture.canvas.fill(&Shape::Disc(dark, radius * 0.5), &gradient);
    picture.canvas.fill(&Shape::Disc(frame.centre, radius - 0.7).outline(0.7), &paint(lit(roof, 1.1)));
    picture.canvas.fill(&Shape::Disc(frame.centre, radius * 0.14), &paint(lit(roof, 0.75)));
    let ladder = frame.line((0.0, 0.0), (radius, 0.0), 0.5);
    picture.canvas.fill(&ladder, &paint(lit(roof, 0.8)));
}
