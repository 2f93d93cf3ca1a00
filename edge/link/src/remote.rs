//! HOST:PORT, and the addresses that it stands for.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Whether text is HOST:PORT.
pub(crate) fn is_remote(address: &str) -> bool {
    remote(address).is_some()
}

/// Host, without brackets, and port of HOST:PORT.
fn remote(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let bracketed = host.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    let host = bracketed.unwrap_or(Some(host))?;
    // After % stands the interface of an address of one's own network.
    let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
    let is_host = match bracketed.is_some() || host.contains(':') || zone.is_some() {
        true => address.parse::<Ipv6Addr>().is_ok() && zone != Some(""),
        false => !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/[]".contains(c)),
    };
    let port = port.parse().ok().filter(|port| *port > 0)?;
    is_host.then_some((host, port))
}

/// The addresses that HOST:PORT stands for, as the system knows them; HOST may be `[fe80::1%eth0]`.
///
/// # Errors
/// Where it has another form, or the system knows no such host.
pub fn resolve(address: &str) -> io::Result<Vec<SocketAddr>> {
    let remote = remote(address).ok_or_else(|| io::Error::other("is no HOST:PORT"))?;
    Ok(remote.to_socket_addrs()?.collect())
}
