//! How much is proved, and over which link.

use anyhow::Result;
use std::time::Duration;

/// Vehicles of the fleet, with the numbers 1 to 3.
pub(super) const VEHICLES: u16 = 3;

/// How much there is to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Captions of all vehicles.
    pub(super) captions: usize,
    pub(super) pictures: usize,
    pub(super) commands: usize,
    /// The link is there for `pass` seconds in every `every`.
    pub(super) every: f64,
    pub(super) pass: f64,
    /// How often each end is killed.
    pub(super) kills: u32,
    /// Between two kills.
    pub(super) rest: Duration,
    /// All of it takes no longer.
    pub(super) limit: Duration,
}

impl Scale {
    /// What test.sh has, or `OPERATOR=long`.
    pub(super) fn of_environment() -> Result<Self> {
        let is_long = std::env::var("OPERATOR").is_ok_and(|which| which == "long");
        Ok(if is_long {
            Self {
                captions: 9999,
                pictures: 200,
                commands: 50,
                every: 60.0,
                pass: 6.0,
                kills: 4,
                rest: Duration::from_secs(97),
                limit: Duration::from_secs(1200),
            }
        } else {
            Self {
                captions: 240,
                pictures: 12,
                commands: 12,
                every: 5.0,
                pass: 2.0,
                kills: 1,
                rest: Duration::from_secs(7),
                limit: Duration::from_secs(400),
            }
        })
    }
}
