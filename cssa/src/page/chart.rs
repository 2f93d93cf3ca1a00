//! Curves over a number, as SVG that takes its colours from the page.

use super::escape;
use std::fmt::Write;

/// Size in pixels, with room around the curves for numbers and labels.
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 46.0;
/// Ticks of an axis, about.
const TICKS: f64 = 5.0;
/// Up to so many points, each has a dot.
const DOTTED: usize = 40;
const COLOURS: [&str; 4] = ["blue", "orange", "green", "violet"];

/// A curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Curves that share their axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart<'a> {
    /// What stands above.
    pub title: &'a str,
    /// What runs to the right, with its unit.
    pub x: &'a str,
    /// What runs upwards, with its unit.
    pub y: &'a str,
    /// The curves, four at most.
    pub series: &'a [Series],
    /// A place on the horizontal axis that is marked, and what stands there.
    pub mark: Option<(f64, &'a str)>,
}

impl Chart<'_> {
    /// The drawing; values that are no numbers are left out, and a chart without points says so.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points).filter(|point| is_finite(point));
        let x = Axis::over(points().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::over(points().map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{0}\">\
             <text class=\"title\" x=\"{LEFT}\" y=\"18\">{0}</text>",
            escape(self.title)
        );
        let (Some(x), Some(y)) = (x, y) else {
            let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"80\">no points</text></svg>");
            return svg;
        };
        self.draw_axes(&mut svg, &x, &y);
        if let Some((place, text)) = self.mark {
            let (at, end) = (x.place(place), if place > x.middle() { ("end", -5.0) } else { ("start", 5.0) });
            let _ = write!(
                svg,
                "<line class=\"axis\" stroke-dasharray=\"4 3\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{1}\"/>\
                 <text text-anchor=\"{2}\" x=\"{3:.1}\" y=\"{4}\">{0}</text>",
                escape(text),
                HEIGHT - BOTTOM,
                end.0,
                at + end.1,
                HEIGHT - BOTTOM - 8.0
            );
        }
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let shown: Vec<&(f64, f64)> = series.points.iter().filter(|point| is_finite(point)).collect();
            let line: Vec<String> =
                shown.iter().map(|point| format!("{:.1},{:.1}", x.place(point.0), y.place(point.1))).collect();
            let _ = write!(
                svg,
                "<polyline fill=\"none\" stroke=\"var(--{colour})\" stroke-width=\"1.8\" stroke-linejoin=\"round\" points=\"{}\"/>",
                line.join(" ")
            );
            for point in shown.iter().filter(|_| shown.len() <= DOTTED) {
                let _ = write!(
                    svg,
                    "<circle fill=\"var(--{colour})\" r=\"3\" cx=\"{:.1}\" cy=\"{:.1}\"><title>{}: {} at {}</title></circle>",
                    x.place(point.0),
                    y.place(point.1),
                    escape(&series.name),
                    rounded(point.1),
                    rounded(point.0)
                );
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_axes(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text) in y.ticks() {
            let at = y.place(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                LEFT - 7.0,
                at + 4.0
            );
        }
        for (value, text) in x.ticks() {
            let at = x.place(value);
            let _ = write!(
                svg,
                "<line class=\"axis\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{floor}\" y2=\"{}\"/>\
                 <text text-anchor=\"middle\" x=\"{at:.1}\" y=\"{}\">{text}</text>",
                floor + 4.0,
                floor + 17.0
            );
        }
        let _ = write!(
            svg,
            "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{floor}\" y2=\"{floor}\"/>\
             <text text-anchor=\"middle\" x=\"{:.1}\" y=\"{}\">{}</text>\
             <text text-anchor=\"middle\" transform=\"translate(14 {:.1}) rotate(-90)\">{}</text>",
            (LEFT + right) / 2.0,
            HEIGHT - 8.0,
            escape(self.x),
            (TOP + floor) / 2.0,
            escape(self.y)
        );
        if self.series.len() < 2 {
            return;
        }
        let mut at = LEFT;
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let _ = write!(
                svg,
                "<rect fill=\"var(--{colour})\" x=\"{at:.1}\" y=\"29\" width=\"14\" height=\"4\"/><text x=\"{:.1}\" y=\"36\">{}</text>",
                at + 19.0,
                escape(&series.name)
            );
            at += 34.0 + 7.0 * series.name.chars().count() as f64;
        }
    }
}

