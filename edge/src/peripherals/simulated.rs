//! Devices that are not there, behind the same `embedded-hal` traits, failing on demand.

use embedded_hal::digital::{self, InputPin, OutputPin};
use embedded_hal::i2c::{self, I2c, Operation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Lets every call of the devices that share it fail.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<AtomicBool>);

impl Faults {
    /// From now on every call fails.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// From now on no call fails.
    pub fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), Fault> {
        if self.0.load(Ordering::Relaxed) { Err(Fault) } else { Ok(()) }
    }
}

/// The error of a simulated device.
#[derive(Clone, Copy, Debug)]
pub struct Fault;

impl digital::Error for Fault {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl i2c::Error for Fault {
    fn kind(&self) -> i2c::ErrorKind {
        i2c::ErrorKind::Bus
    }
}

/// A line whose clones are the same wire.
#[derive(Clone, Debug)]
pub struct SimulatedLine {
    level: Arc<AtomicBool>,
    faults: Faults,
}

impl SimulatedLine {
    /// A line that is low.
    #[must_use]
    pub fn new(faults: &Faults) -> Self {
        Self { level: Arc::default(), faults: faults.clone() }
    }

    /// The wire's level, whatever fails.
    #[must_use]
    pub fn is_high_now(&self) -> bool {
        self.level.load(Ordering::Relaxed)
    }
}

impl digital::ErrorType for SimulatedLine {
    type Error = Fault;
}

impl InputPin for SimulatedLine {
    fn is_high(&mut self) -> Result<bool, Fault> {
        self.faults.check()?;
        Ok(self.is_high_now())
    }

    fn is_low(&mut self) -> Result<bool, Fault> {
        self.is_high().map(|high| !high)
    }
}

impl OutputPin for SimulatedLine {
    fn set_low(&mut self) -> Result<(), Fault> {
        self.faults.check()?;
        self.level.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Fault> {
        self.faults.check()?;
        self.level.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// A bus with an INA3221 on it.
#[derive(Debug)]
pub struct SimulatedBus {
    faults: Faults,
    shunt: i16,
    bus: i16,
}

impl SimulatedBus {
    /// The same voltage and current on all channels, over a shunt of so many milliohms.
    #[must_use]
    pub fn new(faults: &Faults, volts: f64, amperes: f64, shunt_milliohm: f64) -> Self {
        let shunt = (amperes * shunt_milliohm * 1e-3 / 40e-6) as i16;
        Self { faults: faults.clone(), shunt: shunt << 3, bus: ((volts / 8e-3) as i16) << 3 }
    }
}

impl i2c::ErrorType for SimulatedBus {
    type Error = Fault;
}

impl I2c for SimulatedBus {
    fn transaction(&mut self, _address: u8, operations: &mut [Operation<'_>]) -> Result<(), Fault> {
        self.faults.check()?;
        let mut register = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => register = bytes.first().copied().unwrap_or(0),
                Operation::Read(bytes) => {
                    let value = if register % 2 == 1 { self.shunt } else { self.bus };
                    for (byte, value) in bytes.iter_mut().zip(value.to_be_bytes()) {
                        *byte = value;
                    }
                }
            }
        }
        Ok(())
    }
}
