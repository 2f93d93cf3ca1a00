//! Folders of images that are none of what the model knows, and how many of them are seen to be.

use super::stated::Stated;
use cssa::trust::Reason;
use serde::Serialize;
use std::collections::BTreeMap;

/// A folder of images that are outside, and how many of them are seen to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutsideFolder {
    /// Its name.
    pub name: String,
    /// Images.
    pub images: usize,
    /// Share that is flagged.
    pub flagged: f64,
    /// Share that is less familiar than all but 5 % of the images within the domain.
    pub caught: f64,
    /// Flagged images by their plainest reason.
    pub reasons: BTreeMap<Reason, usize>,
}

impl OutsideFolder {
    /// Of what is said of its images; `threshold` is the familiarity that 5 % of the images within the domain lack.
    pub(super) fn of(name: &str, stated: &[Stated], threshold: f32) -> Self {
        let count = stated.len().max(1) as f64;
        let mut reasons = BTreeMap::new();
        for reason in stated.iter().filter_map(|one| one.reasons.first()) {
            *reasons.entry(*reason).or_default() += 1;
        }
        let caught = stated.iter().filter(|one| one.familiarity < threshold).count();
        let flagged = stated.iter().filter(|one| !one.reasons.is_empty()).count();
        Self {
            name: name.into(),
            images: stated.len(),
            flagged: flagged as f64 / count,
            caught: caught as f64 / count,
            reasons,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa::trust::Confidence;

    #[test]
    fn a_folder_outside_is_caught_by_familiarity_and_flagged_by_reasons() {
        let stated = |familiarity, reasons: &[Reason]| Stated {
            image: "a.png".into(),
            caption: "a road".into(),
            confidence: Confidence::MAX,
            familiarity,
            reasons: reasons.to_vec(),
        };
        let found = OutsideFolder::of(
            "fog",
            &[stated(0.0, &[Reason::Foggy, Reason::Unfamiliar]), stated(0.01, &[]), stated(0.9, &[Reason::Dark])],
            0.05,
        );
        assert!((found.flagged - 2.0 / 3.0).abs() < 1e-12 && (found.caught - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.reasons, [(Reason::Foggy, 1), (Reason::Dark, 1)].into());
    }
}
