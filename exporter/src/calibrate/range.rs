//! From the spread of a tensor's values to the range that 8 bits cover: four ways.

use super::histogram::{HALF, Histogram};
use cssa::bundle::Target;
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

/// The levels that 8 bits offer to a tensor's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// U8 with any zero point: 256 levels over the range.
    Unsigned,
    /// S8 with zero point 0, from −127 to 127: 255 levels over a range with its middle at 0, whatever the values' sign.
    Symmetric,
}

/// How a range is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
/// Bins on each side of the narrowest range that the divergence looks at: one a level.
const NARROWEST: usize = 128;

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

impl Levels {
    /// What a target rounds activations to.
    #[must_use]
    pub fn of(target: Target) -> Self {
        match target {
            Target::Cpu | Target::Tract => Self::Unsigned,
            Target::Tensorrt => Self::Symmetric,
        }
    }

    /// How many they are.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::Unsigned => 256,
            Self::Symmetric => 255,
        }
    }

    /// What the levels cover when they are to cover `range`.
    #[must_use]
    pub fn over(self, range: Range) -> Range {
        match self {
            Self::Unsigned => range,
            Self::Symmetric => {
                let reach = range.high.max(-range.low);
                Range { low: -reach, high: reach }
            }
        }
    }
}

impl Method {
    /// The range of a tensor whose values are spread so and become `levels`.
    #[must_use]
    pub fn range(self, spread: &Histogram, levels: Levels) -> Range {
        let whole = Range { low: spread.low, high: spread.high };
        match self {
            Self::Minmax => levels.over(whole),
            Self::Percentile => levels.over(percentile(spread)),
            Self::Entropy => best_of(clipped(spread, levels), |range| divergence(spread, range, levels)),
            Self::Mse => {
                let candidates = (0..=80).map(|step| levels.over(scaled(whole, 1.0 - step as f32 / 100.0)));
                best_of(candidates, |range| squared_error(spread, range, levels))
            }
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
fn clipped(spread: &Histogram, levels: Levels) -> impl Iterator<Item = Range> {
    let (low, high, width) = (spread.low, spread.high, spread.width());
    (NARROWEST..=HALF).step_by(16).map(move |bins| {
        let reach = bins as f32 * width;
        levels.over(Range { low: low.max(-reach), high: high.min(reach) })
    })
}

/// Squared error of all values, rounded to the levels of the range and clipped at its ends.
fn squared_error(spread: &Histogram, range: Range, levels: Levels) -> f64 {
    let step = f64::from(range.high - range.low) / (levels.count() - 1) as f64;
    let per_bin = spread.bins.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, &count)| {
        let value = spread.middle(bin);
        let outside = (value - f64::from(range.high)).max(f64::from(range.low) - value).max(0.0);
        count as f64 * if outside > 0.0 { outside * outside } else { step * step / 12.0 }
    });
    per_bin.sum()
}

/// KL(P ‖ Q): P the values inside with those outside heaped on the ends, Q what is left of the values inside when the bins
/// are merged into the levels and each level is spread evenly over its occupied bins.
fn divergence(spread: &Histogram, range: Range, levels: Levels) -> f64 {
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
    let levels = levels.count().min(inside.len());
    for level in 0..levels {
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
        assert_eq!(Method::Minmax.range(&spread, Levels::Unsigned), Range { low: 0.0, high: 4.0 });
        for method in [Method::Percentile, Method::Entropy, Method::Mse] {
            let range = method.range(&spread, Levels::Unsigned);
            assert!((0.5..3.5).contains(&range.high) && range.low == 0.0, "{method}: {range:?}");
        }
    }

    #[test]
    fn an_even_spread_is_kept_whole() {
        let spread = spread(&(0..1_000_000).map(|n| n as f32 / 1e6 - 0.5).collect::<Vec<_>>());
        for method in METHODS {
            let range = method.range(&spread, Levels::Unsigned);
            assert!(range.high > 0.48 && range.low < -0.48, "{method}: {range:?}");
        }
    }

    #[test]
    fn nothing_but_zeros_has_an_empty_range() {
        for method in METHODS {
            for levels in [Levels::Unsigned, Levels::Symmetric] {
                let range = method.range(&spread(&[0.0; 8]), levels);
                assert_eq!(range, Range::default(), "{method}");
            }
        }
    }

    /// What rounding to a range's levels does to the values, squared and summed.
    fn error(values: &[f32], range: Range, levels: Levels) -> f64 {
        let step = (range.high - range.low) / (levels.count() - 1) as f32;
        let back = |x: f32| (x.clamp(range.low, range.high) / step).round() * step;
        values.iter().map(|&x| f64::from(x - back(x)).powi(2)).sum()
    }

    #[test]
    fn symmetric_levels_of_rectified_values_are_twice_as_far_apart_and_clip_more() {
        // A tail that falls by e every 0.4: with half of the levels unused behind a ReLU, clipping pays earlier.
        let values: Vec<f32> = (0..400_000).map(|n| -0.4 * ((n as f32 + 0.5) / 400_000.0).ln()).collect();
        let spread = spread(&values);
        let [unsigned, symmetric] =
            [Levels::Unsigned, Levels::Symmetric].map(|levels| Method::Mse.range(&spread, levels));
        assert!(symmetric.high < 0.97 * unsigned.high, "{symmetric:?} {unsigned:?}");
        assert_eq!(symmetric.low, -symmetric.high);
        // The choice for 256 levels over the values' own range is not the best one for ±127.
        let taken = Levels::Symmetric.over(unsigned);
        let [own, other] = [symmetric, taken].map(|range| error(&values, range, Levels::Symmetric));
        assert!(own < 0.97 * other, "{own} {other}");
        let entropy = [Levels::Unsigned, Levels::Symmetric].map(|levels| Method::Entropy.range(&spread, levels).high);
        assert!(entropy[1] <= entropy[0], "{entropy:?}");
    }

    #[test]
    fn levels_follow_the_target() {
        assert_eq!(Levels::of(Target::Cpu).count(), 256);
        assert_eq!(Levels::of(Target::Tensorrt).count(), 255);
        let range = Levels::of(Target::Tensorrt).over(Range { low: -0.5, high: 2.54 });
        assert_eq!(range, Range { low: -2.54, high: 2.54 });
    }
}
