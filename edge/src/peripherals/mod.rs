//! The machine's own devices over `embedded-hal` traits: trigger and watchdog lines, power monitor, temperature. An error of
//! any call is counted, with its reason, and never stops the program.

pub(crate) mod hwmon;
pub mod ina3221;
mod linux;
mod power;
pub mod simulated;

pub use power::PowerMonitor;

use super::config::{PeripheralsConfig, TemperatureConfig};
use super::control::Faults;
use super::error::{Error, Result, chain};
use cssa_wire::FaultKind;
use embedded_hal::digital::{InputPin, OutputPin};
use embedded_hal::i2c::I2c;
use ina3221::Ina3221;
use power::{Energy, EnergyMeter};
use std::path::PathBuf;
use std::time::Duration;

/// All devices; what is not there is `None`.
#[derive(Default)]
pub struct Peripherals {
    trigger: Option<Box<dyn Trigger>>,
    watchdog: Option<Box<dyn Watchdog>>,
    power: Option<EnergyMeter>,
    temperature: Option<Temperature>,
    /// Calls that failed since the start.
    pub errors: u64,
    /// The temperature in °C when it was last asked for.
    pub last_celsius: Option<f64>,
    faults: Faults,
}

/// An input that is high while frames are to be captioned.
pub trait Trigger: Send {
    /// Whether it is high.
    fn is_high(&mut self) -> Result<bool>;
}

/// An output that changes with every sign of life.
pub trait Watchdog: Send {
    /// Changes it.
    fn kick(&mut self) -> Result<()>;
}

/// Any input line is a trigger.
pub struct LineTrigger<P>(pub P);

impl<P: InputPin + Send> Trigger for LineTrigger<P> {
    fn is_high(&mut self) -> Result<bool> {
        self.0.is_high().map_err(|error| no_answer("trigger", &error))
    }
}

/// Any output line is a watchdog's.
pub struct LineWatchdog<P> {
    /// The line.
    pub pin: P,
    /// Its level.
    pub high: bool,
}

impl<P: OutputPin + Send> Watchdog for LineWatchdog<P> {
    fn kick(&mut self) -> Result<()> {
        let next = !self.high;
        self.pin.set_state(next.into()).map_err(|error| no_answer("watchdog", &error))?;
        self.high = next;
        Ok(())
    }
}

impl<B: I2c + Send> PowerMonitor for Ina3221<B> {
    fn watts(&mut self) -> Result<f64> {
        self.read_watts().map_err(|error| no_answer("power monitor", &error))
    }
}

/// The error of a device that does not answer.
fn no_answer(device: &'static str, error: &dyn std::fmt::Debug) -> Error {
    Error::Device { device, problem: format!("{error:?}") }
}

/// A thermal zone and what follows from it.
#[derive(Debug)]
struct Temperature {
    zone: PathBuf,
    warm: f64,
    limit: f64,
}

/// What the temperature allows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Duty {
    /// Go on at once.
    Full,
    /// Rest for this many times the last frame's duration first.
    Rest(f64),
    /// Caption nothing.
    Stop,
}

impl Peripherals {
    /// Opens the devices of the configuration; one that cannot be opened counts as an error and is left out.
    pub fn open(config: &PeripheralsConfig) -> Self {
        let mut all = Self::default();
        all.trigger = config.trigger.as_ref().and_then(|pin| all.count(FaultKind::TriggerErrors, linux::trigger(pin)));
        all.watchdog =
            config.watchdog.as_ref().and_then(|pin| all.count(FaultKind::WatchdogErrors, linux::watchdog(pin)));
        let power = config.power.as_ref().and_then(|power| all.count(FaultKind::PowerErrors, linux::power(power)));
        all.power = power.map(EnergyMeter::new);
        all.temperature = config.temperature.as_ref().map(|TemperatureConfig { zone, warm, limit }| Temperature {
            zone: zone.clone(),
            warm: *warm,
            limit: *limit,
        });
        all
    }

    /// Devices that were opened elsewhere.
    #[must_use]
    pub fn with(
        trigger: Option<Box<dyn Trigger>>,
        watchdog: Option<Box<dyn Watchdog>>,
        power: Option<Box<dyn PowerMonitor>>,
    ) -> Self {
        Self { trigger, watchdog, power: power.map(EnergyMeter::new), ..Self::default() }
    }

    /// From now on faults are written down in `faults`, as are those so far.
    pub(crate) fn report_to(&mut self, faults: &Faults) {
        for (kind, fault) in self.faults.all() {
            (0..fault.count).for_each(|_| faults.record(kind, &fault.last));
        }
        self.faults = faults.clone();
    }

    fn fault(&mut self, kind: FaultKind, reason: &str) {
        self.errors += 1;
        self.faults.record(kind, reason);
    }

