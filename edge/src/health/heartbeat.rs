//! The signs of life that others see: systemd's watchdog and a GPIO line. They come while every thread is alive, until the end.

use super::Clock;
use crate::control::Faults;
use crate::error::chain;
use crate::peripherals::Watchdog;
use crate::vitals::{Lifeless, Vitals};
use cssa_wire::FaultKind;

/// Shows signs of life, from the thread that watches all others.
pub(crate) struct Heartbeat {
    vitals: Vitals,
    watchdog: Option<Box<dyn Watchdog>>,
    faults: Faults,
    clock: Clock,
    lifeless: Vec<Lifeless>,
}

impl Heartbeat {
    pub(crate) fn new(vitals: Vitals, watchdog: Option<Box<dyn Watchdog>>, faults: Faults) -> Self {
        Self { vitals, watchdog, faults, clock: Clock::start(), lifeless: Vec::new() }
    }

    /// Shows a sign of life where all threads are alive. A thread that is not is a fault, said once each time.
    pub(crate) fn beat(&mut self) {
        if self.clock.jumped() {
            self.faults.record(FaultKind::ClockJumps, "the system's clock was set");
        }
        let before = std::mem::replace(&mut self.lifeless, self.vitals.lifeless());
        for lifeless in &self.lifeless {
            if before.iter().all(|known| known.name != lifeless.name) {
                self.faults.record(FaultKind::LifelessThreads, lifeless);
            }
        }
        if !self.lifeless.is_empty() {
            return;
        }
        let _absent = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        if let Some(Err(error)) = self.watchdog.as_mut().map(|watchdog| watchdog.kick()) {
            self.faults.record(FaultKind::WatchdogErrors, chain(&error));
        }
    }

    /// Whether a thread shows no sign of life.
    pub(crate) fn is_lifeless(&self, name: &str) -> bool {
        self.lifeless.iter().any(|lifeless| lifeless.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripherals::LineWatchdog;
    use crate::peripherals::simulated::{self, SimulatedLine};
    use std::time::Duration;

    #[test]
    fn the_line_changes_while_all_threads_are_alive() {
        let (device, faults, vitals) = (simulated::Faults::default(), Faults::default(), Vitals::start());
        let line = SimulatedLine::new(&device);
        let watchdog = LineWatchdog { pin: line.clone(), high: false };
        let mut heartbeat = Heartbeat::new(vitals.clone(), Some(Box::new(watchdog)), faults.clone());
        let changes = |heartbeat: &mut Heartbeat| {
            let before = line.is_high_now();
            heartbeat.beat();
            line.is_high_now() != before
        };
        let pulse = vitals.watch("the link", Duration::from_millis(20));
        assert!(changes(&mut heartbeat) && changes(&mut heartbeat));
        std::thread::sleep(Duration::from_millis(40));
        assert!(!changes(&mut heartbeat) && !changes(&mut heartbeat));
        assert!(heartbeat.is_lifeless("the link"));
        let said = faults.all();
        assert_eq!(said[&FaultKind::LifelessThreads].count, 1, "{said:?}");
        assert!(said[&FaultKind::LifelessThreads].last.contains("the link's thread is stuck"), "{said:?}");
        pulse.busy(Duration::from_secs(60));
        assert!(changes(&mut heartbeat), "it goes on where the thread does");
        device.begin();
        assert!(!changes(&mut heartbeat));
        assert_eq!(faults.all()[&FaultKind::WatchdogErrors].count, 1);
    }
}
