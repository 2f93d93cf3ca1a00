//! Places on the earth.

use crate::problem::Problem;
use std::time::Duration;

/// Receivers and cameras without a fix say 0, 0; closer to it than this is no place, in degrees: a metre of open sea.
const SENTINEL: f64 = 1e-5;
/// Metres a second that nothing on an orbit, nor below, has over ground: of two fixes that ask for more one is false.
const TOO_FAST: f64 = 10_000.0;
/// Metres of a degree of latitude, at least.
const DEGREE: f64 = 110_000.0;

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

    /// Whether something gets from here to there in a time; a tenth of a second more, since receivers' sentences come in bursts.
    #[must_use]
    pub fn reaches(self, to: Self, within: Duration) -> bool {
        let across = self.turn(to) * self.latitude.to_radians().cos().max(to.latitude.to_radians().cos());
        (to.latitude - self.latitude).hypot(across) * DEGREE <= TOO_FAST * (within.as_secs_f64() + 0.1)
    }

    /// The place that lies a share of the way to another one, the short way round the earth; `None` where that leads over a pole.
    #[must_use]
    pub fn towards(self, to: Self, share: f64) -> Option<Self> {
        let longitude = (self.longitude + self.turn(to) * share + 540.0).rem_euclid(360.0) - 180.0;
        Self::new(self.latitude + (to.latitude - self.latitude) * share, longitude)
    }

    /// Degrees from one longitude to another, the short way round the earth.
    fn turn(self, to: Self) -> f64 {
        (to.longitude - self.longitude + 540.0).rem_euclid(360.0) - 180.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_leads_over_the_date_line() {
        let at = |latitude, longitude| Place { latitude, longitude };
        let (west, east) = (at(0.0, 179.9999), at(0.0, -179.9997));
        let found = west.towards(east, 0.75).map_or(0.0, |found| found.longitude);
        assert!((found + 179.9998).abs() < 1e-9, "{found}");
        assert!(west.reaches(east, Duration::from_secs(1)) && !west.reaches(at(0.0, 0.0), Duration::from_secs(60)));
        assert_eq!(at(89.0, 0.0).towards(at(90.0, 0.0), 2.0), None);
        // A satellite's 7.5 km a second; no more than ten.
        let after = |degrees: f64| at(48.0, 11.0).reaches(at(48.0 + degrees, 11.0), Duration::from_secs(1));
        assert!(after(0.067) && !after(0.2) && !after(-68.0));
    }
}
