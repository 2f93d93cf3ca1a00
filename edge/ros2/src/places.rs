//! Where the vehicle was when a frame was taken: by the stamps of `sensor_msgs/NavSatFix` and of the frame, on one clock. Without a fix
//! close to the frame's stamp there is no place.

use crate::messages::{NavSatFix, Time};
use cssa_image::Place;
use std::collections::VecDeque;
use std::time::Duration;

/// Fixes that are held: a minute at ten a second, whatever their stamps are.
const HELD: usize = 600;
/// A fix whose stamp lies further before the newest one's is of a clock that was set back, or of a recording that begins again.
const BACK: i64 = 200_000_000;
/// Metres, as a standard deviation, that a fix may be off.
const LEAST_SURE: f64 = 100.0;
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
    #[error("the fix may be {0} m off, expected at most {LEAST_SURE} m")]
    Unsure(u64),
    #[error("{0} is no place")]
    Degrees(String),
}

impl Places {
    /// Keeps what a receiver says. After a clock that was set back nothing is known of before: stamps of two clocks do not compare.
    ///
    /// # Errors
    /// It says that it does not know: no fix, no time, no covariance or one of more than a hundred metres, 0, 0, or degrees that are none.
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
        let off = variances.into_iter().fold(0.0, f64::max).sqrt();
        if off > LEAST_SURE {
            return Err(NoPlace::Unsure(off.ceil() as u64));
        }
        let place = Place::fix(fix.latitude, fix.longitude);
        let place = place.map_err(|_| NoPlace::Degrees(format!("{}, {}", fix.latitude, fix.longitude)))?;
        if self.0.iter().any(|(then, _)| then - stamp > BACK) {
            self.0.clear();
        }
        if self.0.len() == HELD {
            self.0.pop_front();
        }
        self.0.push_back((stamp, place));
        Ok(())
    }

    /// The place at a stamp: between the fixes before and after it where both are no further than `within`, else the one that is. `None`
    /// also where these two ask for a speed that nothing has.
    pub(crate) fn at(&self, stamp: Time, within: Duration) -> Option<Place> {
        let at = stamp.nanoseconds()?;
        let near = i64::try_from(within.as_nanos()).unwrap_or(i64::MAX);
        let before = self.0.iter().filter(|(then, _)| *then <= at && at - then <= near).max_by_key(|(then, _)| *then);
        let after = self.0.iter().filter(|(then, _)| *then >= at && then - at <= near).min_by_key(|(then, _)| *then);
        match (before, after) {
            (Some((start, from)), Some((end, to))) if start != end => {
                let took = Duration::from_nanos(end.abs_diff(*start));
                let share = (at - start) as f64 / (end - start) as f64;
                from.reaches(*to, took).then(|| from.towards(*to, share)).flatten()
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
        for fix in [fix(100, 48.0, 11.0), fix(101, 48.001, 11.002)] {
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
    fn the_way_over_the_date_line_is_the_short_one() {
        let mut places = Places::default();
        assert_eq!((places.say(&fix(10, 0.0, 179.9999)), places.say(&fix(11, 0.0, -179.9997))), (Ok(()), Ok(())));
        assert_eq!(at(&places, 10, 200_000_000), Some((0.0, 179.99998)));
        assert_eq!(at(&places, 10, 750_000_000), Some((0.0, -179.9998)));
    }

    #[test]
    fn what_a_clock_said_before_it_was_set_back_is_forgotten() {
        let mut places = Places::default();
        assert!((100..110).all(|sec| places.say(&fix(sec, 48.0 + 0.002 * f64::from(sec - 100), 11.0)).is_ok()));
        assert_eq!(at(&places, 102, 0), Some((48.004, 11.0)));
        assert_eq!(places.say(&fix(102, 48.02, 11.0)), Ok(()));
        assert_eq!(at(&places, 102, 0), Some((48.02, 11.0)));
        assert_eq!(at(&places, 104, 500_000_000), None, "of the clock before");
        // Two receivers whose fixes overtake each other are no clock.
        let late = |sec, nanosec, latitude| {
            let mut fix = fix(sec, latitude, 11.0);
            fix.header.stamp.nanosec = nanosec;
            fix
        };
        assert_eq!(places.say(&late(101, 900_000_000, 48.019)), Ok(()));
        assert_eq!(at(&places, 102, 0), Some((48.02, 11.0)));
    }

    #[test]
    fn between_places_that_nothing_gets_to_is_none() {
        let mut places = Places::default();
        assert_eq!((places.say(&fix(10, 48.0, 11.0)), places.say(&fix(11, -20.0, 60.0))), (Ok(()), Ok(())));
        assert_eq!(at(&places, 10, 500_000_000), None);
        assert_eq!(at(&places, 11, 0), Some((-20.0, 60.0)));
    }

    #[test]
    fn what_a_receiver_does_not_know_is_no_place() {
        let (good, mut places) = (fix(100, 48.0, 11.0), Places::default());
        let no_fix = NavSatFix { status: NavSatStatus { status: -1, ..NavSatStatus::default() }, ..good.clone() };
        let unknown = NavSatFix { position_covariance_type: 0, ..good.clone() };
        let mut variances = good.clone();
        variances.position_covariance[4] = f64::NAN;
        let mut wide = good.clone();
        wide.position_covariance[0] = 1e12;
        for (fix, problem) in [
            (wide, NoPlace::Unsure(1_000_000)),
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
