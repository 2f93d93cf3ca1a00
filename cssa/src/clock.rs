//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// 2025-12-11, when the compiler came out that this program needs (`rust-version`): a clock that stands before it was not set.
pub const EARLIEST: u32 = 1_765_411_200;

/// Seconds since 1970-01-01 UTC, where somebody has set the clock.
#[must_use]
pub fn utc() -> Option<u32> {
    Some(now()).filter(|seconds| *seconds >= EARLIEST)
}

/// Seconds since 1970-01-01 UTC, as packets have them; 0 for a clock that stands before.
#[must_use]
pub fn now() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
