//! MAVLink 1 and 2 from the vehicle's own autopilot: GLOBAL_POSITION_INT has the position, GPS_RAW_INT whether there is a fix,
//! SYSTEM_TIME the time. What other vehicles and ground stations say is of them.

use super::fix::{FRESH, Fix};
use super::nmea::plausible;
use super::receiver::Receiver;
use crate::error::{Error, Result};
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
/// Between two looks for a message.
const NAP: Duration = Duration::from_millis(5);
/// After so long without the own vehicle, others that are heard are the reason for having no position.
const ALONE: Duration = Duration::from_secs(5);

/// Reads messages of the vehicle `system` until the connection is gone.
pub fn read(address: &str, system: u8, receiver: &Receiver) -> Result<()> {
    let gone = |source| Error::Autopilot { address: address.into(), source };
    let mut connection = mavlink::connect::<MavMessage>(address).map_err(gone)?;
    connection.set_allow_recv_any_version(true);
    receiver.open();
    let mut decoder = Decoder::new(system);
    loop {
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
}

impl Decoder {
    /// For the vehicle of this number.
    #[must_use]
    pub fn new(system: u8) -> Self {
        Self { system, clock: None, receivers: [None; 2], own: None, position: None }
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
        match message {
            MavMessage::SYSTEM_TIME(time) if time.time_unix_usec > 0 => {
                let seconds = i64::try_from(time.time_unix_usec / 1_000_000).unwrap_or(i64::MAX);
                let right = plausible(seconds, i64::from(now)).and_then(|time| u32::try_from(time).ok());
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
mod tests {
    use super::*;
    use anyhow::Result;
    use mavlink::MavlinkVersion;
    use mavlink::dialects::common::{GLOBAL_POSITION_INT_DATA, GPS_RAW_INT_DATA, SYSTEM_TIME_DATA};

    const NOW: u32 = 1_795_000_000;
    /// 2025-11-23T20:00:00Z.
    const TIME: u32 = 1_763_928_000;

    fn place(lat: i32, lon: i32) -> MavMessage {
        MavMessage::GLOBAL_POSITION_INT(GLOBAL_POSITION_INT_DATA { lat, lon, ..GLOBAL_POSITION_INT_DATA::default() })
    }

    fn time(seconds: u64) -> MavMessage {
        MavMessage::SYSTEM_TIME(SYSTEM_TIME_DATA { time_unix_usec: seconds * 1_000_000, ..SYSTEM_TIME_DATA::default() })
    }

    fn gps(fix_type: GpsFixType) -> MavMessage {
        let (lat, lon) = (482_084_900, 163_720_800);
        MavMessage::GPS_RAW_INT(GPS_RAW_INT_DATA { fix_type, lat, lon, ..GPS_RAW_INT_DATA::default() })
    }

    fn heard(messages: &[(u8, MavMessage)]) -> Option<Fix> {
        let (mut decoder, receiver) = (Decoder::new(1), Receiver::default());
        for (system_id, message) in messages {
            let header = MavHeader { system_id: u32::from(*system_id), component_id: 1, sequence: 0 };
            decoder.hear(&header, message, NOW, &receiver);
        }
        receiver.fix()
    }

    #[test]
    fn only_the_own_vehicle_is_believed() {
        let here = Position::new(48.20849, 16.37208);
        let there = || place(482_084_900, 163_720_800);
        let fix = heard(&[(1, time(u64::from(TIME))), (1, there())]);
        assert!(fix.is_some_and(|fix| Some(fix.position) == here && fix.time == Some(TIME)));
        assert!(heard(&[(255, there())]).is_none() && heard(&[(2, there())]).is_none());
        let other_clock = heard(&[(255, time(5_000)), (1, there())]);
        assert!(other_clock.is_some_and(|fix| fix.time.is_none()));
        let both = heard(&[(1, there()), (2, place(10_000_000, 10_000_000))]);
        assert!(both.is_some_and(|fix| Some(fix.position) == here));
    }

    #[test]
    fn without_a_fix_there_is_no_position() {
        let there = || place(482_084_900, 163_720_800);
        assert!(heard(&[(1, place(0, 0))]).is_none());
        assert!(heard(&[(1, place(i32::MAX, i32::MAX))]).is_none());
        assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_NO_FIX)), (1, there())]).is_none());
        assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_3D_FIX)), (1, there())]).is_some());
        assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_3D_FIX))]).is_some(), "a receiver that speaks for itself");
        assert!(heard(&[(1, gps(GpsFixType::GPS_FIX_TYPE_NO_GPS))]).is_none());
        let weeks_lost = heard(&[(1, time(u64::from(TIME) - 1024 * 7 * 86_400)), (1, there())]);
        assert_eq!(weeks_lost.and_then(|fix| fix.time), Some(TIME));
    }

    #[test]
    fn an_autopilot_says_where_and_when_over_udp_in_both_versions() -> Result<()> {
        for version in [MavlinkVersion::V1, MavlinkVersion::V2] {
            let free = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
            let receiver = Receiver::default();
            let listening = receiver.clone();
            std::thread::spawn(move || read(&format!("udpin:{free}"), 1, &listening));
            let mut autopilot = mavlink::connect::<MavMessage>(&format!("udpout:{free}"))?;
            autopilot.set_protocol_version(version);
            let mut found = None;
            let until = Instant::now() + Duration::from_secs(20);
            while found.is_none() && Instant::now() < until {
                let header = MavHeader { system_id: 1, component_id: 1, sequence: 0 };
                autopilot.send(&header, &time(u64::from(TIME))).ok();
                autopilot.send(&header, &place(482_084_900, 163_720_800)).ok();
                std::thread::sleep(Duration::from_millis(20));
                found = receiver.fix().filter(|fix| fix.time.is_some());
            }
            let found = found.ok_or_else(|| anyhow::anyhow!("no fix of {version:?}"))?;
            assert_eq!(Some(found.position), Position::new(48.20849, 16.37208));
            assert!((TIME..TIME + 30).contains(&found.time.unwrap_or_default()));
        }
        Ok(())
    }
}
