//! The reliability diagram: what is stated of captions against the share of them that is right.

use super::escape;
use crate::metrics::reliability::Bin;
use std::fmt::Write;

/// Side of the square in pixels, and room at its left and below it.
const SIDE: f64 = 270.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 46.0;
const TOP: f64 = 14.0;

/// The diagram, a disk per bin, its area by the number of captions; and the table of its numbers. `stated` names what runs to the right.
#[must_use]
pub fn diagram(bins: &[Bin], stated: &str) -> String {
    let (floor, right) = (TOP + SIDE, LEFT + SIDE);
    let (width, height, stated) = (right + 18.0, floor + BOTTOM, escape(stated));
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" \
         aria-label=\"share of captions that are not wrong over {stated}\">\
         <rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" class=\"grid\"/>"
    );
    for n in 0..=5 {
        let (share, text) = (f64::from(n) / 5.0, format!("{:.1}", f64::from(n) / 5.0));
        let (across, up) = (LEFT + share * SIDE, floor - share * SIDE);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{across}\" x2=\"{across}\" y1=\"{TOP}\" y2=\"{floor}\"/>\
             <line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{up}\" y2=\"{up}\"/>\
             <text text-anchor=\"middle\" x=\"{across}\" y=\"{}\">{text}</text>\
             <text text-anchor=\"end\" x=\"{}\" y=\"{}\">{text}</text>",
            floor + 17.0,
            LEFT - 6.0,
            up + 4.0
        );
    }
    let _ = write!(
        svg,
        "<line class=\"axis\" stroke-dasharray=\"4 3\" x1=\"{LEFT}\" y1=\"{floor}\" x2=\"{right}\" y2=\"{TOP}\"/>\
         <text text-anchor=\"middle\" x=\"{}\" y=\"{}\">{stated}</text>\
         <text text-anchor=\"middle\" transform=\"translate(14 {}) rotate(-90)\">share of captions that are not wrong</text>",
        LEFT + SIDE / 2.0,
        height - 8.0,
        TOP + SIDE / 2.0
    );
    let filled = || bins.iter().filter(|bin| bin.captions > 0);
    let total = filled().map(|bin| bin.captions).sum::<usize>().max(1) as f64;
    for bin in filled() {
        let _ = write!(
            svg,
            "<circle fill=\"var(--blue)\" fill-opacity=\".55\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{:.1}\">\
             <title>{} captions: {:.3} stated, {:.3} right</title></circle>",
            LEFT + bin.confidence * SIDE,
            floor - bin.right * SIDE,
            3.0 + 20.0 * (bin.captions as f64 / total).sqrt(),
            bin.captions,
            bin.confidence,
            bin.right
        );
    }
    let _ = writeln!(svg, "</svg>\n<table><tr><th>captions</th><th>{stated}, mean</th><th>not wrong</th></tr>");
    for bin in filled() {
        let _ =
            writeln!(svg, "<tr><td>{}</td><td>{:.3}</td><td>{:.3}</td></tr>", bin.captions, bin.confidence, bin.right);
    }
    svg.push_str("</table>\n");
    svg
}
