//! A caption as a packet carries it.

use crate::limits::MAX_STEP;
use crate::position::Position;
use alloc::string::String;
use cssa::trust::{Confidence, Reason};

/// A caption on its way to the ground.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// Counts the sender's captions: two with the same number are the same caption.
    pub sequence: u32,
    /// Seconds since 1970-01-01 UTC, or since the vehicle's start where they are less than [`EARLIEST_UTC`](crate::EARLIEST_UTC):
    /// [`Time`](crate::Time) tells which.
    pub time: u32,
    /// Where the image was taken, rounded to the packet's decimals.
    pub position: Option<Position>,
    /// Probability that it names nothing that is not there, rounded to 1/31; none where the bundle has no statistics for it.
    pub confidence: Option<Confidence>,
    /// Why the image is none that the model knows, where it is none.
    pub outside: Option<Reason>,
    /// How much it matters, 0 to [`MAX_PRIORITY`](crate::MAX_PRIORITY).
    pub priority: u8,
    /// It may have been sent before.
    pub repeat: bool,
    /// Its words.
    pub text: String,
}

impl Caption {
    /// The caption as it arrives: its position has `decimals` decimals of a degree, its confidence is a multiple of 1/31.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        let position = self.position.map(|place| place.rounded(decimals));
        let confidence = self.confidence.map(|confidence| of_step(step_of(confidence)));
        Self { position, confidence, ..self }
    }
}

/// Confidence × 31, rounded.
pub(crate) fn step_of(confidence: Confidence) -> u8 {
    ((u32::from(confidence.thousandths()) * u32::from(MAX_STEP) + 500) / 1000) as u8
}

/// The confidence of a step of 1/31, in whole thousandths. The highest step begins at 0.984 and is no certainty: it is the middle of its
/// half, 0.992.
pub(crate) fn of_step(step: u8) -> Confidence {
    const HIGHEST: u16 = 992;
    let (step, most) = (u16::from(step.min(MAX_STEP)), u16::from(MAX_STEP));
    Confidence::from_thousandths(((step * 1000 + most / 2) / most).min(HIGHEST)).unwrap_or(Confidence::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_confidence_and_comes_back() {
        for step in 0..=MAX_STEP {
            assert_eq!(step_of(of_step(step)), step);
        }
        assert_eq!(
            [0, 16, 500, 984, 1000].map(|n| Confidence::from_thousandths(n).map(step_of)),
            [Some(0), Some(0), Some(16), Some(31), Some(31)]
        );
        assert_eq!([0, 16, 31].map(|step| of_step(step).thousandths()), [0, 516, 992]);
    }
}
