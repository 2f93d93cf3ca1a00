//! The last fix of a receiver, and what else was heard of it.

use super::fix::{FRESH, Fix};
use super::watch::Heard;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The last fix of a receiver, written by its thread.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    pub(super) heard: Arc<Mutex<Heard>>,
}

impl Receiver {
    /// Takes a fix.
    pub fn say(&self, fix: Fix) {
        let mut heard = self.heard();
        heard.fix = Some((fix, Instant::now()));
        heard.lost = None;
    }

    /// The receiver has no fix, and says why.
    pub fn lose(&self, reason: String) {
        let mut heard = self.heard();
        heard.fix = None;
        heard.lost = Some(reason);
    }

    /// The last fix, where it is fresh.
    #[must_use]
    pub fn fix(&self) -> Option<Fix> {
        self.heard().fix.filter(|(_, at)| at.elapsed() < FRESH).map(|(fix, _)| fix)
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
