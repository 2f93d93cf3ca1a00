//! Holds back lines of a log where there are too many: one datagram of junk can hold thousands of problems, and all are counted anyway.

use std::time::{Duration, Instant};

/// Lines in a time, and then no more until it is over.
const LINES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);

/// What is logged of problems.
#[derive(Debug, Default)]
pub struct ProblemLog {
    began: Option<Instant>,
    lines: u32,
    held_back: u64,
}

impl ProblemLog {
    /// Whether a line may be logged at `now`; before it, how many were held back since the last one.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= PERIOD) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines >= LINES {
            self.held_back += 1;
            return None;
        }
        self.lines += 1;
        Some(self.held_back())
    }

    /// How many lines were held back since the last one that was not; they are told of now.
    pub fn held_back(&mut self) -> u64 {
        std::mem::take(&mut self.held_back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_lines_in_ten_seconds_and_a_count_of_the_others() {
        let (mut log, start) = (ProblemLog::default(), Instant::now());
        let admitted = (0..15_000).filter(|n| log.admit(start + Duration::from_micros(600 * n)).is_some()).count();
        assert_eq!(admitted, 20);
        assert_eq!(log.admit(start + PERIOD), Some(14_980));
        assert_eq!(log.admit(start + PERIOD), Some(0));
        assert_eq!(log.held_back(), 0);
    }
}
