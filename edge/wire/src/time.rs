//! When something was, as packets say it in 32 bits.

/// 2020-01-01 in seconds since 1970. No vehicle flew before: what is less counts from the vehicle's start.
pub const EARLIEST_UTC: u32 = 1_577_836_800;

/// When something was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Seconds since 1970-01-01 UTC, at least [`EARLIEST_UTC`].
    Utc(u32),
    /// Seconds since the vehicle's program started: nothing told it the time.
    AfterStart(u32),
}

impl From<u32> for Time {
    /// What a packet's number means.
    fn from(seconds: u32) -> Self {
        if seconds >= EARLIEST_UTC { Self::Utc(seconds) } else { Self::AfterStart(seconds) }
    }
}

impl Time {
    /// The number that packets have for it.
    #[must_use]
    pub fn seconds(self) -> u32 {
        match self {
            Self::Utc(seconds) => seconds,
            Self::AfterStart(seconds) => seconds.min(EARLIEST_UTC - 1),
        }
    }

    /// Seconds since 1970-01-01 UTC, where they are known.
    #[must_use]
    pub fn utc(self) -> Option<u32> {
        if let Self::Utc(seconds) = self { Some(seconds) } else { None }
    }

    /// Seconds since the vehicle's start, where UTC is not known.
    #[must_use]
    pub fn after_start(self) -> Option<u32> {
        if let Self::AfterStart(seconds) = self { Some(seconds) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_2020_counts_from_the_start() {
        for seconds in [0, 40, EARLIEST_UTC - 1, EARLIEST_UTC, u32::MAX] {
            let time = Time::from(seconds);
            assert_eq!(time.seconds(), seconds);
            assert_eq!(
                (time.utc().is_some(), time.after_start().is_none()),
                (seconds >= EARLIEST_UTC, seconds >= EARLIEST_UTC)
            );
        }
        assert_eq!(Time::AfterStart(u32::MAX).seconds(), EARLIEST_UTC - 1, "it never becomes a date");
    }
}
