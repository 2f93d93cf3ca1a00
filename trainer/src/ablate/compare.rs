//! Paired differences between cells: the same seeds, the same images.

use super::bootstrap::{self, Interval};
use super::outcome::{Outcome, Part};
use std::collections::BTreeMap;

/// A cell with its outcomes by seed.
pub(super) type Outcomes = BTreeMap<u64, Outcome>;

/// What an interval says about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of the interval is above 0.
    Helps,
    /// All of it is below 0.
    Hurts,
    /// It holds 0.
    NotShown,
}

impl Verdict {
    fn of(interval: Interval) -> Self {
        if interval.low > 0.0 {
            Self::Helps
        } else if interval.high < 0.0 {
            Self::Hurts
        } else {
            Self::NotShown
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Helps => "helps",
            Self::Hurts => "hurts",
            Self::NotShown => "not shown",
        }
    }
}

/// A cell's CIDEr minus another's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Comparison {
    pub(super) interval: Interval,
    pub(super) seeds: usize,
    pub(super) images: usize,
    pub(super) verdict: Verdict,
}

/// Compares two cells on a split of a dataset over the seeds and images that both have; none where they have none in common.
pub(super) fn compare(cell: &Outcomes, base: &Outcomes, part: &Part) -> Option<Comparison> {
    let pairs: Vec<_> = cell
        .iter()
        .filter_map(|(seed, outcome)| Some((&outcome.part(part)?.cider, &base.get(seed)?.part(part)?.cider)))
        .collect();
    let images: Vec<&String> = pairs.first()?.0.keys().collect();
    let row = |(cell, base): &(&BTreeMap<String, f64>, &BTreeMap<String, f64>)| -> Option<Vec<f64>> {
        images.iter().map(|image| Some(cell.get(*image)? - base.get(*image)?)).collect()
    };
    let differences = pairs.iter().map(row).collect::<Option<Vec<_>>>()?;
    let interval = bootstrap::interval(&differences)?;
    Some(Comparison { interval, seeds: pairs.len(), images: images.len(), verdict: Verdict::of(interval) })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ablate::outcome::Scored;

    /// Outcomes of seeds 1, 2, …: CIDEr `seeds[n] + image` for images 0 to 29.
    pub(in crate::ablate) fn outcomes(seeds: &[f64]) -> Outcomes {
        let scored = |seed: &f64| {
            let cider: BTreeMap<String, f64> = (0..30).map(|n| (format!("{n}.png"), seed + f64::from(n))).collect();
            let mean = cider.values().sum::<f64>() / 30.0;
            Scored { split: "test".into(), scores: [("cider".to_owned(), mean)].into(), cider }
        };
        let outcome = |seed: &f64| Outcome {
            datasets: [("UCM".to_owned(), scored(seed))].into(),
            dev: [("UCM".to_owned(), Scored { split: "dev".into(), ..scored(&(seed + 50.0)) })].into(),
        };
        (1..).zip(seeds.iter().map(outcome)).collect()
    }

    #[test]
    fn differences_are_paired_by_seed_and_image() {
        let part = |name: &str| (name.to_owned(), "test".to_owned());
        // Seeds differ by far more than the cells do; the difference is 0.1 for every seed and image.
        let (base, cell) = (outcomes(&[1.0, 3.0, 7.0]), outcomes(&[1.1, 3.1, 7.1]));
        let found =
            compare(&cell, &base, &part("UCM")).unwrap_or_else(|| unreachable!("the cells share seeds and images"));
        assert!((found.interval.mean - 0.1).abs() < 1e-9 && found.interval.low > 0.099, "{found:?}");
        assert_eq!((found.verdict, found.seeds, found.images), (Verdict::Helps, 3, 30));
        assert_eq!(compare(&base, &cell, &part("UCM")).map(|found| found.verdict), Some(Verdict::Hurts));
        let mixed = compare(&outcomes(&[1.3, 2.9, 6.9]), &base, &part("UCM"));
        assert_eq!(mixed.map(|found| found.verdict), Some(Verdict::NotShown));
        assert_eq!(compare(&outcomes(&[1.1]), &base, &part("UCM")).map(|found| found.seeds), Some(1));
        assert_eq!(compare(&cell, &base, &part("rsicd")), None);
    }
}
