//! Datagrams.

use super::{Deframer, End, Format, Framer, Heard, Port, is_timeout};
use anyhow::{Context, Result};
use std::io::ErrorKind::ConnectionRefused;
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

pub(super) struct Udp {
    address: String,
    end: End,
    format: Format,
    framer: Framer,
    deframer: Deframer,
    socket: Option<UdpSocket>,
    /// Who was heard last; the ground answers there.
    last: Option<SocketAddr>,
    buffer: Vec<u8>,
}

impl Udp {
    pub(super) fn new(address: &str, end: End, format: Format) -> Self {
        let (framer, deframer) = (Framer::new(format, end.sends()), Deframer::new(format, end.hears()));
        Self {
            address: address.into(),
            end,
            format,
            framer,
            deframer,
            socket: None,
            last: None,
            buffer: vec![0; 1 << 16],
        }
    }

    /// Runs `action` on the open socket; an error closes it.
    fn with<T>(&mut self, action: impl FnOnce(&mut Self, &UdpSocket) -> Result<T>) -> Result<T> {
        let socket = match (self.socket.take(), self.end) {
            (Some(socket), _) => socket,
            (None, End::Ground) => UdpSocket::bind(&self.address).with_context(|| self.address.clone())?,
            (None, End::Vehicle) => {
                let ground = self.address.to_socket_addrs().with_context(|| self.address.clone())?.next();
                let ground = ground.with_context(|| format!("{}: no such host", self.address))?;
                let any = if ground.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(ground).with_context(|| self.address.clone())?;
                socket
            }
        };
        let result = action(self, &socket);
        if result.is_ok() {
            self.socket = Some(socket);
        }
        result.with_context(|| self.address.clone())
    }
}

impl Port for Udp {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        let bytes = self.framer.datagram(packet);
        self.with(|port, socket| {
            let _sent = match (port.end, port.last) {
                (End::Vehicle, _) => socket.send(&bytes)?,
                (End::Ground, Some(vehicle)) => socket.send_to(&bytes, vehicle)?,
                (End::Ground, None) => anyhow::bail!("nobody was heard yet"),
            };
            Ok(())
        })
    }

    fn receive(&mut self, wait: Duration) -> Result<Heard> {
        self.with(|port, socket| {
            socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
            let (length, from) = match socket.recv_from(&mut port.buffer) {
                Ok(received) => received,
                // The other end is not there, which says nothing about what this one may hear later.
                Err(error) if is_timeout(&error) || error.kind() == ConnectionRefused => return Ok(Heard::default()),
                Err(error) => return Err(error.into()),
            };
            port.last = Some(from);
            let found = port.deframer.datagram(&port.buffer[..length]);
            Ok(Heard { from: from.ip().to_string(), found, ended: false })
        })
    }

    fn largest(&self) -> usize {
        self.format.largest()
    }

    fn cost(&self, length: usize) -> usize {
        self.format.cost(length)
    }

    fn missing(&self) -> u64 {
        self.deframer.missing()
    }
}
