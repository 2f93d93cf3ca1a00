//! Where the vehicle was when a frame was taken: by the stamps of `sensor_msgs/NavSatFix` and of the frame, on one clock. Without a fix
//! close to the frame's stamp there is no place.

use crate::messages::{NavSatFix, Time};
use cssa_image::Place;
use std::collections::VecDeque;
use std::time::Duration;

/// Fixes that are held: a minute at ten a second, whatever their stamps are.
const HELD: usize = 600;
/// Fixes that are further apart, in degrees east, lie on both sides of the date line: nothing is said between them.
const APART: f64 = 90.0;
/// The variance in `position_covariance` is not known.
const COVARIANCE_UNKNOWN: u8 = 0;

/// The newest fixes.
#[derive(Debug, Default)]
pub(crate) struct Places(VecDeque<(i64, Place)>);

/// Why a fix is no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("the receiver has no fix")]
    Status,
    #[error("the fix has no stamp")]
    Stamp,
    #[error("how far the fix may be off is not known")]
    Covariance,
    #[error("{0} is no place")]
    Degrees(String),
}

impl Places {
    /// Keeps what a receiver says.
    ///
    /// # Errors
    /// It says that it does not know: no fix, no time, no covariance, 0, 0, or degrees that are none.
    pub(crate) fn say(&mut self, fix: &NavSatFix) -> Result<(), NoPlace> {
        if fix.status.status < 0 {
            return Err(NoPlace::Status);
        }
        let stamp = fix.header.stamp.nanoseconds().ok_or(NoPlace::Stamp)?;
        let variances = [fix.position_covariance[0], fix.position_covariance[4]];
        let is_known = |variance: &f64| variance.is_finite() && *variance >= 0.0;
        if fix.position_covariance_type == COVARIANCE_UNKNOWN || !variances.iter().all(is_known) {
            return Err(NoPlace::Covariance);
        }
        let place = Place::fix(fix.latitude, fix.longitude);
        let place = place.map_err(|_| NoPlace::Degrees(format!("{}, {}", fix.latitude, fix.longitude)))?;
        if self.0.len() == HELD {
            self.0.pop_front();
        }
        self.0.push_back((stamp, place));
        Ok(())
    }

    /// The place at a stamp: between the fixes before and after it where both are no further than `within`, else the one that is.
    pub(crate) fn at(&self, stamp: Time, within: Duration) -> Option<Place> {
        let at = stamp.nanoseconds()?;
        let near = i64::try_from(within.as_nanos()).unwrap_or(i64::MAX);
        let before = self.0.iter().filter(|(then, _)| *then <= at && at - then <= near).max_by_key(|(then, _)| *then);
        let after = self.0.iter().filter(|(then, _)| *then >= at && then - at <= near).min_by_key(|(then, _)| *then);
        match (before, after) {
            (Some((start, from)), Some((end, to))) if start != end => {
                let share = (at - start) as f64 / (end - start) as f64;
                let between = |from: f64, to: f64| from + (to - from) * share;
                if (to.longitude - from.longitude).abs() > APART {
                    return Some(if share < 0.5 { *from } else { *to });
                }
                Place::new(between(from.latitude, to.latitude), between(from.longitude, to.longitude))
            }
            (before, after) => before.or(after).map(|(_, place)| *place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Header, NavSatStatus};

    fn fix(sec: i32, latitude: f64, longitude: f64) -> NavSatFix {
        let header = Header { stamp: Time { sec, nanosec: 0 }, frame_id: String::new() };
        NavSatFix { header, latitude, longitude, position_covariance_type: 2, ..NavSatFix::default() }
    }

    fn at(places: &Places, sec: i32, nanosec: u32) -> Option<(f64, f64)> {
        let found = places.at(Time { sec, nanosec }, Duration::from_secs(1))?;
        Some(((found.latitude * 1e6).round() / 1e6, (found.longitude * 1e6).round() / 1e6))
    }

    #[test]
    fn a_frame_lies_between_the_fixes_around_its_stamp() {
        let mut places = Places::default();
        for fix in [fix(101, 48.001, 11.002), fix(100, 48.0, 11.0)] {
            assert_eq!(places.say(&fix), Ok(()));
        }
        assert_eq!(at(&places, 100, 500_000_000), Some((48.0005, 11.001)));
        assert_eq!(at(&places, 101, 0), Some((48.001, 11.002)));
        assert_eq!(at(&places, 102, 0), Some((48.001, 11.002)), "a second after the last one");
        assert_eq!(at(&places, 102, 1), None, "later nobody knows");
        assert_eq!(at(&places, 98, 999_999_999), None);
        assert_eq!(at(&places, 0, 0), None, "a frame without a stamp is nowhere");
        assert_eq!(at(&places, i32::MAX, u32::MAX), None);
    }

    #[test]
    fn over_the_date_line_the_nearer_fix_is_taken() {
        let mut places = Places::default();
        assert_eq!((places.say(&fix(10, 0.0, 179.9999)), places.say(&fix(11, 0.0, -179.9999))), (Ok(()), Ok(())));
        assert_eq!(at(&places, 10, 200_000_000), Some((0.0, 179.9999)));
        assert_eq!(at(&places, 10, 800_000_000), Some((0.0, -179.9999)));
    }

    #[test]
    fn what_a_receiver_does_not_know_is_no_place() {
        let (good, mut places) = (fix(100, 48.0, 11.0), Places::default());
        let no_fix = NavSatFix { status: NavSatStatus { status: -1, ..NavSatStatus::default() }, ..good.clone() };
        let unknown = NavSatFix { position_covariance_type: 0, ..good.clone() };
        let mut variances = good.clone();
        variances.position_covariance[4] = f64::NAN;
        for (fix, problem) in [
            (no_fix, NoPlace::Status),
            (unknown, NoPlace::Covariance),
            (variances, NoPlace::Covariance),
            (fix(0, 48.0, 11.0), NoPlace::Stamp),
            (fix(100, 0.0, 0.0), NoPlace::Degrees("0, 0".into())),
            (fix(100, f64::NAN, 11.0), NoPlace::Degrees("NaN, 11".into())),
            (fix(100, 91.0, 11.0), NoPlace::Degrees("91, 11".into())),
        ] {
            assert_eq!(places.say(&fix), Err(problem));
        }
        assert_eq!(at(&places, 100, 0), None);
    }

    #[test]
    fn fixes_do_not_pile_up() {
        let mut places = Places::default();
        assert!((1..2000).all(|sec| places.say(&fix(sec, 48.0, 11.0)).is_ok()));
        assert_eq!(places.0.len(), HELD);
    }
}
