//! From what a search knows to a probability, in integers: the same confidence on every machine for the same quantized evidence.
//!
//! Two logistic regressions (Platt 1999). The first tells of one object that a caption names whether it is there, from
//! [`ObjectEvidence`]; the second of the whole caption whether it invents nothing, from the first one's answers and how familiar the
//! image is. Evidence, logits and logarithms are in 256ths, weights in 65,536ths, probabilities in 65,536ths.

use super::Confidence;
use serde::{Deserialize, Serialize};

/// Logits and other evidence: so many units are 1.
pub const UNITS: f32 = 256.0;
/// Weights and probabilities: so many are 1.
const ONE: i64 = 1 << 16;
/// A share counts for no less and no more than this and its complement: evidence has no infinite logits.
const LEAST_SHARE: f64 = 0.02;
/// The logit of [`LEAST_SHARE`]'s complement, in 256ths: what a caption with one object has for the second.
const SURE: i32 = 996;
/// Evidence of an object.
pub const OBJECT_INPUTS: usize = 4;
/// Evidence of a caption.
pub const CAPTION_INPUTS: usize = 7;
/// log p of a token counts for no less.
const LEAST_TOKEN: f32 = -3.0;

/// What speaks for an object that a caption names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectEvidence {
    /// log p of its word.
    pub token: f32,
    /// Share of what the looks' searches found that names it, by probability, 0 to 1.
    pub mass: f32,
    /// Of the nearest train images, the share that has it, in counts.
    pub near: u8,
    /// Of more train images.
    pub far: u8,
}

impl ObjectEvidence {
    /// An object for which nothing speaks: no search is sure of it, and no train image like the picture has it.
    pub const NOTHING: Self = Self { token: LEAST_TOKEN, mass: 0.0, near: 0, far: 0 };

    /// In 256ths.
    #[must_use]
    pub fn inputs(&self) -> [i32; OBJECT_INPUTS] {
        let token = if self.token.is_nan() { LEAST_TOKEN } else { self.token.clamp(LEAST_TOKEN, 0.0) };
        let mass = libm::roundf(self.mass.clamp(0.0, 1.0) * UNITS) as u32;
        [
            libm::roundf(token * UNITS) as i32,
            logit_of_share(mass, UNITS as u32),
            logit_of_share(u32::from(self.near), super::neighbours::NEAR as u32),
            logit_of_share(u32::from(self.far), super::neighbours::FAR as u32),
        ]
    }
}

/// ln(p / (1 − p)) of a share, in 256ths.
fn logit_of_share(part: u32, whole: u32) -> i32 {
    let share = (f64::from(part) / f64::from(whole)).clamp(LEAST_SHARE, 1.0 - LEAST_SHARE);
    libm::round(libm::log(share / (1.0 - share)) * f64::from(UNITS)) as i32
}

/// What tells of a caption as a whole, beside its objects. In 256ths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Cosine to the nearest train image.
    pub nearest: i32,
    /// Mean cosine to the nearest ones.
    pub mean: i32,
    /// Mahalanobis distance.
    pub distance: i32,
}

/// The regressions for one number of looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Of an object: bias, then a weight for each of [`ObjectEvidence::inputs`], in 65,536ths.
    pub object: [i32; OBJECT_INPUTS + 1],
    /// Of a caption: bias, then a weight for each of [`Calibration::caption_inputs`], in 65,536ths.
    pub caption: [i32; CAPTION_INPUTS + 1],
}

impl Calibration {
    /// The logit of an object being there, in 256ths.
    #[must_use]
    pub fn object(&self, evidence: &ObjectEvidence) -> i32 {
        weighted(&self.object, &evidence.inputs())
    }

    /// What the second regression weighs: Σ ln p, the least and the second least logit of the objects, their number, and the
    /// surroundings. In 256ths.
    #[must_use]
    pub fn caption_inputs(objects: &[i32], surroundings: Surroundings) -> [i32; CAPTION_INPUTS] {
        let (mut least, mut second) = (SURE, SURE);
        let mut sum = 0;
        for &logit in objects {
            let logit = logit.clamp(-SURE, SURE);
            sum += log_of_logistic(logit);
            second = second.min(least.max(logit));
            least = least.min(logit);
        }
        let Surroundings { nearest, mean, distance } = surroundings;
        [sum, least, second, (objects.len() as i32) << 8, nearest, mean, distance.clamp(0, 8 << 8)]
    }

