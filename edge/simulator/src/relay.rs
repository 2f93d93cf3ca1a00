//! A link between two real programs: datagrams from the vehicle to the ground and back, as a channel carries them.

use super::channel::{Channel, ChannelSettings};
use super::error::{Error, Result};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long nothing is looked at.
const NAP: Duration = Duration::from_millis(1);

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Relayed {
    /// Datagrams from the vehicle, and those that arrived.
    pub down: u64,
    /// Of them.
    pub down_arrived: u64,
    /// Bytes from the vehicle.
    pub down_bytes: u64,
    /// Of them, those that arrived.
    pub down_arrived_bytes: u64,
    /// Datagrams from the ground, and those that arrived.
    pub up: u64,
    /// Of them.
    pub up_arrived: u64,
    /// Bytes from the ground.
    pub up_bytes: u64,
}

/// Something on its way.
struct Flying {
    at: f64,
    bytes: Vec<u8>,
    down: bool,
}

/// Listens for the vehicle at `listen` and passes on to the ground at `to`, until `stop`.
pub fn relay(listen: &str, to: &str, settings: ChannelSettings, stop: &AtomicBool) -> Result<Relayed> {
    settings.validate()?;
    let vehicle_side = UdpSocket::bind(listen).map_err(|source| refused(listen, source))?;
    relay_between(&vehicle_side, to, settings, stop)
}

fn refused(address: &str, source: std::io::Error) -> Error {
    Error::Address { address: address.to_owned(), source }
}

/// The same at a socket that listens for the vehicle already.
pub fn relay_between(
    vehicle_side: &UdpSocket,
    to: &str,
    settings: ChannelSettings,
    stop: &AtomicBool,
) -> Result<Relayed> {
    settings.validate()?;
    let ground_side = UdpSocket::bind("0.0.0.0:0")?;
    ground_side.connect(to).map_err(|source| refused(to, source))?;
    vehicle_side.set_nonblocking(true)?;
    ground_side.set_nonblocking(true)?;
    let (mut down, mut up) = (Channel::new(settings, 0), Channel::new(settings, 1));
    let (mut relayed, mut flying, mut vehicle) = (Relayed::default(), Vec::<Flying>::new(), None::<SocketAddr>);
    let (mut buffer, started) = (vec![0; 1 << 16], Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let now = started.elapsed().as_secs_f64();
        let mut idle = true;
        // An error is one of the other end: it is not there, and what it would have got is lost.
        if let Ok((length, from)) = vehicle_side.recv_from(&mut buffer) {
            (vehicle, idle) = (Some(from), false);
            relayed.down += 1;
            relayed.down_bytes += length as u64;
            let carried = down.carry(&buffer[..length], now);
            flying.extend(carried.map(|(at, bytes)| Flying { at, bytes, down: true }));
        }
        if let Ok(length) = ground_side.recv(&mut buffer) {
            idle = false;
            relayed.up += 1;
            relayed.up_bytes += length as u64;
            let carried = up.carry(&buffer[..length], now);
            flying.extend(carried.map(|(at, bytes)| Flying { at, bytes, down: false }));
        }
        for there in flying.extract_if(.., |flying| flying.at <= now) {
            let sent = match (there.down, vehicle) {
                (true, _) => ground_side.send(&there.bytes),
                (false, Some(vehicle)) => vehicle_side.send_to(&there.bytes, vehicle),
                (false, None) => continue,
            };
            let arrived = if there.down { &mut relayed.down_arrived } else { &mut relayed.up_arrived };
            *arrived += u64::from(sent.is_ok());
            if there.down && sent.is_ok() {
                relayed.down_arrived_bytes += there.bytes.len() as u64;
            }
        }
        if idle {
            std::thread::sleep(NAP);
        }
    }
    Ok(relayed)
}
