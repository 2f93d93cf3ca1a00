//! The one frame that waits for the captioner: a newer one takes its place. Frames are captioned no more often than `period` says, but at
//! once where somebody asks.

use crate::frame::Frame;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The frame that waits, if one does.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    frame: Option<Frame>,
    period: Duration,
    /// When the last frame was taken.
    taken: Option<Instant>,
    urgent: Urgency,
    ended: Ended,
}

/// Whether somebody waits for the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Urgency {
    #[default]
    InItsTime,
    AtOnce,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    No,
    Yes,
}

impl Slot {
    /// Puts a frame there; the one that waited before, where one did.
    pub(crate) fn put(&self, frame: Frame) -> Option<Frame> {
        let older = self.state().frame.replace(frame);
        self.changed.notify_all();
        older
    }

    /// From now on a frame is taken so long after the one before.
    pub(crate) fn set_period(&self, period: Duration) {
        self.state().period = period;
        self.changed.notify_all();
    }

    /// The frame that waits is taken at once. Where none does, it is in the captioner's hands already, and the next one keeps its time.
    pub(crate) fn hurry(&self) {
        let mut state = self.state();
        if state.frame.is_some() {
            state.urgent = Urgency::AtOnce;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// No frame is taken any more.
    pub(crate) fn end(&self) {
        self.state().ended = Ended::Yes;
        self.changed.notify_all();
    }

    /// Waits for the next frame; `None` at the end.
    pub(crate) fn take(&self) -> Option<Frame> {
        let mut state = self.state();
        loop {
            if state.ended == Ended::Yes {
                return None;
            }
            let due = state.taken.map(|taken| (taken + state.period).saturating_duration_since(Instant::now()));
            let wait = due.filter(|wait| !wait.is_zero() && state.urgent == Urgency::InItsTime);
            if wait.is_none()
                && let Some(frame) = state.frame.take()
            {
                (state.taken, state.urgent) = (Some(Instant::now()), Urgency::InItsTime);
                return Some(frame);
            }
            state = match wait.filter(|_| state.frame.is_some()) {
                Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(number: u64) -> Frame {
        Frame { number, ..Frame::default() }
    }

    fn taken(slot: &Slot) -> Option<u64> {
        slot.take().map(|frame| frame.number)
    }

    #[test]
    fn the_newest_frame_wins() {
        let slot = Slot::default();
        assert!(slot.put(frame(1)).is_none());
        assert_eq!(slot.put(frame(2)).map(|older| older.number), Some(1));
        assert_eq!(taken(&slot), Some(2));
        slot.put(frame(3));
        slot.end();
        assert_eq!(taken(&slot), None, "at the end nothing is begun");
    }

    #[test]
    fn frames_keep_their_period_until_somebody_asks() {
        let slot = Slot::default();
        slot.set_period(Duration::from_millis(200));
        let started = Instant::now();
        slot.put(frame(1));
        assert_eq!(taken(&slot), Some(1));
        slot.put(frame(2));
        assert_eq!(taken(&slot), Some(2));
        assert!(started.elapsed() >= Duration::from_millis(200));
        slot.set_period(Duration::from_secs(3600));
        slot.put(frame(3));
        slot.hurry();
        assert_eq!(taken(&slot), Some(3));
        slot.hurry();
        slot.put(frame(4));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                slot.put(frame(5));
                slot.set_period(Duration::ZERO);
            });
            assert_eq!(taken(&slot), Some(5), "who asked for 3 does not hurry 4, and a shorter period counts at once");
        });
    }
}
