//! Where and when, beside what an image says of itself: NMEA 0183 and MAVLink.

pub mod mavlink;
pub mod nmea;

use super::config::PositionConfig;
use cssa_image::Place;
use cssa_wire::Position;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    last: Arc<Mutex<Option<(Fix, Instant)>>>,
}

/// What a receiver said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// Where.
    pub position: Position,
    /// UTC in seconds since 1970, where it said so.
    pub time: Option<u32>,
}

impl Receiver {
    /// Starts the receiver that the configuration asks for, in a thread of its own that tries again for ever.
    pub fn start(config: &PositionConfig) -> Self {
        let receiver = Self::default();
        let sink = receiver.clone();
        let config = config.clone();
        if config == PositionConfig::Tags {
            return receiver;
        }
        std::thread::spawn(move || {
            loop {
                let _gone = match &config {
                    PositionConfig::Tags => return,
                    PositionConfig::Nmea { device, baud } => nmea::read(device, *baud, &sink),
                    PositionConfig::Mavlink { address } => mavlink::read(address, &sink),
                };
                std::thread::sleep(RETRY);
            }
        });
        receiver
    }

    /// Takes a fix.
    pub fn say(&self, fix: Fix) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((fix, Instant::now()));
    }

    /// The last fix, where it is fresh.
    #[must_use]
    pub fn fix(&self) -> Option<Fix> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.filter(|(_, at)| at.elapsed() < FRESH).map(|(fix, _)| fix)
    }
}
