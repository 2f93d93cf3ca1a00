//! A link between two real programs: datagrams from the vehicle to the ground and back, as a channel carries them.

use super::channel::{Channel, ChannelSettings};
use super::error::{Error, Result};
use cssa_link::resolve;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
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
    let vehicle_side =
        resolve(listen).and_then(|own| UdpSocket::bind(&*own)).map_err(|source| refused(listen, source))?;
    relay_between(&vehicle_side, to, settings, stop)
}

/// A socket for one other end, of the family of its address.
fn connected(to: &str) -> std::io::Result<UdpSocket> {
    let mut problem = std::io::Error::other("is no address");
    for address in resolve(to)? {
        let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        match UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// Whether a socket bound to `own` hears what is sent to `to`; `from` is the address that the system sends it from, which is `to` itself
/// where that is this host. IPv6's wildcard hears IPv4, too, as Linux has it.
fn is_heard_at(own: IpAddr, to: IpAddr, from: IpAddr) -> bool {
    let (to, from) = (to.to_canonical(), from.to_canonical());
    let is_of_this_host = to == from || to.is_loopback();
    own.to_canonical() == to || own.is_unspecified() && is_of_this_host && (own.is_ipv6() || to.is_ipv4())
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
    let ground_side = connected(to).map_err(|source| refused(to, source))?;
    let ground = ground_side.peer_addr()?;
    let own = vehicle_side.local_addr()?;
    if ground.port() == own.port() && is_heard_at(own.ip(), ground.ip(), ground_side.local_addr()?.ip()) {
        return Err(refused(to, std::io::Error::other("is where the relay listens itself")));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, Result};

    fn carried(ground: &UdpSocket, vehicle_side: &UdpSocket) -> Result<Vec<u8>> {
        let (stop, to) = (AtomicBool::new(false), ground.local_addr()?.to_string());
        ground.set_read_timeout(Some(Duration::from_secs(10)))?;
        std::thread::scope(|scope| {
            let relay = scope.spawn(|| relay_between(vehicle_side, &to, ChannelSettings::default(), &stop));
            let sent = UdpSocket::bind((vehicle_side.local_addr()?.ip(), 0))
                .and_then(|socket| socket.send_to(b"words", vehicle_side.local_addr()?));
            let mut buffer = [0; 9];
            let arrived = sent.and_then(|_| ground.recv(&mut buffer));
            stop.store(true, Ordering::Relaxed);
            relay.join().ok().context("the relay panicked")??;
            Ok(buffer.get(..arrived?).context("is longer")?.to_vec())
        })
    }

    #[test]
    fn the_ground_has_an_address_of_either_family() -> Result<()> {
        for own in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 has nothing to carry to.
            let Ok(ground) = UdpSocket::bind(own) else { continue };
            assert_eq!(carried(&ground, &UdpSocket::bind(own)?)?, b"words", "{own}");
        }
        Ok(())
    }

    /// It would send everything to itself, again and again.
    #[test]
    fn the_ground_is_not_where_the_relay_listens() -> Result<()> {
        for own in ["127.0.0.1:0", "0.0.0.0:0"] {
            let vehicle_side = UdpSocket::bind(own)?;
            let to = format!("127.0.0.1:{}", vehicle_side.local_addr()?.port());
            let refused = relay_between(&vehicle_side, &to, ChannelSettings::default(), &AtomicBool::new(true));
            let said = refused.err().context("was taken")?;
            assert!(format!("{said:?}").contains("listens itself"), "{said:?}");
        }
        Ok(())
    }

    #[test]
    fn a_socket_hears_what_is_sent_to_this_host_in_its_family() {
        for (own, to, from, is_heard) in [
            ("127.0.0.1", "127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true),
            ("0.0.0.0", "192.0.2.2", "192.0.2.2", true),
            ("0.0.0.0", "127.0.0.2", "127.0.0.1", true),
            ("::", "::ffff:127.0.0.1", "::ffff:127.0.0.1", true),
            ("::", "::1", "::1", true),
            ("0.0.0.0", "::1", "::1", false),
            ("0.0.0.0", "192.0.2.3", "192.0.2.2", false),
            ("192.0.2.2", "127.0.0.1", "127.0.0.1", false),
        ] {
            let [own_address, to_address, from] = [own, to, from].map(|text| text.parse::<IpAddr>());
            let found = own_address.and_then(|own| Ok(is_heard_at(own, to_address?, from?)));
            assert_eq!(found, Ok(is_heard), "{own} {to}");
        }
    }
}
