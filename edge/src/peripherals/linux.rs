//! The devices as Linux shows them: GPIO character devices, hwmon and `/dev/i2c-*`.

use super::hwmon::{self, Hwmon};
use super::ina3221::Ina3221;
use super::{LineTrigger, LineWatchdog, PowerMonitor, Trigger, Watchdog};
use crate::config::{Pin, PowerConfig};
use crate::error::{Error, Result};
use linux_embedded_hal::gpio_cdev::{self, Chip, LineRequestFlags};
use linux_embedded_hal::{CdevPin, I2cdev};

/// What the lines are requested as.
const CONSUMER: &str = "cssa-edge";

fn line(pin: &Pin, direction: LineRequestFlags) -> Result<CdevPin> {
    let open = || -> Result<CdevPin, gpio_cdev::Error> {
        let line = Chip::new(&pin.chip)?.get_line(pin.line)?;
        CdevPin::new(line.request(direction, 0, CONSUMER)?)
    };
    open().map_err(|source| Error::Gpio { chip: pin.chip.clone(), line: pin.line, source })
}

pub(super) fn trigger(pin: &Pin) -> Result<Box<dyn Trigger>> {
    Ok(Box::new(LineTrigger(line(pin, LineRequestFlags::INPUT)?)))
}

pub(super) fn watchdog(pin: &Pin) -> Result<Box<dyn Watchdog>> {
    Ok(Box::new(LineWatchdog { pin: line(pin, LineRequestFlags::OUTPUT)?, high: false }))
}

/// Through the kernel's driver where that has the chip, else over I²C.
pub(super) fn power(config: &PowerConfig) -> Result<Box<dyn PowerMonitor>> {
    if let Some(channel) = Hwmon::find(config) {
        return Ok(Box::new(channel));
    }
    let path = config.bus.as_ref().filter(|_| config.label.is_none()).ok_or_else(|| hwmon::missing(config))?;
    let bus = I2cdev::new(path).map_err(|source| Error::I2c { bus: path.clone(), source })?;
    Ok(Box::new(Ina3221::new(bus, config.address, config.channel, config.shunt_milliohm)))
}
