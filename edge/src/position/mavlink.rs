//! MAVLink from an autopilot: GLOBAL_POSITION_INT has the position, SYSTEM_TIME the time.

use super::{Fix, Receiver};
use crate::error::{Error, Result};
use cssa_wire::Position;
use mavlink::MavConnection;
use mavlink::dialects::common::MavMessage;
use std::time::Instant;

/// MAVLink's unit of latitude and longitude, a degree's ten-millionth.
const UNITS: f64 = 1e7;

/// Reads messages until the connection is gone.
pub fn read(address: &str, receiver: &Receiver) -> Result<()> {
    let gone = |source| Error::Autopilot { address: address.into(), source };
    let connection = mavlink::connect::<MavMessage>(address).map_err(gone)?;
    let mut clock = None;
    loop {
        match connection.recv() {
            Ok((_, message)) => hear(&message, &mut clock, receiver),
            Err(mavlink::error::MessageReadError::Io(error)) => return Err(gone(error)),
            // Damaged on the way, or a message of another dialect.
            Err(_) => {}
        }
    }
}

/// The autopilot's clock: UTC in seconds, and when it was heard.
type Clock = Option<(u64, Instant)>;

fn hear(message: &MavMessage, clock: &mut Clock, receiver: &Receiver) {
    match message {
        MavMessage::SYSTEM_TIME(time) if time.time_unix_usec > 0 => {
            *clock = Some((time.time_unix_usec / 1_000_000, Instant::now()));
        }
        MavMessage::GLOBAL_POSITION_INT(place) if (place.lat, place.lon) != (0, 0) => {
            let time = clock.and_then(|(utc, heard)| u32::try_from(utc + heard.elapsed().as_secs()).ok());
            if let Some(position) = Position::new(f64::from(place.lat) / UNITS, f64::from(place.lon) / UNITS) {
                receiver.say(Fix { position, time });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use mavlink::dialects::common::{GLOBAL_POSITION_INT_DATA, SYSTEM_TIME_DATA};
    use std::time::Duration;

    #[test]
    fn an_autopilot_says_where_and_when_over_udp() -> Result<()> {
        let free = std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        let receiver = Receiver::default();
        let listening = receiver.clone();
        std::thread::spawn(move || read(&format!("udpin:{free}"), &listening));
        let autopilot = mavlink::connect::<MavMessage>(&format!("udpout:{free}"))?;
        let time = SYSTEM_TIME_DATA { time_unix_usec: 1_763_928_000_000_000, ..SYSTEM_TIME_DATA::default() };
        let place =
            GLOBAL_POSITION_INT_DATA { lat: 482_084_900, lon: 163_720_800, ..GLOBAL_POSITION_INT_DATA::default() };
        for _ in 0..100 {
            autopilot.send_default(&MavMessage::SYSTEM_TIME(time.clone())).ok();
            autopilot.send_default(&MavMessage::GLOBAL_POSITION_INT(place.clone())).ok();
            std::thread::sleep(Duration::from_millis(20));
            if let Some(Fix { position, time: Some(time) }) = receiver.fix() {
                assert_eq!(Some(position), Position::new(48.20849, 16.37208));
                assert!((1_763_928_000..1_763_928_010).contains(&time));
                return Ok(());
            }
        }
        anyhow::bail!("no fix")
    }
}
