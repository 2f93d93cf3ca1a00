//! What all threads of `edge run` share: how they are told to end, and where they write down what goes wrong.

use cssa_wire::FaultKind;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Signs of life while nothing happens.
pub(crate) const TICK: Duration = Duration::from_millis(200);
/// A fault is logged the first time, and then every so many times.
const LOGGED: u64 = 100;

/// What `edge run` is told from outside while it runs.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// End: within two seconds, with everything kept.
    pub stop: Arc<AtomicBool>,
    /// Caption the golden image.
    pub self_test: Arc<AtomicBool>,
    /// The ground has commanded something that is not carried out.
    pub commanded: Arc<AtomicBool>,
    /// It has asked for a picture that is not made.
    pub asked: Arc<AtomicBool>,
    /// Told to end, the program left a thread behind that waits for a device, or loads a model: what is done at a program's exit must not be
    /// done while it is there.
    pub left_behind: Arc<AtomicBool>,
}

impl Control {
    /// Whether it is told to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Rests for `time` or until there is no reason to, which is asked several times a second.
pub(crate) fn rest_while(time: Duration, goes_on: impl Fn() -> bool) {
    let until = Instant::now() + time;
    while goes_on() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(TICK / 4));
    }
}

/// A kind of fault since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// How often.
    pub count: u64,
    /// Why it happened last.
    pub last: String,
}

/// What went wrong, by kind, counted by all threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    all: BTreeMap<FaultKind, Fault>,
    last: Option<FaultKind>,
}

impl Faults {
    /// Counts a fault, keeps its reason and logs it, unless it was logged lately.
    pub(crate) fn record(&self, kind: FaultKind, reason: impl Display) {
        let fault = self.count(kind, reason);
        if fault.count == 1 {
            tracing::warn!(kind = kind.name(), "{}", fault.last);
        } else if fault.count.is_multiple_of(LOGGED) {
            tracing::warn!(kind = kind.name(), count = fault.count, "{} ({} times)", fault.last, fault.count);
        }
    }

    /// Counts a fault that is logged elsewhere, and keeps its reason.
    pub(crate) fn count(&self, kind: FaultKind, reason: impl Display) -> Fault {
        let mut known = self.lock();
        known.last = Some(kind);
        let fault = known.all.entry(kind).or_default();
        fault.count += 1;
        fault.last = reason.to_string();
        fault.clone()
    }

    /// All kinds.
    pub(crate) fn all(&self) -> BTreeMap<FaultKind, Fault> {
        self.lock().all.clone()
    }

    /// What went wrong last, and how often that did.
    pub(crate) fn last(&self) -> Option<(FaultKind, u64)> {
        let known = self.lock();
        known.last.and_then(|kind| Some((kind, known.all.get(&kind)?.count)))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_its_count_and_its_last_reason() {
        let faults = Faults::default();
        for n in 0..3 {
            faults.clone().record(FaultKind::LinkErrors, format_args!("no route, try {n}"));
        }
        faults.record(FaultKind::StoreErrors, "disk full");
        let all = faults.all();
        assert_eq!(all[&FaultKind::LinkErrors], Fault { count: 3, last: "no route, try 2".into() });
        assert_eq!(all[&FaultKind::StoreErrors].count, 1);
        faults.record(FaultKind::LinkErrors, "no route, again");
        assert_eq!(faults.last(), Some((FaultKind::LinkErrors, 4)));
    }
}
