//! MAVLink 1 and 2 from the vehicle's own autopilot: GLOBAL_POSITION_INT has the position, GPS_RAW_INT whether there is a fix,
//! SYSTEM_TIME the time; attitudes: `held`. What other vehicles and ground stations say is of them.

mod held;

use super::fix::{FRESH, Fix};
use super::held::Heights;
use super::nmea::plausible;
use super::receiver::Receiver;
use crate::error::{Error, Result};
use crate::vitals::Pulse;
use cssa::clock;
use cssa_image::Place;
use cssa_wire::Position;
use mavlink::dialects::common::{GpsFixType, MavMessage};
use mavlink::error::MessageReadError;
use mavlink::{MavConnection, MavHeader};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// MAVLink's unit of latitude and longitude, a degree's ten-millionth.
const UNITS: f64 = 1e7;
/// MAVLink's unit of height, a millimetre.
const MILLIMETRES: f64 = 1000.0;
/// Between two looks for a message.
const NAP: Duration = Duration::from_millis(5);
/// After so long without the own vehicle, others that are heard are the reason for having no position.
const ALONE: Duration = Duration::from_secs(5);

/// Reads messages of the vehicle `system` until the connection is gone, with signs of life.
pub(super) fn read(address: &str, system: u8, receiver: &Receiver, pulse: &Pulse) -> Result<()> {
    let gone = |source| Error::Autopilot { address: address.into(), source };
    let mut connection = mavlink::connect::<MavMessage>(address).map_err(gone)?;
    connection.set_allow_recv_any_version(true);
    receiver.open();
    let mut decoder = Decoder::new(system);
    loop {
        pulse.beat();
        match connection.try_recv() {
            Ok((header, message)) => decoder.hear(&header, &message, clock::now(), receiver),
            Err(MessageReadError::Io(error)) if is_nothing_yet(&error) => std::thread::sleep(NAP),
            Err(MessageReadError::Io(error)) => return Err(gone(error)),
            // Damaged on the way, or a message of another dialect.
            Err(_) => receiver.hear_bytes(),
        }
    }
}

fn is_nothing_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// What turns messages into fixes.
#[derive(Debug)]
pub struct Decoder {
    system: u8,
    /// The autopilot's clock: UTC in seconds, and when it was heard.
    clock: Option<(u32, Instant)>,
    /// Whether each of the autopilot's receivers has a fix.
    receivers: [Option<(GpsFixType, Instant)>; 2],
    own: Option<Instant>,
    position: Option<Instant>,
    gimbals: held::Gimbals,
}

impl Decoder {
    /// For the vehicle of this number.
    #[must_use]
    pub fn new(system: u8) -> Self {
        Self { system, clock: None, receivers: [None; 2], own: None, position: None, gimbals: held::Gimbals::default() }
    }

    /// Takes a message; `now` is the system's time in seconds since 1970.
    pub fn hear(&mut self, header: &MavHeader, message: &MavMessage, now: u32, receiver: &Receiver) {
        receiver.hear_bytes();
        receiver.hear_message();
        if header.system_id != u32::from(self.system) {
            if self.own.is_none_or(|heard| heard.elapsed() > ALONE) {
                let (other, own) = (header.system_id, self.system);
                receiver.lose(format!("only MAVLink system {other} is heard, expected {own} (position.system)"));
            }
            return;
        }
        self.own = Some(Instant::now());
        self.gimbals.hear(header, message, receiver);
        match message {
            MavMessage::SYSTEM_TIME(time) if time.time_unix_usec > 0 => {
                let seconds = i64::try_from(time.time_unix_usec / 1_000_000).unwrap_or(i64::MAX);
                let right = plausible(seconds, i64::from(now)).and_then(|time| u32::try_from(time).ok());
                receiver.compare(Some(right), now);
                self.clock = right.map(|time| (time, Instant::now()));
            }
            MavMessage::GPS_RAW_INT(gps) => {
                self.receivers[0] = Some((gps.fix_type, Instant::now()));
                // Some receivers speak for themselves, without an autopilot.
                if self.position.is_none_or(|heard| heard.elapsed() > FRESH) {
                    self.place(gps.lat, gps.lon, receiver);
                }
            }
            MavMessage::GPS2_RAW(gps) => self.receivers[1] = Some((gps.fix_type, Instant::now())),
            MavMessage::GLOBAL_POSITION_INT(place) => {
                self.position = Some(Instant::now());
                let metres = |height: i32| f64::from(height) / MILLIMETRES;
                let heights = Heights { above_start: metres(place.relative_alt), altitude: metres(place.alt) };
                receiver.heard().held.heights.say(Instant::now(), heights);
                self.place(place.lat, place.lon, receiver);
            }
            _ => {}
        }
    }

    fn place(&self, latitude: i32, longitude: i32, receiver: &Receiver) {
        let fresh =
            || self.receivers.iter().flatten().filter(|(_, heard)| heard.elapsed() < FRESH).map(|(fix, _)| *fix);
        if let Some(worst) = fresh().next().filter(|_| !fresh().any(has_fix)) {
            return receiver.lose(format!("GPS_RAW_INT: {worst:?}"));
        }
        match Place::fix(f64::from(latitude) / UNITS, f64::from(longitude) / UNITS) {
            Ok(place) => {
                let elapsed = |(utc, heard): (u32, Instant)| utc.checked_add(heard.elapsed().as_secs() as u32);
                if let Some(position) = Position::new(place.latitude, place.longitude) {
                    receiver.say(Fix { position, time: self.clock.and_then(elapsed) });
                }
            }
            Err(problem) => receiver.lose(format!("MAVLink: {problem}")),
        }
    }
}

fn has_fix(kind: GpsFixType) -> bool {
    !matches!(kind, GpsFixType::GPS_FIX_TYPE_NO_GPS | GpsFixType::GPS_FIX_TYPE_NO_FIX)
}

#[cfg(test)]
mod tests;
