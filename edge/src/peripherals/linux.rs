//! The devices as Linux shows them: GPIO character devices and `/dev/i2c-*`.

use super::ina3221::Ina3221;
use super::{LineTrigger, LineWatchdog, PowerMonitor, Trigger, Watchdog};
use crate::config::{Pin, PowerConfig};
use anyhow::{Context, Result};
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::{CdevPin, I2cdev};

/// What the lines are requested as.
const CONSUMER: &str = "cssa-edge";

fn line(pin: &Pin, direction: LineRequestFlags) -> Result<CdevPin> {
    let open = || -> Result<CdevPin> {
        let line = Chip::new(&pin.chip)?.get_line(pin.line)?;
        Ok(CdevPin::new(line.request(direction, 0, CONSUMER)?)?)
    };
    open().with_context(|| format!("{} line {}", pin.chip.display(), pin.line))
}

pub(super) fn trigger(pin: &Pin) -> Result<Box<dyn Trigger>> {
    Ok(Box::new(LineTrigger(line(pin, LineRequestFlags::INPUT)?)))
}

pub(super) fn watchdog(pin: &Pin) -> Result<Box<dyn Watchdog>> {
    Ok(Box::new(LineWatchdog { pin: line(pin, LineRequestFlags::OUTPUT)?, high: false }))
}

pub(super) fn power(config: &PowerConfig) -> Result<Box<dyn PowerMonitor>> {
    let bus = I2cdev::new(&config.bus).with_context(|| format!("{}", config.bus.display()))?;
    Ok(Box::new(Ina3221::new(bus, config.address, config.channel, config.shunt_milliohm)))
}