fn is_finite(point: &(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}

/// A number as a person reads it: four digits that count.
fn rounded(value: f64) -> String {
    let size = value.abs();
    match () {
        () if value == 0.0 => "0".into(),
        () if !(1e-3..1e7).contains(&size) => {
            let text = format!("{value:.3e}");
            let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        () => {
            let decimals = (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize;
            let text = format!("{value:.decimals$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    }
}

/// Values from `low` to `high` between two places in pixels.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// An axis that begins and ends on ticks, with all values between; none without values.
    fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Option<Self> {
        // Epochs and steps have no halves.
        let mut is_whole = true;
        let values = values.inspect(|value| is_whole &= value.fract() == 0.0);
        let bounds = values.fold(None, |bounds: Option<(f64, f64)>, value| {
            Some(bounds.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        });
        let (mut low, mut high) = bounds?;
        // What is small beside its largest value begins at zero.
        if low > 0.0 && low < 0.4 * high {
            low = 0.0;
        }
        if high - low <= f64::EPSILON * high.abs().max(1.0) {
            (low, high) = if high == 0.0 { (0.0, 1.0) } else { (low - high.abs() / 2.0, high + high.abs() / 2.0) };
        }
        let raw = (high - low) / TICKS;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= raw * 0.999)?;
        let step = if is_whole { step.max(1.0) } else { step };
        let (low, high) = ((low / step + 1e-9).floor() * step, (high / step - 1e-9).ceil() * step);
        Some(Self { low, high, step, from, to })
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn middle(&self) -> f64 {
        (self.low + self.high) / 2.0
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count)
            .map(|n| {
                let value = self.low + n as f64 * self.step;
                // Sums of steps end at zero only nearly.
                let value = if value.abs() < self.step * 1e-6 { 0.0 } else { value };
                (value, rounded(value))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_on_round_numbers_around_all_values() {
        let texts = |values: &[f64]| -> Vec<String> {
            let axis = Axis::over(values.iter().copied(), 0.0, 100.0);
            axis.map(|axis| axis.ticks().into_iter().map(|tick| tick.1).collect()).unwrap_or_default()
        };
        assert_eq!(texts(&[1.0, 9.5]), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(&[2.61, 2.79]), ["2.6", "2.65", "2.7", "2.75", "2.8"]);
        assert_eq!(texts(&[1e-5, 3e-4]), ["0", "1e-4", "2e-4", "3e-4"]);
        assert_eq!(texts(&[5.0]), ["2", "3", "4", "5", "6", "7", "8"]);
        assert_eq!(texts(&[-1.0, 0.9]), ["-1", "-0.5", "0", "0.5", "1"]);
        assert_eq!(texts(&[0.0, 1.0]), ["0", "1"]);
        assert_eq!(texts(&[0.0]), ["0", "1"]);
        assert!(texts(&[]).is_empty());
    }

    #[test]
    fn points_lie_where_their_values_are_and_what_is_no_number_is_left_out() {
        let series = [Series { name: "a <b>".into(), points: vec![(0.0, 0.0), (5.0, f64::NAN), (10.0, 10.0)] }];
        let svg = Chart { title: "t", x: "step", y: "loss", series: &series, mark: Some((10.0, "best")) }.svg();
        let expected = format!("points=\"{LEFT:.1},{:.1} {:.1},{TOP:.1}\"", HEIGHT - BOTTOM, WIDTH - RIGHT);
        assert!(svg.contains(&expected), "{svg}");
        assert!(svg.contains("<title>a &lt;b&gt;: 10 at 10</title>") && svg.contains(">best</text>"), "{svg}");
        let empty = Chart { title: "t", x: "step", y: "loss", series: &[], mark: None }.svg();
        assert!(empty.contains("no points") && empty.trim_end().ends_with("</svg>"));
    }
}
