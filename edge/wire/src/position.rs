//! Where an image was taken.

use crate::error::WireError;
use crate::limits::MAX_DECIMALS;
use serde::{Deserialize, Serialize};

/// Units of [`Position`] in a degree, as MAVLink has them.
const UNITS: f64 = 1e7;

/// A place on the earth (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Degrees north × 10^7.
    latitude: i32,
    /// Degrees east × 10^7.
    longitude: i32,
}

impl Position {
    /// A place by degrees north and east; `None` where they are no place on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let units = |degrees: f64| libm::round(degrees * UNITS) as i32;
        Some(Self { latitude: units(latitude), longitude: units(longitude) })
    }

    /// Degrees north and east.
    #[must_use]
    pub fn degrees(self) -> (f64, f64) {
        (f64::from(self.latitude) / UNITS, f64::from(self.longitude) / UNITS)
    }

    /// The place with `decimals` decimals of a degree.
    #[must_use]
    pub fn rounded(self, decimals: u8) -> Self {
        let step = step(decimals);
        let round = |value: i32| (i64::from(value) + i64::from(value.signum()) * step / 2) / step * step;
        Self { latitude: round(self.latitude) as i32, longitude: round(self.longitude) as i32 }
    }

    /// Whole steps from the south pole and from 180° west.
    pub(crate) fn steps(self, decimals: u8) -> (i64, i64) {
        let (place, step) = (self.rounded(decimals), step(decimals));
        (
            i64::from(place.latitude) / step + 90 * per_degree(decimals),
            i64::from(place.longitude) / step + 180 * per_degree(decimals),
        )
    }

    /// The place of [`Position::steps`].
    pub(crate) fn of_steps((north, east): (i64, i64), decimals: u8) -> Result<Self, WireError> {
        let (one, step) = (per_degree(decimals), step(decimals));
        if !(0..=180 * one).contains(&north) || !(0..=360 * one).contains(&east) {
            return Err(WireError::Malformed);
        }
        Ok(Self { latitude: ((north - 90 * one) * step) as i32, longitude: ((east - 180 * one) * step) as i32 })
    }
}

/// Steps of a degree.
pub(crate) fn per_degree(decimals: u8) -> i64 {
    10i64.pow(u32::from(decimals.min(MAX_DECIMALS)))
}

/// Units of a step.
fn step(decimals: u8) -> i64 {
    10i64.pow(u32::from(MAX_DECIMALS - decimals.min(MAX_DECIMALS)))
}
