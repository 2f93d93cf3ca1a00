//! How confidences stand to what was wrong: reliability diagram, calibration error, ranking, risk and coverage.

use crate::random::Random;
use crate::trust::Confidence;
use serde::Serialize;

/// Bins of the reliability diagram.
const BINS: usize = 10;
/// Drawings that [`ece_by_chance`] is taken from, and where they start.
const DRAWINGS: usize = 2000;
const SEED: u64 = 0xECE;
/// Share of the drawings that [`Chance::most`] holds.
const MOST: f64 = 0.95;

/// A caption's confidence, and whether it is wrong.
pub type Pair = (Confidence, bool);

/// A bin of the reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Captions with a confidence in it.
    pub captions: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that invents nothing.
    pub right: f64,
}

/// Confidence and wrongness in ten equal bins.
#[must_use]
pub fn bins(pairs: &[Pair]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for &(confidence, is_wrong) in pairs {
        let thousandths = usize::from(confidence.thousandths());
        let bin = &mut bins[(thousandths * BINS / 1000).min(BINS - 1)];
        bin.captions += 1;
        bin.confidence += thousandths as f64 / 1000.0;
        bin.right += f64::from(u8::from(!is_wrong));
    }
    for bin in &mut bins {
        let count = bin.captions.max(1) as f64;
        (bin.confidence, bin.right) = (bin.confidence / count, bin.right / count);
    }
    bins
}

/// Expected calibration error (Naeini et al. 2015).
#[must_use]
pub fn ece(bins: &[Bin]) -> f64 {
    let total = bins.iter().map(|bin| bin.captions).sum::<usize>().max(1) as f64;
    bins.iter().map(|bin| bin.captions as f64 / total * (bin.confidence - bin.right).abs()).sum()
}

/// The calibration error that chance alone makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Chance {
    /// Its mean.
    pub mean: f64,
    /// It is no higher in 95 of 100 drawings.
    pub most: f64,
}

/// The calibration error of as many captions whose confidences are exactly right: each is right as often as its confidence says, drawn
/// many times (consistency resampling, Bröcker and Smith 2007). An error that is no higher tells nothing against the confidences. The
/// same pairs give the same figures on every machine.
#[must_use]
pub fn ece_by_chance(pairs: &[Pair]) -> Chance {
    let mut random = Random::new(SEED);
    let mut drawn = || {
        let pairs: Vec<Pair> = pairs
            .iter()
            .map(|&(confidence, _)| (confidence, random.below(1000) >= usize::from(confidence.thousandths())))
            .collect();
        ece(&bins(&pairs))
    };
    let mut errors: Vec<f64> = (0..DRAWINGS).map(|_| drawn()).collect();
    errors.sort_by(f64::total_cmp);
    Chance { mean: super::mean(&errors), most: errors[(MOST * DRAWINGS as f64) as usize] }
}

/// Share of pairs of a right and a wrong caption in which the right one has the higher confidence; ties count half. A half where there
/// is no such pair.
#[must_use]
pub fn auroc(pairs: &[Pair]) -> f64 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by_key(|&(confidence, _)| confidence);
    let (mut wrong_below, mut sum) = (0.0, 0.0);
    for ties in sorted.chunk_by(|a, b| a.0 == b.0) {
        let wrong = ties.iter().filter(|(_, is_wrong)| *is_wrong).count() as f64;
        sum += (ties.len() as f64 - wrong) * (wrong_below + wrong / 2.0);
        wrong_below += wrong;
    }
    let right = pairs.len() as f64 - wrong_below;
    if right * wrong_below > 0.0 { sum / (right * wrong_below) } else { 0.5 }
}

fn surest_first(pairs: &[Pair]) -> Vec<Pair> {
    let mut sorted = pairs.to_vec();
    sorted.sort_by_key(|&(confidence, _)| std::cmp::Reverse(confidence));
    sorted
}

