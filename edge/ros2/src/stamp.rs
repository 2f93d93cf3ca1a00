//! What `header.stamp` says: a moment among the system's others, and a time of day only where it can be one.

use crate::messages::Time;
use chrono::{DateTime, SecondsFormat};
use std::time::SystemTime;

const SECOND: u32 = 1_000_000_000;
/// 2020-01-01: a clock before it was never set, or is a simulation's.
const FIRST: i32 = 1_577_836_800;

impl Time {
    /// What the system's clock says.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        i32::try_from(since.as_secs())
            .map_or_else(|_| Self::default(), |sec| Self { sec, nanosec: since.subsec_nanos() })
    }

    /// Nanoseconds of the clock that stamped it; `None` where nothing did (zero), or where it is no time.
    pub(crate) fn nanoseconds(self) -> Option<i64> {
        let is_said = self != Self::default() && self.sec >= 0 && self.nanosec < SECOND;
        is_said.then(|| i64::from(self.sec) * i64::from(SECOND) + i64::from(self.nanosec))
    }

    /// UTC by RFC 3339; `None` where the stamp is no time of day.
    pub(crate) fn utc(self) -> Option<String> {
        self.nanoseconds().filter(|_| self.sec >= FIRST)?;
        let found = DateTime::from_timestamp(i64::from(self.sec), self.nanosec)?;
        Some(found.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_utc_where_a_clock_was_set() {
        let utc = |sec, nanosec| Time { sec, nanosec }.utc();
        assert_eq!(utc(1_900_000_000, 250_000_000).as_deref(), Some("2030-03-17T17:46:40.250Z"));
        assert_eq!(utc(1_900_000_000, 0).as_deref(), Some("2030-03-17T17:46:40Z"));
        for (sec, nanosec) in [(0, 0), (12, 500), (-1, 0), (1_900_000_000, SECOND), (i32::MIN, u32::MAX)] {
            assert_eq!(utc(sec, nanosec), None, "{sec}.{nanosec}");
        }
    }

    #[test]
    fn a_simulation_has_moments_and_no_times_of_day() {
        assert_eq!(Time { sec: 12, nanosec: 500 }.nanoseconds(), Some(12_000_000_500));
        assert_eq!(Time::default().nanoseconds(), None);
        assert_eq!(Time { sec: 1, nanosec: SECOND }.nanoseconds(), None);
        assert!(Time::now().utc().is_some());
    }
}
