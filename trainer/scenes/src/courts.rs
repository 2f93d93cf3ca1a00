//! Sports courts and fields as they look from above.

use std::f32::consts::FRAC_PI_4;

use super::canvas::{Colour, Paint, lit, natural, paint};
use super::picture::Picture;
use super::shape::{Frame, Shape};

const WHITE: Colour = [232.0, 232.0, 226.0];

/// Draws a tennis court with its surround; it needs 52 by 30 pixels.
pub(crate) fn tennis_court(picture: &mut Picture, frame: &Frame, inner: Colour, outer: Colour) {
    picture.canvas.fill(&frame.rectangle(25.0, 14.0), &paint(outer));
    picture.canvas.fill(&frame.rectangle(18.0, 8.5), &paint(inner));
    let white = Paint { opacity: 0.9, ..paint(WHITE) };
    let lines = [
        ((-18.0, -6.3), (18.0, -6.3)),
        ((-18.0, 6.3), (18.0, 6.3)),
        ((-9.5, -6.3), (-9.5, 6.3)),
        ((9.5, -6.3), (9.5, 6.3)),
        ((-9.5, 0.0), (9.5, 0.0)),
    ];
    for (from, to) in lines {
        picture.canvas.fill(&frame.line(from, to, 0.45), &white);
    }
    picture.canvas.fill(&frame.rectangle(18.0, 8.5).outline(0.5), &white);
    let net = frame.line((0.0, -9.5), (0.0, 9.5), 0.5);
    picture.canvas.shade(&net, 1.5);
    picture.canvas.fill(&net, &paint([60.0, 62.0, 62.0]));
}

/// Draws a basketball court with its surround; it needs 60 by 36 pixels.
pub(crate) fn basketball_court(picture: &mut Picture, frame: &Frame, inner: Colour, outer: Colour) {
    picture.canvas.fill(&frame.rectangle(29.0, 17.0), &paint(outer));
    picture.canvas.fill(&frame.rectangle(25.0, 13.5), &paint(inner));
    let white = Paint { opacity: 0.9, ..paint(WHITE) };
    let keys = paint(lit(outer, 0.9));
    for side in [-1.0, 1.0] {
        let key = frame.shifted(side * 20.0, 0.0).rectangle(5.0, 4.0);
        picture.canvas.fill(&key, &keys);
        picture.canvas.fill(&key.outline(0.5), &white);
        picture.canvas.fill(&Shape::Disc(frame.point(side * 15.0, 0.0), 4.0 * frame.scale).outline(0.45), &white);
        let corners: Vec<_> = (0..=10)
            .map(|step| {
                let angle = (step as f32 - 5.0) * 0.314_159_27;
                let reach = libm::cosf(angle) * 12.0;
                frame.point(side * (24.0 - reach), libm::sinf(angle) * 12.0)
            })
            .collect();
        picture.canvas.fill(&Shape::Stroke(corners, 0.45), &white);
    }
    picture.canvas.fill(&frame.rectangle(25.0, 13.5).outline(0.5), &white);
    picture.canvas.fill(&frame.line((0.0, -13.5), (0.0, 13.5), 0.5), &white);
    picture.canvas.fill(&Shape::Disc(frame.centre, 4.5 * frame.scale).outline(0.5), &white);
}

/// Draws a baseball diamond; home plate is at the frame's centre and the field opens along x.
pub(crate) fn baseball_diamond(picture: &mut Picture, frame: &Frame, radius: f32) {
    let fan = |reach: f32, wide: f32| -> Shape {
        let arc = (0..=16).map(|step| {
            let angle = (step as f32 / 8.0 - 1.0) * wide;
            frame.point(libm::cosf(angle) * reach, libm::sinf(angle) * reach)
        });
        Shape::Polygon(std::iter::once(frame.point(-reach * 0.06, 0.0)).chain(arc).collect())
    };
    let grass = Paint { stripes: Some((frame.heading(), 9.0, 7.0)), ..natural([96.0, 132.0, 70.0]) };
    let dirt = Paint { ragged: 0.4, ..natural([182.0, 146.0, 108.0]) };
    picture.canvas.fill(&fan(radius, 0.80), &Paint { ragged: 0.5, ..grass });
    picture.canvas.fill(&fan(radius, 0.80).outline(1.2), &dirt);
    picture.canvas.fill(&fan(radius * 0.56, 0.79), &dirt);
    let side = radius * 0.40;
    let corner = side * 0.5;
    let middle = frame.shifted(radius * 0.31, 0.0);
    let lawn = middle.polygon(&[(-corner, 0.0), (0.0, -corner), (corner, 0.0), (0.0, corner)]);
    picture.canvas.fill(&lawn, &Paint { ragged: 0.3, ..grass });
    picture.canvas.fill(&Shape::Disc(middle.centre, radius * 0.05), &dirt);
    picture.canvas.fill(&Shape::Disc(frame.centre, radius * 0.09), &dirt);
    let white = Paint { opacity: 0.8, ..paint(WHITE) };
    for turn in [-FRAC_PI_4, FRAC_PI_4] {
        let end = (libm::cosf(turn) * radius * 0.97, libm::sinf(turn) * radius * 0.97);
        picture.canvas.fill(&frame.line((0.0, 0.0), end, 0.4), &white);
    }
    let bases = [(corner * 2.0 + radius * 0.1, 0.0), (radius * 0.31, corner), (radius * 0.31, -corner)];
    for (x, y) in bases {
        picture.canvas.fill(&Shape::Disc(frame.point(x, y), 0.9), &white);
    }
}
