//! Where and when, beside what an image says of itself: NMEA 0183 and MAVLink. A position is believed for a reason, and a receiver
//! that gives none is a fault with its reason.

mod check;
pub mod mavlink;
pub mod nmea;
mod tags;
mod watch;

pub(crate) use self::tags::{faults, georeference, note};

use super::config::PositionConfig;
use super::control::Faults;
use super::error::chain;
use cssa_image::Place;
use cssa_wire::Position;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use watch::Heard;

/// A position older than this is not taken.
const FRESH: Duration = Duration::from_secs(5);
/// A receiver that is gone is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

/// A place as packets have it.
pub(super) fn position(place: Place) -> Option<Position> {
    Position::new(place.latitude, place.longitude)
}

/// The last fix of a receiver, written by its thread.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    heard: Arc<Mutex<Heard>>,
}

/// What a receiver said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// Where.
    pub position: Position,
    /// UTC in seconds since 1970, where it is known.
    pub time: Option<u32>,
}

impl Receiver {
    /// Starts the receiver that the configuration asks for, in a thread of its own that tries again for ever. A receiver that is
    /// missing, busy, silent, not understood or without a fix is a fault.
    pub(crate) fn start(config: &PositionConfig, faults: &Faults) -> Self {
        let receiver = Self::default();
        let config = config.clone();
        if config == PositionConfig::Tags {
            return receiver;
        }
        watch::start(config.name(), &receiver, faults.clone());
        let (sink, faults) = (receiver.clone(), faults.clone());
        std::thread::spawn(move || {
            loop {
                let ended = match &config {
                    PositionConfig::Tags => return,
                    PositionConfig::Nmea { device, baud } => nmea::read(device, *baud, &sink),
                    PositionConfig::Mavlink { address, system } => mavlink::read(address, *system, &sink),
                };
                if let Err(error) = ended {
                    sink.heard().is_gone = true;
                    faults.record("position_receiver", format_args!("position: {}", chain(&error)));
                }
                std::thread::sleep(RETRY);
            }
        });
        receiver
    }

    /// Takes a fix.
    pub fn say(&self, fix: Fix) {
        let mut heard = self.heard();
        heard.fix = Some((fix, Instant::now()));
        heard.lost = None;
    }

    /// The receiver has no fix, and says why.
    pub fn lose(&self, reason: String) {
        let mut heard = self.heard();
        heard.fix = None;
        heard.lost = Some(reason);
    }

    /// The last fix, where it is fresh.
    #[must_use]
    pub fn fix(&self) -> Option<Fix> {
        self.heard().fix.filter(|(_, at)| at.elapsed() < FRESH).map(|(fix, _)| fix)
    }

    /// The device or connection is open.
    fn open(&self) {
        let mut heard = self.heard();
        if std::mem::take(&mut heard.is_gone) {
            heard.bytes = Some(Instant::now());
        }
    }

    fn hear_bytes(&self) {
        let mut heard = self.heard();
        heard.bytes = Some(Instant::now());
        heard.is_gone = false;
    }

    fn hear_message(&self) {
        self.heard().message = Some(Instant::now());
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_is_not_there_is_a_fault_with_its_reason() {
        let faults = Faults::default();
        let config = PositionConfig::Nmea { device: "/dev/no-such-receiver".into(), baud: 9600 };
        let receiver = Receiver::start(&config, &faults);
        let until = Instant::now() + Duration::from_secs(10);
        let found = loop {
            match faults.all().remove("position_receiver") {
                Some(fault) => break fault.last,
                None if Instant::now() > until => break String::new(),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(found.contains("/dev/no-such-receiver: No such file"), "{found}");
        assert!(receiver.fix().is_none());
    }
}