    fn count<T>(&mut self, kind: FaultKind, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.fault(kind, &chain(&error))).ok()
    }

    /// Whether frames are to be captioned: also where the trigger is not there or does not answer.
    pub fn is_triggered(&mut self) -> bool {
        let Some(asked) = self.trigger.as_mut().map(|trigger| trigger.is_high()) else { return true };
        self.count(FaultKind::TriggerErrors, asked).unwrap_or(true)
    }

    /// The watchdog, for the thread that watches all others.
    pub fn take_watchdog(&mut self) -> Option<Box<dyn Watchdog>> {
        self.watchdog.take()
    }

    /// Begins to measure the energy of a caption.
    pub fn begin_energy(&mut self) {
        self.power.iter().for_each(EnergyMeter::begin);
    }

    /// Millijoules since [`Peripherals::begin_energy`]: the power integrated over that time.
    pub fn end_energy(&mut self) -> Option<f64> {
        let measured = self.power.as_ref()?.end();
        let Energy { millijoules, problem } = self.count(FaultKind::PowerErrors, measured)?;
        problem.iter().for_each(|problem| self.fault(FaultKind::PowerErrors, problem));
        millijoules
    }

    /// The temperature in °C.
    pub fn celsius(&mut self) -> Option<f64> {
        let zone = self.temperature.as_ref()?.zone.clone();
        let read = || -> Result<f64> {
            let text = std::fs::read_to_string(&zone).map_err(Error::path(&zone))?;
            match text.trim().parse::<f64>() {
                Ok(millidegrees) => Ok(millidegrees / 1e3),
                Err(source) => Err(Error::Temperature { zone: zone.clone(), found: text, source }),
            }
        };
        let celsius = read();
        self.last_celsius = self.count(FaultKind::TemperatureErrors, celsius);
        self.last_celsius
    }

    /// What the temperature allows; a zone that does not answer allows everything.
    pub fn duty(&mut self) -> Duty {
        let Some(celsius) = self.celsius() else { return Duty::Full };
        let Some(Temperature { warm, limit, .. }) = self.temperature.as_ref() else { return Duty::Full };
        duty(celsius, *warm, *limit)
    }
}

/// From no rest at `warm` to four times the work's duration just below `limit`.
fn duty(celsius: f64, warm: f64, limit: f64) -> Duty {
    if celsius >= limit {
        Duty::Stop
    } else if celsius > warm {
        Duty::Rest(4.0 * (celsius - warm) / (limit - warm))
    } else {
        Duty::Full
    }
}

/// How long to rest after work of some length.
#[must_use]
pub fn rest(duty: Duty, worked: Duration) -> Duration {
    match duty {
        Duty::Rest(times) => worked.mul_f64(times).min(Duration::from_secs(10)),
        Duty::Full | Duty::Stop => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::simulated::{self, SimulatedBus, SimulatedLine};
    use super::*;
    use anyhow::Result;

    #[test]
    fn errors_of_any_call_are_counted_and_survived() {
        let faults = simulated::Faults::default();
        let line = SimulatedLine::new(&faults);
        let mut all = Peripherals::with(
            Some(Box::new(LineTrigger(line.clone()))),
            None,
            Some(Box::new(Ina3221::new(SimulatedBus::new(&faults, 5.0, 0.8, 5.0), 0x40, 1, 5.0))),
        );
        assert!(!all.is_triggered());
        assert!(LineWatchdog { pin: line.clone(), high: false }.kick().is_ok());
        assert!(all.is_triggered() && line.is_high_now());
        all.begin_energy();
        std::thread::sleep(Duration::from_millis(20));
        let energy = all.end_energy();
        assert!(energy.is_some_and(|millijoules| (70.0..400.0).contains(&millijoules)), "{energy:?}");
        assert_eq!(all.errors, 0);
        faults.begin();
        assert!(all.is_triggered(), "a trigger that does not answer stops nothing");
        all.begin_energy();
        assert_eq!(all.end_energy(), None);
        assert_eq!(all.errors, 2);
        let named = all.faults.all();
        assert_eq!(named.keys().copied().collect::<Vec<_>>(), [FaultKind::PowerErrors, FaultKind::TriggerErrors]);
        assert!(named.values().all(|fault| fault.last.contains("Fault")), "{named:?}");
    }

    #[test]
    fn heat_slows_and_stops() -> Result<()> {
        assert_eq!([60.0, 75.0, 79.9, 80.0].map(|celsius| duty(celsius, 70.0, 80.0))[3], Duty::Stop);
        assert_eq!(duty(70.0, 70.0, 80.0), Duty::Full);
        assert_eq!(rest(duty(75.0, 70.0, 80.0), Duration::from_millis(10)), Duration::from_millis(20));
        let folder = tempfile::tempdir()?;
        let zone = folder.path().join("temp");
        let config = PeripheralsConfig {
            temperature: Some(TemperatureConfig { zone: zone.clone(), warm: 70.0, limit: 80.0 }),
            ..PeripheralsConfig::default()
        };
        let mut all = Peripherals::open(&config);
        assert_eq!((all.duty(), all.errors), (Duty::Full, 1), "a zone that is not there");
        let faults = Faults::default();
        all.report_to(&faults);
        let last = faults.all().remove(&FaultKind::TemperatureErrors).unwrap_or_default();
        assert!(last.count == 1 && last.last.contains("temp"), "{last:?}");
        std::fs::write(&zone, "85000\n")?;
        assert_eq!(all.duty(), Duty::Stop);
        Ok(())
    }
}