    /// The probability that a caption with objects of these logits invents nothing.
    #[must_use]
    pub fn confidence(&self, objects: &[i32], surroundings: Surroundings) -> Confidence {
        let logit = weighted(&self.caption, &Self::caption_inputs(objects, surroundings));
        let thousandths = (i64::from(logistic(logit)) * 1000 + ONE / 2) / ONE;
        Confidence::from_thousandths(thousandths as u16).unwrap_or(Confidence::MAX)
    }
}

/// Bias + Σ weight · input, in 256ths.
fn weighted(weights: &[i32], inputs: &[i32]) -> i32 {
    let bias = weights.first().map_or(0, |&bias| i64::from(bias) * UNITS as i64);
    let sum: i64 =
        weights.iter().skip(1).zip(inputs).map(|(&weight, &input)| i64::from(weight) * i64::from(input)).sum();
    ((bias + sum) / ONE).clamp(-(1 << 20), 1 << 20) as i32
}

/// 1 / (1 + e^−x) of a logit in 256ths, in 65,536ths.
#[must_use]
pub fn logistic(logit: i32) -> u32 {
    libm::round(ONE as f64 / (1.0 + libm::exp(-f64::from(logit) / f64::from(UNITS)))) as u32
}

/// ln of the same, in 256ths.
fn log_of_logistic(logit: i32) -> i32 {
    libm::round(-libm::log1p(libm::exp(-f64::from(logit) / f64::from(UNITS))) * f64::from(UNITS)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        Calibration {
            object: [1 << 14, 1 << 13, 1 << 14, 1 << 14, 1 << 15],
            caption: [1 << 15, 1 << 16, 1 << 14, 0, 0, 0, 0, -(1 << 14)],
        }
    }

    #[test]
    fn more_evidence_is_more_confidence() {
        let evidence = |near| ObjectEvidence { token: -0.5, mass: 0.8, near, far: 4 * near };
        let logits = [0, 3, 7, 10].map(|near| calibration().object(&evidence(near)));
        assert!(logits.is_sorted() && logits[0] < 0 && logits[3] > 0);
        let confident = |objects: &[i32]| {
            calibration().confidence(objects, Surroundings { distance: 256, ..Surroundings::default() })
        };
        assert!(
            confident(&[900, 900]) > confident(&[900, 100]) && confident(&[900, 100]) > confident(&[100, 100, 100])
        );
        assert!(confident(&[]) > confident(&[600]), "a caption without objects invents none");
    }

    /// The numbers themselves, worked out by hand: whoever computes otherwise is not exact.
    #[test]
    fn numbers_are_these() {
        let evidence = ObjectEvidence { token: -1.5, mass: 0.5, near: 10, far: 0 };
        // logit(.98) = 3.8918 = 996/256.
        assert_eq!(evidence.inputs(), [-384, 0, 996, -996]);
        // (2^14·256 − 384·2^13 + 996·2^14 − 996·2^15) / 2^16 = 64 − 48 + 249 − 498.
        assert_eq!(calibration().object(&evidence), -233);
        assert_eq!([0, 256, -256, 1 << 20].map(logistic), [32_768, 47_911, 17_625, 65_536]);
        // ln logistic(0) = −.6931, twice.
        assert_eq!(Calibration::caption_inputs(&[0, 0, 2000], Surroundings::default()), [-359, 0, 0, 768, 0, 0, 0]);
        assert_eq!(
            Calibration::caption_inputs(&[300], Surroundings { nearest: 1, mean: 2, distance: 9999 })[1..],
            [300, 996, 256, 1, 2, 2048]
        );
        // 1/2 + 2 ln 1/2 = −226/256.
        assert_eq!(calibration().confidence(&[0, 0], Surroundings::default()).thousandths(), 293);
    }

    #[test]
    fn no_evidence_is_too_odd() {
        let odd = ObjectEvidence { token: f32::NAN, mass: f32::INFINITY, near: 255, far: 255 };
        assert_eq!(odd.inputs(), [-768, 996, 996, 996]);
        let extreme = Calibration { object: [i32::MAX; 5], caption: [i32::MIN; 8] };
        assert_eq!(extreme.object(&odd), 1 << 20);
        let confidence = |caption: [i32; CAPTION_INPUTS + 1]| {
            Calibration { caption, object: extreme.object }.confidence(&[i32::MAX; 40], Surroundings::default())
        };
        // Σ ln p is below 0, all else that is weighed above; alone, each drives the confidence to its end and not beyond.
        assert_eq!(confidence([i32::MIN; 8]).thousandths(), 0);
        assert_eq!(confidence([i32::MAX; 8]), Confidence::MAX);
        assert_eq!(confidence([0, i32::MIN, 0, 0, 0, 0, 0, 0]), Confidence::MAX);
    }
}
