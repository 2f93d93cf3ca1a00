//! How far a caption can be believed: its calibrated confidence, and why an image may be none that the model knows.
//!
//! Of a picture [`image_check`] looks at the pixels, [`familiarity`] at the mean memory, and [`neighbours`] at the train images that
//! are like it. [`evidence`] joins that with what the search found and chooses among several looks' captions; [`calibration`] makes a
//! probability of it.

pub mod calibration;
pub mod evidence;
pub mod familiarity;
pub mod image_check;
pub mod neighbours;

pub use calibration::Calibration;
pub use evidence::{Evidence, ObjectWords};
pub use familiarity::{Familiarity, FamiliarityError};
pub use image_check::{ImageLimits, ImageStatistics};
pub use neighbours::{Neighbourhood, Neighbours};

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Probability that a caption names nothing that is not there, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Confidence(u16);

impl Confidence {
    /// Certainty.
    pub const MAX: Self = Self(1000);

    /// From thousandths; `None` above 1000.
    #[must_use]
    pub fn from_thousandths(thousandths: u16) -> Option<Self> {
        (thousandths <= Self::MAX.0).then_some(Self(thousandths))
    }

    /// In thousandths, 0 to 1000.
    #[must_use]
    pub fn thousandths(self) -> u16 {
        self.0
    }

    /// 0 to 1.
    #[must_use]
    pub fn value(self) -> f32 {
        f32::from(self.0) / 1000.0
    }
}

impl From<Confidence> for f32 {
    fn from(confidence: Confidence) -> Self {
        confidence.value()
    }
}

/// A confidence that is no probability.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a confidence of {0}, expected 0 to 1")]
pub struct NoProbability(pub f32);

impl TryFrom<f32> for Confidence {
    type Error = NoProbability;

    fn try_from(value: f32) -> Result<Self, NoProbability> {
        if !(0.0..=1.0).contains(&value) {
            return Err(NoProbability(value));
        }
        Ok(Self(libm::roundf(value * 1000.0) as u16))
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// Why an image is outside of what the model knows. The order is the packet's: only ever append, and with a new wire version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It is like nothing among the train images.
    Unfamiliar,
    /// One colour: a lens cap, a lost frame.
    Blank,
    /// Nearly all of it is black.
    Dark,
    /// Nearly all of it is at the upper end of the scale.
    Overexposed,
    /// Out of focus.
    Defocused,
    /// Smeared by motion.
    Smeared,
    /// More noise than picture.
    Noisy,
    /// Without contrast: fog, cloud.
    Foggy,
}

impl Reason {
    /// All of them, in the packet's order.
    pub const ALL: [Self; 8] = [
        Self::Unfamiliar,
        Self::Blank,
        Self::Dark,
        Self::Overexposed,
        Self::Defocused,
        Self::Smeared,
        Self::Noisy,
        Self::Foggy,
    ];

    /// Its name in JSON, configuration and on the map.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unfamiliar => "unfamiliar",
            Self::Blank => "blank",
            Self::Dark => "dark",
            Self::Overexposed => "overexposed",
            Self::Defocused => "defocused",
            Self::Smeared => "smeared",
            Self::Noisy => "noisy",
            Self::Foggy => "foggy",
        }
    }

    /// Its number in a packet.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The reason of a number.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that stands for no reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no reason of an image outside")]
pub struct UnknownReason(pub String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(name: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.name() == name).ok_or_else(|| UnknownReason(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_one_name_and_one_number() {
        for (code, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!((usize::from(reason.code()), Reason::of_code(reason.code())), (code, Some(reason)));
            assert_eq!(reason.name().parse(), Ok(reason));
        }
        assert_eq!(Reason::of_code(8), None);
        assert_eq!("sleepy".parse::<Reason>(), Err(UnknownReason("sleepy".into())));
    }

    #[test]
    fn a_confidence_is_a_probability() {
        assert_eq!(Confidence::try_from(0.873_4).map(Confidence::thousandths), Ok(873));
        assert_eq!(Confidence::try_from(1.0), Ok(Confidence::MAX));
        assert!(Confidence::try_from(-0.1).is_err() && Confidence::try_from(f32::NAN).is_err());
        assert_eq!(Confidence::from_thousandths(1001), None);
    }
}
