//! Datagrams.

use crate::error::LinkError;
use crate::framing::{Deframer, Format, Framer};
use crate::port::{End, Port, Received, is_timeout};
use crate::remote::resolve;
use std::io;
use std::io::ErrorKind::ConnectionRefused;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

pub(crate) struct Udp {
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
    pub(crate) fn new(address: &str, end: End, format: Format) -> Self {
        let (framer, deframer) = (Framer::new(format, end.sends()), Deframer::new(format, end.receives()));
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
    fn with<T>(&mut self, action: impl FnOnce(&mut Self, &UdpSocket) -> io::Result<T>) -> Result<T, LinkError> {
        let socket = match self.socket.take() {
            Some(socket) => Ok(socket),
            None => self.open(),
        };
        let done = socket.and_then(|socket| {
            let result = action(self, &socket)?;
            self.socket = Some(socket);
            Ok(result)
        });
        done.map_err(|cause| LinkError::Port { port: self.address.clone(), cause })
    }

    fn open(&self) -> io::Result<UdpSocket> {
        if self.end == End::Ground {
            return UdpSocket::bind(&*resolve(&self.address)?);
        }
        let ground = resolve(&self.address)?.into_iter().next().ok_or_else(|| io::Error::other("no such host"))?;
        let socket = UdpSocket::bind(if ground.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
        socket.connect(ground)?;
        Ok(socket)
    }
}

impl Port for Udp {
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError> {
        let bytes = self.framer.datagram(packet);
        self.with(|port, socket| {
            let _sent = match (port.end, port.last) {
                (End::Vehicle, _) => socket.send(&bytes)?,
                (End::Ground, Some(vehicle)) => socket.send_to(&bytes, vehicle)?,
                (End::Ground, None) => return Err(io::Error::other("nobody was heard yet")),
            };
            Ok(())
        })
    }

    fn receive(&mut self, wait: Duration) -> Result<Received, LinkError> {
        self.with(|port, socket| {
            socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
            let (length, from) = match socket.recv_from(&mut port.buffer) {
                Ok(received) => received,
                // The other end is not there, which says nothing about what this one may hear later.
                Err(error) if is_timeout(&error) || error.kind() == ConnectionRefused => return Ok(Received::default()),
                Err(error) => return Err(error),
            };
            port.last = Some(from);
            let found = port.deframer.datagram(&port.buffer[..length]);
            Ok(Received { from: from.ip().to_string(), peer: Some(from.to_string()), found, ended: false })
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
