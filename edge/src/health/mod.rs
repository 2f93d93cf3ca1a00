//! How the program watches itself: signs of life, the golden image, the model's files.

pub mod golden;
pub mod scrub;

use crate::error::Result;
use cssa::files;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// What `status.json` and each heartbeat say.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Status {
    /// Seconds since 1970, by the system's clock.
    pub time: u64,
    /// Seconds since the start, monotonic.
    pub uptime: u64,
    /// The bundle at work.
    pub bundle: String,
    /// The runtime at work.
    pub runtime: String,
    /// Frames by outcome and packets, since the state folder was made.
    pub counters: BTreeMap<String, u64>,
    /// Captions that wait for the link.
    pub waiting: u64,
    /// What went wrong since the start, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Why each happened last.
    pub last_faults: BTreeMap<String, String>,
    /// °C, where it is known.
    pub celsius: Option<f64>,
    /// Mean energy of a caption in millijoules, where a power monitor is there.
    pub millijoules: Option<f64>,
    /// Resident memory in MiB.
    pub rss_mib: f64,
}

impl Status {
    /// Writes `status.json`.
    pub fn write(&self, state: &Path) -> Result<()> {
        Ok(files::write(&state.join("status.json"), &serde_json::to_vec_pretty(self)?)?)
    }
}

/// Tells systemd that the program is ready. Without systemd nothing happens.
pub fn notify_ready() {
    let _absent = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Tells systemd's watchdog that the program is alive. Without systemd nothing happens.
pub fn notify_alive() {
    let _absent = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
}

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
