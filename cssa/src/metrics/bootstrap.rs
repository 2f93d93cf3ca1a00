//! Percentile bootstrap (Efron, 1979) over images: how far a corpus score would move if other images had been drawn.
//!
//! A resample draws as many images as there are, with replacement, and takes the statistic of those; the 95 % interval lies
//! between the 2.5 % and the 97.5 % quantile of all resamples (linear between neighbours). The statistic has to be a mean of one
//! value an image (CIDEr-D with the document frequencies of the whole corpus, the share of wrong captions), or a ratio of two
//! sums over the images (the share of invented objects). The generator starts from a fixed seed, so that the same values give
//! the same interval on every machine.

use crate::random::Random;

/// Resamples that an interval is taken from.
pub const RESAMPLES: usize = 10_000;
/// Share of the resamples below an interval, and above it.
const TAIL: f64 = 0.025;
const SEED: u64 = 0xC55A;

/// A 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5 % of the resamples are lower.
    pub low: f64,
    /// 2.5 % of the resamples are higher.
    pub high: f64,
}

/// How much two systems differ on the same images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Mean of second − first over the images.
    pub mean: f64,
    /// Of that mean; where it does not hold 0, other images would hardly turn the order of the two.
    pub interval: Interval,
}

/// Interval of the mean of one value an image; `None` without images.
#[must_use]
pub fn mean_interval(values: &[f64]) -> Option<Interval> {
    let pairs: Vec<(f64, f64)> = values.iter().map(|&value| (value, 1.0)).collect();
    interval(&pairs)
}

/// Interval of Σ part / Σ whole over the images, each a pair (part, whole); a resample without any whole counts as 0. `None`
/// without images.
#[must_use]
pub fn ratio_interval(images: &[(usize, usize)]) -> Option<Interval> {
    let pairs: Vec<(f64, f64)> = images.iter().map(|&(part, whole)| (part as f64, whole as f64)).collect();
    interval(&pairs)
}

/// Mean paired difference second − first, the values of both in the same order of images. `None` without images, or where the
/// two are not of the same length.
#[must_use]
pub fn paired_difference(first: &[f64], second: &[f64]) -> Option<Difference> {
    if first.len() != second.len() {
        return None;
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(first, second)| second - first).collect();
    Some(Difference { interval: mean_interval(&differences)?, mean: super::mean(&differences) })
}

fn interval(images: &[(f64, f64)]) -> Option<Interval> {
    if images.is_empty() {
        return None;
    }
    let mut random = Random::new(SEED);
    let mut statistics: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..images.len()).map(|_| images[random.below(images.len())]);
            let (part, whole) = drawn.fold((0.0, 0.0), |sum, image| (sum.0 + image.0, sum.1 + image.1));
            if whole == 0.0 { 0.0 } else { part / whole }
        })
        .collect();
    statistics.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&statistics, TAIL), high: quantile(&statistics, 1.0 - TAIL) })
}

/// The quantile of ascending values, linear between neighbours.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let position = share * (ascending.len() - 1) as f64;
    let (below, above) = (ascending[position.floor() as usize], ascending[position.ceil() as usize]);
    below + (above - below) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), &'static str>;
    const NONE: &str = "no interval";

    /// For n values of deviation s the mean's interval is ± 1.96 s/√n about it.
    #[test]
    fn the_interval_of_a_mean_is_that_of_the_normal_law() -> Outcome {
        let values: Vec<f64> = (0..400).map(|n| f64::from(n % 20)).collect();
        let deviation = (399.0_f64 / 12.0).sqrt();
        let Interval { low, high } = mean_interval(&values).ok_or(NONE)?;
        let half = 1.96 * deviation / 20.0;
        assert!((low - (9.5 - half)).abs() < 0.03 && (high - (9.5 + half)).abs() < 0.03, "{low} {high}");
        assert_eq!(mean_interval(&values), mean_interval(&values));
        assert_eq!(mean_interval(&[]), None);
        assert_eq!(mean_interval(&[2.0, 2.0]), Some(Interval { low: 2.0, high: 2.0 }));
        Ok(())
    }

    /// Images that say more weigh more: this is no mean of shares.
    #[test]
    fn the_interval_of_a_share_weighs_images_by_what_they_say() -> Outcome {
        let images: Vec<(usize, usize)> = (0..300).map(|n| if n % 3 == 0 { (1, 1) } else { (0, 4) }).collect();
        let Interval { low, high } = ratio_interval(&images).ok_or(NONE)?;
        let share = 1.0 / 9.0;
        assert!(low < share && share < high && high < 0.15 && low > 0.08, "{low} {high}");
        assert_eq!(ratio_interval(&[(0, 0)]), Some(Interval { low: 0.0, high: 0.0 }));
        Ok(())
    }

    /// Paired, a small constant gain is seen under a spread that hides it between unpaired intervals.
    #[test]
    fn a_difference_is_taken_image_by_image() -> Outcome {
        let first: Vec<f64> = (0..100).map(|n| f64::from(n % 10)).collect();
        let second: Vec<f64> = first.iter().enumerate().map(|(n, x)| x + 0.1 + 0.01 * (n % 2) as f64).collect();
        let Difference { mean, interval } = paired_difference(&first, &second).ok_or(NONE)?;
        assert!((mean - 0.105).abs() < 1e-9 && interval.low > 0.1 && interval.high < 0.11, "{mean} {interval:?}");
        assert!(mean_interval(&second).ok_or(NONE)?.low < mean_interval(&first).ok_or(NONE)?.high);
        assert_eq!(paired_difference(&first, &second[1..]), None);
        Ok(())
    }
}
