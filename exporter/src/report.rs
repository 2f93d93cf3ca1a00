//! The report of `exporter verify` as one HTML page: scores by runtime, the images that lost most, activation ranges.

use crate::calibrate::{Histogram, Range};
use crate::error::Result;
use crate::verification::{Case, Verification};
use cssa::page::{self, escape};
use cssa_image::embedded;
use std::fmt::Write;

/// Images shown.
const CASES: usize = 24;
/// Side of an image, in pixels.
const SIDE: u32 = 220;
/// Size of a histogram, in pixels, and its bars.
const WIDTH: usize = 260;
const HEIGHT: usize = 56;
const BARS: usize = 130;

/// What its style has besides.
const RULES: &str = ".two{display:grid;grid-template-columns:1fr 1fr;gap:1.2em}h4{margin:0;color:var(--soft);font-weight:500}\
.changed{color:var(--red);font-weight:600}.observers{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:1em}\
figure{overflow-wrap:anywhere}figcaption{font-size:12px;color:var(--soft)}";

/// The page.
pub fn page(verification: &Verification) -> Result<String> {
    let title = format!("Bundle {} on {} {}", verification.bundle, verification.dataset, verification.split);
    let mut page = format!(
        "<p>{} images, beside {}.</p>\n<table><tr><th>runtime</th><th>CIDEr</th><th>change</th>\
         <th>same caption</th><th>memory cosine</th><th>least</th><th>largest logit error</th><th>next word, nats</th></tr>\n\
         <tr><td>float</td><td>{:.4}</td><td></td><td></td><td></td><td></td><td></td><td></td></tr>\n",
        verification.images,
        escape(&verification.reference),
        verification.float_cider
    );
    for (runtime, compared) in &verification.runtimes {
        writeln!(
            page,
            "<tr><td>{runtime}</td><td>{:.4}</td><td>{:+.2} %</td><td>{:.1} %</td><td>{:.5}</td><td>{:.5}</td><td>{:.3}</td><td>{:.5}</td></tr>",
            compared.cider,
            compared.change * 100.0,
            compared.agreement * 100.0,
            compared.cosine,
            compared.least_cosine,
            compared.logit_error,
            compared.divergence
        )?;
    }
    page.push_str("</table>\n<h2>Images that lost most</h2>\n");
    let changed: Vec<&Case> = verification.cases.iter().filter(|case| case.float != case.caption).collect();
    if changed.is_empty() {
        page.push_str("<p>Every caption is the float model's.</p>\n");
    }
    for case in changed.iter().take(CASES) {
        write_case(&mut page, case)?;
    }
    let shown = verification.activations.len();
    writeln!(
        page,
        "<h2>Activation ranges</h2>\n<p>{shown} quantized activations of the float model, counts on a logarithmic scale; the bar \
         below is the range that 8 bits cover.</p>\n<div class=\"observers\">"
    )?;
    for (name, spread, range) in &verification.activations {
        write_spread(&mut page, name, spread, *range)?;
    }
    page.push_str("</div>\n");
    Ok(page::page(&title, RULES, &page))
}

fn write_case(page: &mut String, case: &Case) -> Result<()> {
    let references: String =
        case.sample.references.iter().map(|reference| format!("<li>{}</li>", escape(reference))).collect();
    let name = case.sample.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    writeln!(
        page,
        "<article><img alt=\"\" src=\"{}\"><div><div class=\"two\"><div><h4>float, CIDEr {:.3}</h4>{}</div>\
         <div><h4>bundle, CIDEr {:.3}</h4>{}</div></div><ul>{references}</ul><small>{} · memory cosine {:.5}</small></div></article>",
        embedded(&case.sample.path, SIDE)?,
        case.cider.0,
        beside(&case.float, &case.caption),
        case.cider.1,
        beside(&case.caption, &case.float),
        escape(&name),
        case.cosine
    )?;
    Ok(())
}

/// A caption with the words marked that the other one does not have.
fn beside(caption: &str, other: &str) -> String {
    let marked = caption.split(' ').map(|word| {
        let known = other.split(' ').any(|other| other == word);
        if known { escape(word) } else { format!("<span class=\"changed\">{}</span>", escape(word)) }
    });
    marked.collect::<Vec<_>>().join(" ")
}

fn write_spread(page: &mut String, name: &str, spread: &Histogram, range: Range) -> Result<()> {
    let (low, high) = (spread.low.min(range.low), spread.high.max(range.high));
    let place = |value: f32| f64::from(value - low) / f64::from((high - low).max(f32::MIN_POSITIVE));
    let mut bars = [0u64; BARS];
    let mut outside = 0;
    for (bin, count) in spread.bins.iter().enumerate().filter(|(_, count)| **count > 0) {
        let value = spread.middle(bin) as f32;
        bars[((place(value) * BARS as f64) as usize).min(BARS - 1)] += count;
        // A bin counts as outside when all of it is.
        let half = spread.width() / 2.0;
        outside += if value + half < range.low || value - half > range.high { *count } else { 0 };
    }
    let tallest = bars.iter().copied().max().unwrap_or(0).max(1) as f64;
    let mut path = String::new();
    let width = WIDTH as f64 / BARS as f64;
    for (n, count) in bars.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = ((*count as f64).ln_1p() / tallest.ln_1p()) * HEIGHT as f64;
        write!(path, "M{:.1} {HEIGHT}v-{height:.1}h{width:.1}v{height:.1}z", n as f64 * width)?;
    }
    let (from, to) = (place(range.low) * WIDTH as f64, place(range.high) * WIDTH as f64);
    writeln!(
        page,
        "<figure><svg viewBox=\"0 0 {WIDTH} {}\" width=\"{WIDTH}\" role=\"img\" aria-label=\"spread of {1}\"><path fill=\"var(--soft)\" d=\"{path}\"/>\
         <rect fill=\"var(--blue)\" x=\"{from:.1}\" y=\"{2}\" width=\"{3:.1}\" height=\"4\"/></svg><figcaption>{1}<br>{4:.3} to {5:.3} of \
         {6:.3} to {7:.3}, {8:.4} % outside</figcaption></figure>",
        HEIGHT + 8,
        escape(name),
        HEIGHT + 3,
        (to - from).max(1.0),
        range.low,
        range.high,
        spread.low,
        spread.high,
        outside as f64 / spread.total().max(1) as f64 * 100.0
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_are_marked_and_escaped() {
        assert_eq!(beside("a <b> plane", "a plane"), "a <span class=\"changed\">&lt;b&gt;</span> plane");
    }

    #[test]
    fn a_spread_is_drawn_with_its_range() -> Result<()> {
        let (mut spread, mut page) = (Histogram::default(), String::new());
        spread.add(&[-1.0, 0.5, 1.0, 4.0]);
        write_spread(&mut page, "relu_1", &spread, Range { low: -1.0, high: 1.0 })?;
        assert!(page.contains("-1.000 to 1.000 of -1.000 to 4.000, 25.0000 % outside"), "{page}");
        Ok(())
    }
}
