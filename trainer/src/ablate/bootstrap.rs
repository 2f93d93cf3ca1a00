//! 95 % intervals of a paired difference, by the bootstrap over seeds and images (Efron & Tibshirani 1993, percentiles).
//!
//! d_si is the difference for seed s and image i. Each draw takes as many seeds and as many images as there are, with
//! repetition, the same images for all drawn seeds, and averages; the interval holds the middle 95 % of the draws. A mean of n
//! drawn seeds varies less than one of n new ones, by √((n−1)/n): with so few seeds it matters, and the draws' distance to the
//! mean over all seeds is stretched by as much. A single seed is not drawn, and the interval is then over images alone.

use cssa::random::Random;

/// How often everything is drawn.
const DRAWS: usize = 4000;
/// Always the same draws for the same numbers.
const SEED: u64 = 0xB007;

/// A mean and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    /// Over all seeds and images.
    pub(super) mean: f64,
    /// 2.5 % of the draws are lower.
    pub(super) low: f64,
    /// 2.5 % of the draws are higher.
    pub(super) high: f64,
}

/// The interval of `differences[seed][image]`; none where there is no seed, no image, or the seeds' images differ in number.
pub(super) fn interval(differences: &[Vec<f64>]) -> Option<Interval> {
    let (seeds, images) = (differences.len(), differences.first()?.len());
    if images == 0 || differences.iter().any(|row| row.len() != images) {
        return None;
    }
    let stretch = if seeds > 1 { (seeds as f64 / (seeds as f64 - 1.0)).sqrt() } else { 1.0 };
    let mut random = Random::new(SEED);
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<usize> = (0..images).map(|_| random.below(images)).collect();
            let mean = |row: &Vec<f64>| drawn.iter().map(|&image| row[image]).sum::<f64>() / images as f64;
            let means: Vec<f64> = differences.iter().map(mean).collect();
            let all = average(&means);
            let some: Vec<f64> = (0..seeds).map(|_| means[random.below(seeds)]).collect();
            all + stretch * (average(&some) - all)
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[(share * (DRAWS - 1) as f64).round() as usize];
    let mean = average(&differences.iter().map(|row| average(row)).collect::<Vec<_>>());
    Some(Interval { mean, low: at(0.025), high: at(0.975) })
}

fn average(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made-up differences: `truth`, and noise of each seed and of each image.
    fn made_up(truth: f64, seeds: usize, noise: (f64, f64), random: &mut Random) -> Vec<Vec<f64>> {
        (0..seeds)
            .map(|_| {
                let seed = truth + noise.0 * f64::from(random.normal());
                (0..100).map(|_| seed + noise.1 * f64::from(random.normal())).collect()
            })
            .collect()
    }

    #[test]
    fn a_known_difference_is_covered_and_a_large_one_excludes_zero() {
        let mut random = Random::new(4);
        let found: Vec<Interval> =
            (0..40).filter_map(|_| interval(&made_up(0.3, 5, (0.05, 0.5), &mut random))).collect();
        let covered = found.iter().filter(|found| found.low < 0.3 && 0.3 < found.high).count();
        assert!(covered >= 32, "{covered} of 40");
        assert!(found.iter().filter(|found| found.low > 0.0).count() >= 38);
    }

    #[test]
    fn what_only_the_seeds_make_includes_zero() {
        let seed = |shift: f64| vec![shift; 50];
        let found = interval(&[seed(0.2), seed(-0.1), seed(0.1), seed(-0.2)]);
        assert!(found.is_some_and(|found| found.low < 0.0 && found.high > 0.0 && found.mean.abs() < 1e-12));
    }

    #[test]
    fn one_seed_varies_with_the_images_alone() {
        assert_eq!(interval(&[vec![0.1; 20]]).map(|found| found.high - found.low), Some(0.0));
        let found = interval(&[(0..20).map(f64::from).collect()]);
        assert!(found.is_some_and(|found| found.low < 9.5 && found.high > 9.5));
    }

    #[test]
    fn nothing_has_no_interval() {
        assert_eq!((interval(&[]), interval(&[vec![]]), interval(&[vec![1.0], vec![]])), (None, None, None));
    }
}
