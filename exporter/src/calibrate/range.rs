//! From the spread of a tensor's values to the range that 8 bits cover: four ways.

use super::histogram::{HALF, Histogram};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The values that a tensor's 8 bits are to cover; 0 is among them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// Smallest, 0 at most.
    pub low: f32,
    /// Largest, 0 at least.
    pub high: f32,
}

/// How a range is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// All values seen.
    Minmax,
    /// All but one value in 100,000 at each end.
    Percentile,
    /// The clipping that leaves the distribution's information (Kullback–Leibler divergence, as TensorRT has it).
    Entropy,
    /// Least squared error of rounding and clipping together.
    Mse,
}

/// All of them.
pub const METHODS: [Method; 4] = [Method::Minmax, Method::Percentile, Method::Entropy, Method::Mse];

/// Share of the values that a percentile range leaves out at each end.
const OUTSIDE: f64 = 1e-5;
/// Levels that the divergence compares with: 8 bits.
const LEVELS: usize = 256;

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Minmax => "minmax",
            Self::Percentile => "percentile",
            Self::Entropy => "entropy",
            Self::Mse => "mse",
        })
    }
}

impl Method {
    /// The range of a tensor whose values are spread so.
    #[must_use]
    pub fn range(self, spread: &Histogram) -> Range {
        let whole = Range { low: spread.low, high: spread.high };
        match self {
            Self::Minmax => whole,
            Self::Percentile => percentile(spread),
            Self::Entropy => best_of(clipped(spread), |range| divergence(spread, range)),
            Self::Mse => best_of((0..=80).map(|step| scaled(whole, 1.0 - step as f32 / 100.0)), |range| {
                squared_error(spread, range)
            }),
        }
    }
}

fn scaled(range: Range, share: f32) -> Range {
    Range { low: range.low * share, high: range.high * share }
}

fn best_of(candidates: impl Iterator<Item = Range>, cost: impl Fn(Range) -> f64) -> Range {
    let costs = candidates.map(|range| (cost(range), range));
    costs.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(Range::default(), |(_, range)| range)
}

fn percentile(spread: &Histogram) -> Range {
    let outside = (spread.total() as f64 * OUTSIDE) as u64;
    let width = spread.width();
    let high = edge(spread, outside, (HALF..2 * HALF).rev()).map_or(0.0, |bin| (bin - HALF + 1) as f32 * width);
    let low = edge(spread, outside, 0..HALF).map_or(0.0, |bin| -((HALF - bin) as f32) * width);
    Range { low: low.max(spread.low), high: high.min(spread.high) }
}

/// The bin up to which more than `outside` values lie.
fn edge(spread: &Histogram, outside: u64, mut bins: impl Iterator<Item = usize>) -> Option<usize> {
    let mut seen = 0;
    bins.find(|&bin| {
        seen += spread.bins[bin];
        seen > outside
    })
}

/// Both ends cut at the same distance from zero, from a sixteenth of the bins outwards.
fn clipped(spread: &Histogram) -> impl Iterator<Item = Range> {
    let (low, high, width) = (spread.low, spread.high, spread.width());
    (LEVELS / 2..=HALF).step_by(16).map(move |bins| {
        let reach = bins as f32 * width;
        Range { low: low.max(-reach), high: high.min(reach) }
    })
}

/// Squared error of all values, rounded to the 255 steps of the range and clipped at its ends.
fn squared_error(spread: &Histogram, range: Range) -> f64 {
    let step = f64::from(range.high - range.low) / 255.0;
    let per_bin = spread.bins.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, &count)| {
        let value = spread.middle(bin);
        let outside = (value - f64::from(range.high)).max(f64::from(range.low) - value).max(0.0);
        count as f64 * if outside > 0.0 { outside * outside } else { step * step / 12.0 }
    });
    per_bin.sum()
}

/// KL(P ‖ Q): P the values inside with those outside heaped on the ends, Q what is left of the values inside when the bins
/// are merged into the levels of 8 bits and each level is spread evenly over its occupied bins.
fn divergence(spread: &Histogram, range: Range) -> f64 {
    let width = spread.width();
    if width <= 0.0 {
        return 0.0;
    }
    let first = HALF - ((-range.low / width).ceil() as usize).min(HALF);
    let end = (HALF + (range.high / width).ceil() as usize).clamp(first + 1, 2 * HALF);
    let inside: Vec<f64> = spread.bins[first..end].iter().map(|&count| count as f64).collect();
    let mut p = inside.clone();
    p[0] += spread.bins[..first].iter().sum::<u64>() as f64;
    let last = p.len() - 1;
    p[last] += spread.bins[end..].iter().sum::<u64>() as f64;
    let total: f64 = p.iter().sum();
    let kept: f64 = inside.iter().sum();
    if total == 0.0 || kept == 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    for level in 0..LEVELS.min(inside.len()) {
        let levels = LEVELS.min(inside.len());
        let bins = level * inside.len() / levels..(level + 1) * inside.len() / levels;
        let mass: f64 = inside[bins.clone()].iter().sum();
        let occupied = inside[bins.clone()].iter().filter(|count| **count > 0.0).count().max(1) as f64;
        for bin in bins.filter(|&bin| p[bin] > 0.0) {
            let q = if inside[bin] > 0.0 { mass / occupied / kept } else { 1e-12 };
            sum += p[bin] / total * (p[bin] / total / q.max(1e-12)).ln();
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(values);
        histogram
    }

    /// A bell over 0 to about 1, and `outliers` values at 4.
    fn bell(outliers: usize) -> Histogram {
        let values = (0..200_000).map(|n| {
            let x = n as f32 / 200_000.0;
            (0.5 + 0.25 * (x / (1.0 - x).max(1e-6)).ln() / 3.0).clamp(0.001, 0.999)
        });
        spread(&values.chain(std::iter::repeat_n(4.0, outliers)).collect::<Vec<_>>())
    }

    #[test]
    fn lonely_outliers_are_clipped_by_all_but_minmax() {
        let spread = bell(1);
        assert_eq!(Method::Minmax.range(&spread), Range { low: 0.0, high: 4.0 });
        for method in [Method::Percentile, Method::Entropy, Method::Mse] {
            let range = method.range(&spread);
            assert!((0.5..3.5).contains(&range.high) && range.low == 0.0, "{method}: {range:?}");
        }
    }

    #[test]
    fn an_even_spread_is_kept_whole() {
        let spread = spread(&(0..1_000_000).map(|n| n as f32 / 1e6 - 0.5).collect::<Vec<_>>());
        for method in METHODS {
            let range = method.range(&spread);
            assert!(range.high > 0.48 && range.low < -0.48, "{method}: {range:?}");
        }
    }

    #[test]
    fn nothing_but_zeros_has_an_empty_range() {
        for method in METHODS {
            let range = method.range(&spread(&[0.0; 8]));
            assert_eq!(range, Range::default(), "{method}");
        }
    }
}
