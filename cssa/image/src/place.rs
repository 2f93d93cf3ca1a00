//! Places on the earth.

use crate::problem::Problem;

/// Receivers and cameras without a fix say 0, 0; closer to it than this is no place, in degrees: a metre of open sea.
const SENTINEL: f64 = 1e-5;

/// A place on the earth (WGS 84), in degrees north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// −90 to 90.
    pub latitude: f64,
    /// −180 to 180.
    pub longitude: f64,
}

impl Place {
    /// `None` where the degrees are no place on earth.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let on_earth = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        on_earth.then_some(Self { latitude, longitude })
    }

    /// The place that a receiver says it is at.
    ///
    /// # Errors
    /// Degrees that are no place, and 0, 0, which says that there is no fix.
    pub fn fix(latitude: f64, longitude: f64) -> Result<Self, Problem> {
        if latitude.abs() < SENTINEL && longitude.abs() < SENTINEL {
            return Err(Problem::NoFix("0, 0".into()));
        }
        Self::new(latitude, longitude).ok_or_else(|| Problem::Outside(format!("{latitude}, {longitude}")))
    }
}
