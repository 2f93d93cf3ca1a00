//! The energy of a caption: a thread asks the power monitor all the while, since what a caption takes is taken between its
//! beginning and its end.

use crate::error::{Error, Result, chain};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

/// Between two samples; a Jetson's INA3221 has new values every few milliseconds.
const EVERY: Duration = Duration::from_millis(10);
/// A monitor that takes longer than this does not answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Orders that wait for a monitor that does not answer.
const ORDERS: usize = 2;

/// A power monitor.
pub trait PowerMonitor: Send {
    /// Watts right now.
    fn watts(&mut self) -> Result<f64>;
}

/// What was measured over a caption.
#[derive(Debug, Default)]
pub(super) struct Energy {
    /// Its millijoules, where the monitor answered at least once.
    pub(super) millijoules: Option<f64>,
    /// Why it did not answer last, where it did not.
    pub(super) problem: Option<String>,
}

/// Integrates a monitor's power.
pub(super) struct EnergyMeter(SyncSender<Order>);

/// Between these two instants power is integrated.
enum Order {
    Begin(Instant),
    End(Instant, Sender<Energy>),
}

impl EnergyMeter {
    /// Its thread ends with it.
    pub(super) fn new(monitor: Box<dyn PowerMonitor>) -> Self {
        let (orders, taken) = sync_channel(ORDERS);
        std::thread::spawn(move || measure(monitor, &taken));
        Self(orders)
    }

    /// Begins to measure.
    pub(super) fn begin(&self) {
        // Where it cannot, the end says so.
        self.0.try_send(Order::Begin(Instant::now())).ok();
    }

    /// What it was since it began.
    pub(super) fn end(&self) -> Result<Energy> {
        let late = || Error::Device { device: "power monitor", problem: format!("no answer within {PATIENCE:?}") };
        let (answer, measured) = channel();
        self.0.try_send(Order::End(Instant::now(), answer)).map_err(|_| late())?;
        measured.recv_timeout(PATIENCE).map_err(|_| late())
    }
}

/// Carries out orders until nobody gives any more.
fn measure(mut monitor: Box<dyn PowerMonitor>, orders: &Receiver<Order>) {
    let mut next = orders.recv().ok();
    while let Some(order) = next.take() {
        next = match order {
            Order::Begin(began) => integrate(monitor.as_mut(), began, orders),
            Order::End(_, answer) => {
                answer.send(Energy::default()).ok();
                None
            }
        };
        next = next.or_else(|| orders.recv().ok());
    }
}

/// Samples until the end is ordered and answers that; another beginning is given back.
fn integrate(monitor: &mut dyn PowerMonitor, began: Instant, orders: &Receiver<Order>) -> Option<Order> {
    let mut integral = Integral::default();
    // The first and the last sample stand for the beginning and the end.
    integral.take(began, monitor.watts());
    loop {
        match orders.recv_timeout(EVERY) {
            Err(RecvTimeoutError::Timeout) => integral.take(Instant::now(), monitor.watts()),
            Ok(Order::End(ended, answer)) => {
                integral.take(ended, monitor.watts());
                answer.send(integral.energy(began, ended)).ok();
                return None;
            }
            Ok(begin) => return Some(begin),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// The trapezoids below the samples so far.
#[derive(Default)]
struct Integral {
    joules: f64,
    first: Option<(Instant, f64)>,
    last: Option<(Instant, f64)>,
    problem: Option<String>,
}

impl Integral {
    fn take(&mut self, at: Instant, sample: Result<f64>) {
        match sample {
            Ok(watts) => {
                if let Some((before, less)) = self.last {
                    self.joules += (less + watts) / 2.0 * at.saturating_duration_since(before).as_secs_f64();
                }
                self.first.get_or_insert((at, watts));
                self.last = Some((at, watts));
            }
            Err(error) => self.problem = Some(chain(&error)),
        }
    }

    /// The whole; where the first or last samples failed, the next to them stands for them.
    fn energy(self, began: Instant, ended: Instant) -> Energy {
        let ends = self.first.zip(self.last).map(|((first, early), (last, late))| {
            early * first.saturating_duration_since(began).as_secs_f64()
                + late * ended.saturating_duration_since(last).as_secs_f64()
        });
        Energy { millijoules: ends.map(|ends| (self.joules + ends) * 1e3), problem: self.problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Takes so many watts as it is set to; none: it fails.
    #[derive(Clone, Default)]
    struct Load(Arc<AtomicU32>);

    impl PowerMonitor for Load {
        fn watts(&mut self) -> Result<f64> {
            match self.0.load(Ordering::Relaxed) {
                0 => Err(Error::Device { device: "power monitor", problem: "off".into() }),
                watts => Ok(f64::from(watts)),
            }
        }
    }

    impl Load {
        /// Takes `watts` for a while; gives the millijoules.
        fn take(&self, watts: u32, milliseconds: u64) -> f64 {
            let began = Instant::now();
            self.0.store(watts, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(milliseconds));
            f64::from(watts) * began.elapsed().as_secs_f64() * 1e3
        }
    }

    #[test]
    fn energy_is_that_of_the_load_between_beginning_and_end() -> Result<()> {
        let load = Load::default();
        let meter = EnergyMeter::new(Box::new(load.clone()));
        for _ in 0..2 {
            load.take(2, 20);
            meter.begin();
            let taken = load.take(2, 60) + load.take(20, 200) + load.take(2, 60);
            let measured = meter.end()?;
            let millijoules = measured.millijoules.unwrap_or_default();
            assert!((taken * 0.75..taken * 1.25).contains(&millijoules), "{millijoules} of {taken} mJ");
            assert_eq!(measured.problem, None);
        }
        Ok(())
    }

    #[test]
    fn a_monitor_that_fails_says_why_and_is_bridged() -> Result<()> {
        let load = Load::default();
        let meter = EnergyMeter::new(Box::new(load.clone()));
        meter.begin();
        load.take(0, 30);
        let nothing = meter.end()?;
        assert!(nothing.millijoules.is_none() && nothing.problem.is_some_and(|problem| problem.contains("off")));
        load.take(10, 0);
        meter.begin();
        let taken = load.take(10, 60) + 600.0 + load.take(0, 60) + load.take(10, 60);
        let bridged = meter.end()?;
        let millijoules = bridged.millijoules.unwrap_or_default();
        assert!((taken * 0.75..taken * 1.25).contains(&millijoules), "{millijoules} of {taken} mJ");
        assert!(bridged.problem.is_some());
        Ok(())
    }
}
