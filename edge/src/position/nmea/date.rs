//! Dates of receivers: those that lost count of the weeks, and those that say the time of day alone.

use chrono::{NaiveDate, NaiveTime};
use std::time::Instant;

const DAY: i64 = 86_400;
/// Weeks are counted with ten bits.
const ROLLOVER: i64 = 1024 * 7 * DAY;
/// A receiver's date before 2020, in seconds since 1970, has lost weeks; a system's clock before it was never set.
const EARLIEST: i64 = cssa_wire::EARLIEST_UTC as i64;
/// No receiver is so far ahead of a clock that was set.
const AHEAD: i64 = 3650 * DAY;

/// What a receiver said of the date.
#[derive(Debug, Default)]
pub(super) struct Dates {
    last: Option<(i64, Instant)>,
}

impl Dates {
    /// The time of a second of the day: by the date with it, else by the last one that the receiver said, else by the system's
    /// clock, `now`. `None` where the date is not known.
    pub(super) fn time(&mut self, second: u32, date: Option<NaiveDate>, now: u32) -> Option<u32> {
        let second = i64::from(second);
        let time = match date {
            Some(date) => {
                let time = plausible(date.and_time(NaiveTime::MIN).and_utc().timestamp() + second, i64::from(now))?;
                self.last = Some((time, Instant::now()));
                time
            }
            None => {
                let said = self.last.map(|(time, heard)| time + heard.elapsed().as_secs() as i64);
                let near = said.or_else(|| Some(i64::from(now)).filter(|&now| now >= EARLIEST))?;
                // The day that brings it closest: around midnight the clocks may be on two sides of it.
                let today = near - near.rem_euclid(DAY) + second;
                [today - DAY, today, today + DAY].into_iter().min_by_key(|time| (time - near).abs())?
            }
        };
        u32::try_from(time).ok()
    }
}

/// A receiver's time, with the weeks that it lost: those that bring it past 2020 and not past the system's clock.
pub(in crate::position) fn plausible(time: i64, now: i64) -> Option<i64> {
    let is_set = now >= EARLIEST;
    if time >= EARLIEST {
        return (!is_set || time <= now + AHEAD).then_some(time);
    }
    let lost = (EARLIEST - time + ROLLOVER - 1) / ROLLOVER;
    let right = time + lost * ROLLOVER;
    (is_set && right <= now + DAY).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_given_back_where_the_clock_agrees() {
        let may_2024 = 1_714_990_272;
        let now = 1_795_000_000;
        assert_eq!(plausible(may_2024, now), Some(may_2024));
        assert_eq!(plausible(may_2024 - ROLLOVER, now), Some(may_2024));
        assert_eq!(plausible(may_2024 - 2 * ROLLOVER, now), Some(may_2024));
        // 1980-01-06, what a receiver says that knows no week yet, would be 2038.
        assert_eq!(plausible(315_964_800, now), None);
        // A clock that was never set tells nothing, but does not contradict either.
        assert_eq!((plausible(may_2024 - ROLLOVER, 100), plausible(may_2024, 100)), (None, Some(may_2024)));
        assert_eq!(plausible(now + AHEAD + 1, now), None);
    }

    #[test]
    fn a_time_of_day_is_of_the_nearest_day() {
        let midnight = 1_794_960_000;
        let mut dates = Dates::default();
        assert_eq!(dates.time(86_390, None, midnight + 5), Some(midnight - 10));
        assert_eq!(dates.time(5, None, midnight - 10), Some(midnight + 5));
        assert_eq!(dates.time(5, None, 1000), None);
        let date = NaiveDate::from_ymd_opt(2024, 5, 6);
        assert_eq!(dates.time(36_672, date, midnight), Some(1_714_990_272));
        // From now on by the receiver's own date.
        assert_eq!(dates.time(36_673, None, midnight), Some(1_714_990_273));
    }
}
