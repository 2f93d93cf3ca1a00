//! Texas Instruments INA3221 (datasheet SBOS576): three channels of shunt and bus voltage.

use embedded_hal::i2c::I2c;

/// A channel of an INA3221.
#[derive(Debug)]
pub struct Ina3221<B> {
    bus: B,
    address: u8,
    channel: u8,
    shunt_milliohm: f64,
}

/// Volts a unit of the shunt voltage registers.
const SHUNT_UNIT: f64 = 40e-6;
/// Volts a unit of the bus voltage registers.
const BUS_UNIT: f64 = 8e-3;

impl<B: I2c> Ina3221<B> {
    /// Channel 1 to 3 of the chip at `address`.
    pub fn new(bus: B, address: u8, channel: u8, shunt_milliohm: f64) -> Self {
        Self { bus, address, channel, shunt_milliohm }
    }

    /// The channel's power.
    pub fn read_watts(&mut self) -> Result<f64, B::Error> {
        let shunt = self.register(2 * self.channel - 1)?;
        let bus = self.register(2 * self.channel)?;
        let amperes = shunt * SHUNT_UNIT / (self.shunt_milliohm * 1e-3);
        Ok(amperes * bus * BUS_UNIT)
    }

    /// A voltage register: 13 bits, signed, left-aligned.
    fn register(&mut self, number: u8) -> Result<f64, B::Error> {
        let mut bytes = [0; 2];
        self.bus.write_read(self.address, &[number], &mut bytes)?;
        Ok(f64::from(i16::from_be_bytes(bytes) >> 3))
    }
}
