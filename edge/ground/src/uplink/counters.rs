//! How a station counts its packets: no number goes up twice, and each is above those that its vehicles have had.

use super::Uplink;
use crate::archive::Archive;
use crate::error::{Error, Result};
use crate::message::Outcome;

/// Counters that are set aside at once, so that not every acknowledgement has to be written down.
pub(super) const RESERVE: u32 = 100;
/// Numbers that a station may be ahead of its clock: two years of it.
const AHEAD: u32 = 1 << 26;

impl Uplink {
    /// The counter that the next packet has.
    pub(super) fn next_counter(&mut self, archive: &Archive) -> Result<u32> {
        if self.reserved == 0 {
            self.counter = archive.counter(self.station.number)?;
        }
        Ok(self.counter.max(cssa::clock::now()))
    }

    /// A vehicle has had higher numbers of this station than those that go up, which it does not take: the archive is a new one, and the
    /// last one's had outrun the clock. They go on above those; whether that was news.
    pub(crate) fn go_above(&mut self, vehicle: u16, outcome: &Outcome, archive: &mut Archive) -> Result<bool> {
        let Some(highest) = outcome.highest().filter(|_| outcome.station == self.station.number) else {
            return Ok(false);
        };
        if self.next_counter(archive)? > highest {
            return Ok(false);
        }
        // That of one that is believed has one after it.
        let above = highest.saturating_add(1);
        (self.counter, self.reserved) = archive.reserve_counters(self.station.number, above, RESERVE)?;
        let station = self.station.number;
        tracing::warn!(
            "vehicle {vehicle} has had number {highest} of station {station}, which goes on from {}",
            self.counter
        );
        Ok(true)
    }

    /// A counter that never was: one more than the last, and no less than the clock's seconds, so that a station whose archive is gone
    /// goes on where its clock is. The vehicle's own clock has no part in it.
    pub(super) fn count(&mut self, archive: &mut Archive) -> Result<u32> {
        let mut counter = self.next_counter(archive)?;
        if counter >= self.reserved {
            (counter, self.reserved) = archive.reserve_counters(self.station.number, counter, RESERVE)?;
        }
        self.counter = counter.checked_add(1).ok_or(Error::StationSpent(self.station.number))?;
        Ok(counter)
    }
}

/// The number in an answer that says how far a station has counted, where that cannot be true: a station counts as its clock does, and faster
/// only while it says more than a packet each second. Where the clock is not set, half of all numbers are believed.
pub(crate) fn disbelieved(outcome: &Outcome, archive: &Archive) -> Result<Option<u32>> {
    let now = cssa::clock::now();
    let most = if now < cssa::clock::EARLIEST { u32::MAX / 2 } else { now.saturating_add(AHEAD).min(u32::MAX - 1) };
    match outcome.highest() {
        // What has gone up from here is known here.
        Some(highest) if highest > most && highest >= archive.counter(outcome.station)? => Ok(Some(highest)),
        _ => Ok(None),
    }
}
