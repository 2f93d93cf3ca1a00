//! What was heard of a receiver: its fixes, and what else.

use super::fix::Fix;
use super::held::Heights;
use super::watch::Heard;
use cssa_wire::Position;
use glam::DQuat;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// In seconds.
const DAY: u32 = 86_400;

/// The fixes of a receiver, written by its thread.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    pub(super) heard: Arc<Mutex<Heard>>,
}

impl Receiver {
    /// Takes a fix.
    pub fn say(&self, fix: Fix) {
        let (mut heard, now) = (self.heard(), Instant::now());
        heard.fix = Some((fix, now));
        heard.track.say(now, Some(fix));
        heard.lost = None;
    }

    /// The receiver has no fix, and says why.
    pub fn lose(&self, reason: String) {
        let mut heard = self.heard();
        heard.fix = None;
        heard.track.say(Instant::now(), None);
        heard.lost = Some(reason);
    }

    /// What the receiver says of the date, `None` where that cannot be, and the system's clock: a day or more between them is a fault, whoever
    /// of the two is wrong.
    pub(super) fn compare(&self, said: Option<Option<u32>>, now: u32) {
        let Some(time) = said else { return };
        let is_set = now >= cssa_wire::EARLIEST_UTC;
        self.heard().clock = match time {
            None => Some("a date that cannot be right: it is not believed".into()),
            Some(time) if is_set && time.abs_diff(now) > DAY => {
                let ahead = if time > now { "ahead of" } else { "behind" };
                let days = time.abs_diff(now) / DAY;
                Some(format!("its date is {days} days {ahead} the computer's clock: the receiver is believed"))
            }
            Some(_) => None,
        };
    }

    /// The last fix, where it is fresh.
    #[cfg(test)]
    pub(crate) fn fix(&self) -> Option<Fix> {
        self.heard().fix.filter(|(_, at)| at.elapsed() < super::fix::FRESH).map(|(fix, _)| fix)
    }

    /// Where the vehicle was at a moment of the last minutes, between the fixes before and after; `None` where no fix is near.
    #[must_use]
    pub fn position(&self, at: Instant) -> Option<Position> {
        self.heard().track.position(at)
    }

    /// How the vehicle was held at a moment of the last minutes, against north, east and down.
    #[must_use]
    pub fn attitude(&self, at: Instant) -> Option<DQuat> {
        self.heard().held.vehicle.at(at)
    }

    /// How its gimbal was held, likewise.
    #[must_use]
    pub fn gimbal(&self, at: Instant) -> Option<DQuat> {
        self.heard().held.gimbal(at)
    }

    /// How high the vehicle was at a moment of the last minutes.
    #[must_use]
    pub fn heights(&self, at: Instant) -> Option<Heights> {
        self.heard().held.heights.at(at)
    }

    /// UTC at a moment of the last minutes, in seconds since 1970, where a fix near it says so.
    #[must_use]
    pub fn time(&self, at: Instant) -> Option<u32> {
        self.heard().track.time(at)
    }

    /// The device or connection is open.
    pub(super) fn open(&self) {
        let mut heard = self.heard();
        if std::mem::take(&mut heard.is_gone) {
            heard.bytes = Some(Instant::now());
        }
    }

    pub(super) fn hear_bytes(&self) {
        let mut heard = self.heard();
        heard.bytes = Some(Instant::now());
        heard.is_gone = false;
    }

    pub(super) fn hear_message(&self) {
        self.heard().message = Some(Instant::now());
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
