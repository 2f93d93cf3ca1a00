//! How the program watches itself: signs of life of its threads and to the outside, the golden image, the model's files.

pub mod from_outside;
pub mod golden;
pub(crate) mod heartbeat;
mod housekeeping;
pub mod scrub;
mod status;

pub use status::Status;
pub(crate) use status::{Reporter, STATUS};

use std::time::{Duration, Instant, SystemTime};

/// Sees the system's clock jump: it moved otherwise than the monotonic one.
#[derive(Debug)]
pub struct Clock {
    wall: SystemTime,
    steady: Instant,
}

/// Jumps below this are the clock being disciplined.
const JUMP: Duration = Duration::from_secs(2);

impl Clock {
    /// A watch that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// Whether the clock jumped since the last look.
    pub fn jumped(&mut self) -> bool {
        let before = std::mem::replace(self, Self::start());
        differ(self.steady - before.steady, self.wall.duration_since(before.wall).ok())
    }
}

/// `wall` is `None` where the clock went backwards.
fn differ(steady: Duration, wall: Option<Duration>) -> bool {
    wall.is_none_or(|wall| wall.abs_diff(steady) > JUMP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_seen_and_drift_is_not() {
        let seconds = Duration::from_secs;
        assert!(!differ(seconds(10), Some(seconds(11))));
        assert!(differ(seconds(10), Some(seconds(20))));
        assert!(differ(seconds(10), Some(seconds(1))));
        assert!(differ(seconds(10), None));
        assert!(!Clock::start().jumped());
    }
}
