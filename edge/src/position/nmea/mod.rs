//! NMEA 0183 from a serial device: position, date and time of RMC, GGA, GNS and GLL, dates of ZDA. The nmea crate takes the first
//! three digits of a longitude for degrees even where its leading zero is missing, and believes simulators: sentences are read
//! here.

mod date;
mod frame;
mod pace;
mod sentence;

use super::fix::Fix;
use super::receiver::Receiver;
use crate::error::{Error, Result};
use crate::patient::Patient;
use crate::vitals::Pulse;
use cssa::clock;
use cssa_wire::Position;
use date::Dates;
pub(super) use date::plausible;
use frame::Framer;
use pace::Pace;
use rustix::fs::OFlags;
use sentence::Said;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A read that gives nothing for so long is tried again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads sentences until the device is gone; shows a sign of life every second.
pub(super) fn read(device: &Path, baud: u32, receiver: &Receiver, pulse: &Arc<Pulse>) -> Result<()> {
    let mut input = open(device, baud, pulse)?;
    receiver.open();
    let (mut decoder, mut bytes) = (Decoder::default(), [0; 256]);
    loop {
        pulse.beat();
        let read = match input.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => continue,
            Err(error) => return Err(Error::path(device)(error)),
        };
        receiver.hear_bytes();
        for &byte in &bytes[..read] {
            decoder.push(byte, clock::now(), receiver);
        }
    }
}

/// A serial line, where the device is one: that is busy or missing is an error. Else a named pipe or a file.
fn open(device: &Path, baud: u32, pulse: &Arc<Pulse>) -> Result<Box<dyn Read>> {
    let metadata = fs::metadata(device).map_err(Error::path(device))?;
    if metadata.file_type().is_char_device() {
        let port = serialport::new(device.to_string_lossy(), baud).timeout(PATIENCE).open();
        return Ok(Box::new(port.map_err(|error| Error::path(device)(error.into()))?));
    }
    // A pipe that nobody writes to yet is open at once, and has nothing to read.
    let input = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(device);
    Ok(Box::new(Patient::new(input.map_err(Error::path(device))?, Some(Arc::clone(pulse)))))
}

/// What turns bytes into fixes.
#[derive(Debug, Default)]
pub struct Decoder {
    framer: Framer,
    dates: Dates,
    /// The datum of positions, where it is another than WGS 84.
    datum: Option<String>,
    /// Why the receiver does not stand for its positions, by its status: sentences without one are not believed meanwhile.
    void: Option<String>,
    pace: Pace,
}

impl Decoder {
    /// Takes a byte; `now` is the system's time in seconds since 1970.
    pub fn push(&mut self, byte: u8, now: u32, receiver: &Receiver) {
        let Some(sentence) = self.framer.push(byte) else { return };
        receiver.hear_message();
        match sentence::read(&sentence) {
            Said::Fix { place, clock, date, has_status } => {
                if has_status {
                    self.void = None;
                }
                let time = clock.and_then(|clock| self.dates.time(clock, date, now));
                receiver.compare(date.is_some().then_some(time), now);
                if let Some(problem) = clock.and_then(|clock| self.pace.next(clock, Instant::now())) {
                    return receiver.lose(problem.into());
                }
                if let Some(datum) = &self.datum {
                    return receiver.lose(format!("positions are on the datum {datum}, expected W84"));
                }
                if let Some(void) = &self.void {
                    return receiver.lose(void.clone());
                }
                match Position::new(place.latitude, place.longitude) {
                    Some(position) => receiver.say(Fix { position, time }),
                    None => receiver.lose(format!("{}, {}", place.latitude, place.longitude)),
                }
            }
            Said::Date { clock, date } => {
                self.dates.time(clock, Some(date), now);
            }
            Said::NoFix { reason, has_status } => {
                if has_status {
                    self.void = Some(reason.clone());
                }
                receiver.lose(reason);
            }
            Said::Datum(datum) => self.datum = datum,
            Said::Other => {}
        }
    }
}

#[cfg(test)]
mod tests;