/// Share of wrong captions among the surest share `coverage`; 0 without captions.
#[must_use]
pub fn risk(pairs: &[Pair], coverage: f64) -> f64 {
    let kept = ((pairs.len() as f64 * coverage).round() as usize).clamp(1, pairs.len().max(1));
    surest_first(pairs).iter().take(kept).filter(|(_, is_wrong)| *is_wrong).count() as f64 / kept as f64
}

/// Area under the risk–coverage curve (Geifman and El-Yaniv 2017).
#[must_use]
pub fn aurc(pairs: &[Pair]) -> f64 {
    let mut wrong = 0.0;
    let risks = surest_first(pairs).into_iter().enumerate().map(|(n, (_, is_wrong))| {
        wrong += f64::from(u8::from(is_wrong));
        wrong / (n + 1) as f64
    });
    risks.sum::<f64>() / pairs.len().max(1) as f64
}

#[cfg(test)]
fn pair((thousandths, is_wrong): (u16, bool)) -> Pair {
    (Confidence::from_thousandths(thousandths).unwrap_or(Confidence::MAX), is_wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A confidence at the lower end of a bin is in it, also those that no float is exactly.
    #[test]
    fn bins_begin_at_tenths() {
        for tenth in 0..=10 {
            let bins = bins(&[pair((100 * tenth, false)), pair(((100 * tenth).saturating_sub(1), false))]);
            assert_eq!(bins[usize::from(tenth).min(9)].captions, if tenth % 10 == 0 { 2 } else { 1 }, "{tenth}");
        }
        // 0.9 and 0.7 are 0.89999998 and 0.69999999 as 32-bit floats.
        let bins = bins(&[pair((900, true)), pair((899, false)), pair((700, false)), pair((699, true))]);
        assert!((ece(&bins) - (0.9 + 0.101 + 0.3 + 0.699) / 4.0).abs() < 1e-12, "{bins:?}");
    }

    /// Sure captions leave nothing to chance; of those that are right every other time, N in a bin stray by √(2/π) · ½/√N on average.
    #[test]
    fn chance_makes_the_error_of_few_captions() {
        let chance = |confidence: u16, captions: usize| ece_by_chance(&vec![pair((confidence, true)); captions]);
        assert_eq!([chance(1000, 50), chance(0, 50), ece_by_chance(&[])], [Chance::default(); 3]);
        for captions in [25, 400] {
            let expected = (2.0 / std::f64::consts::PI).sqrt() * 0.5 / (captions as f64).sqrt();
            let found = chance(500, captions);
            assert!((found.mean / expected - 1.0).abs() < 0.06, "{captions}: {found:?}, expected {expected}");
            // The 95 % of a half normal is 1.96 σ.
            assert!((found.most / (1.96 * 0.5 / (captions as f64).sqrt()) - 1.0).abs() < 0.15, "{captions}: {found:?}");
        }
    }

    #[test]
    fn measures_are_those_of_the_papers() {
        let pairs = [(950, false), (850, false), (750, true), (650, false), (150, true)].map(pair);
        let bins = bins(&pairs);
        assert_eq!((bins[9].captions, bins[9].right, bins[1].right), (1, 1.0, 0.0));
        assert!((ece(&bins) - (0.05 + 0.15 + 0.75 + 0.35 + 0.15) / 5.0).abs() < 1e-12);
        // Of six pairs one is the wrong way round.
        assert!((auroc(&pairs) - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(auroc(&[(500, true), (500, false)].map(pair)), 0.5);
        assert_eq!((risk(&pairs, 1.0), risk(&pairs, 0.4)), (0.4, 0.0));
        assert_eq!((risk(&[], 0.5), aurc(&[])), (0.0, 0.0));
        assert!((aurc(&pairs) - (0.0 + 0.0 + 1.0 / 3.0 + 0.25 + 0.4) / 5.0).abs() < 1e-12);
    }
}
