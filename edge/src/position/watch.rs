//! Looks after a receiver: one that says nothing, nothing that is understood, or no position, is a fault.

use super::fix::{FRESH, Fix};
use super::held::Held;
use super::track::Track;
use crate::control::Faults;
use cssa_wire::FaultKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Receivers speak every second: after so long one is silent.
const SILENT: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// What was heard of a receiver, and when.
#[derive(Debug)]
pub(super) struct Heard {
    began: Instant,
    pub(super) fix: Option<(Fix, Instant)>,
    /// Where it was before.
    pub(super) track: Track,
    /// How it was held, and how high.
    pub(super) held: Held,
    pub(super) bytes: Option<Instant>,
    pub(super) message: Option<Instant>,
    /// What is wrong with its date.
    pub(super) clock: Option<String>,
    /// Why it has no fix.
    pub(super) lost: Option<String>,
    /// The device is not there, and that is known already.
    pub(super) is_gone: bool,
}

impl Default for Heard {
    fn default() -> Self {
        let (fix, bytes, message, clock, lost) = (None, None, None, None, None);
        Self {
            began: Instant::now(),
            fix,
            track: Track::default(),
            held: Held::default(),
            bytes,
            message,
            clock,
            lost,
            is_gone: false,
        }
    }
}

impl Heard {
    /// What is wrong at a time: the fault's kind and its reason.
    fn problem(&self, now: Instant) -> Option<(FaultKind, String)> {
        let quiet = |since: Option<Instant>| now.duration_since(since.unwrap_or(self.began)) >= SILENT;
        let seconds = SILENT.as_secs();
        if self.is_gone || self.fix.is_some_and(|(_, at)| now.duration_since(at) < FRESH) {
            None
        } else if quiet(self.bytes) {
            Some((FaultKind::PositionSilent, format!("nothing heard for {seconds} seconds")))
        } else if quiet(self.message) {
            let reason = format!("for {seconds} seconds bytes without a whole message, is the rate right?");
            Some((FaultKind::PositionUnreadable, reason))
        } else if let Some(reason) = &self.lost {
            Some((FaultKind::PositionWithoutFix, reason.clone()))
        } else if quiet(self.fix.map(|(_, at)| at)) {
            Some((FaultKind::PositionWithoutFix, "no position in what is heard".into()))
        } else {
            None
        }
    }
}

/// Starts the thread that looks; it ends with the receiver.
pub(super) fn start(name: String, heard: &Arc<Mutex<Heard>>, faults: Faults) {
    let heard = Arc::downgrade(heard);
    std::thread::spawn(move || {
        let (mut last, mut clock) = (None, None);
        while let Some(heard) = heard.upgrade() {
            let locked = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let (problem, odd) = (locked.problem(Instant::now()), locked.clock.clone());
            drop(locked);
            drop(heard);
            if odd != clock {
                odd.iter()
                    .for_each(|odd| faults.record(FaultKind::PositionTime, format_args!("position: {name}: {odd}")));
                clock = odd;
            }
            let kind = problem.as_ref().map(|(kind, _)| *kind);
            if let Some((kind, reason)) = problem.filter(|(kind, _)| last != Some(*kind)) {
                faults.record(kind, format_args!("position: {name}: {reason}"));
            }
            last = kind;
            std::thread::sleep(LOOK);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use cssa_wire::Position;

    #[test]
    fn silence_noise_and_a_lost_fix_are_told_apart() {
        let mut heard = Heard::default();
        let kind =
            |heard: &Heard, after: u64| heard.problem(heard.began + Duration::from_secs(after)).map(|(kind, _)| kind);
        assert_eq!((kind(&heard, 1), kind(&heard, 11)), (None, Some(FaultKind::PositionSilent)));
        heard.bytes = Some(heard.began + Duration::from_secs(10));
        assert_eq!(kind(&heard, 11), Some(FaultKind::PositionUnreadable));
        heard.message = heard.bytes;
        assert_eq!(kind(&heard, 11), Some(FaultKind::PositionWithoutFix));
        heard.fix = Position::new(1.0, 2.0).map(|position| (Fix { position, time: None }, heard.began + SILENT));
        assert_eq!((kind(&heard, 11), kind(&heard, 21)), (None, Some(FaultKind::PositionSilent)));
        heard.fix = None;
        heard.lost = Some("status V".into());
        assert_eq!(kind(&heard, 11), Some(FaultKind::PositionWithoutFix));
        heard.is_gone = true;
        assert_eq!(kind(&heard, 99), None);
    }
}
