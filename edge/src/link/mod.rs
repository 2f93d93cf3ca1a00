//! The link between vehicle and ground: what carries packets down and commands up. Both ends use the same ports and frames.
//!
//! | framing | a packet on a datagram link | in a stream |
//! |---|---|---|
//! | plain | the packet | the packet, COBS-encoded, and a zero byte |
//! | ccsds | a space packet | space packets, one after the other |
//! | ccsds-rs | a marked codeblock | marked codeblocks, one after the other |
//!
//! **Space packet** (CCSDS 133.0-B-2), big-endian: 3 bits version 0; 1 bit type, 0 down, 1 up; 1 bit 0, no secondary header; 11 bits
//! APID; 2 bits 11, unsegmented; 14 bits count, by APID; 16 bits length of the data less one; the packet.
//!
//! **Marked codeblock** (CCSDS 131.0-B-5): 1a cf fc 1d; then 255 bytes, xor-ed with the pseudo-random sequence: 223 of data (a space
//! packet, and an idle one of APID 2047 whose data are 0x55, or zeros where less than 7 bytes are left) and 32 of parity,
//! Reed–Solomon (255,223) in the dual basis, interleaving depth 1.
//!
//! **MAVLink**: TUNNEL (385), payload type 0, the packet as it is, at most 128 bytes; the vehicle is system 1, component 191.
//!
//! `fixtures/wire/frames.txt` has golden vectors.

mod codeblock;
mod framing;
mod mavlink;
mod space_packet;
mod stream;
mod udp;

pub use framing::{Deframer, Direction, Format, Found, FrameError, Framer, Framing};

use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;
use std::time::Duration;

/// Something that carries packets.
pub trait Port: Send {
    /// Sends a packet: from the vehicle to the ground; from the ground to the vehicle that was heard last. An error means that it did
    /// not go out.
    fn send(&mut self, packet: &[u8]) -> Result<()>;

    /// What came, after `wait` at most; nothing where nothing did.
    fn receive(&mut self, wait: Duration) -> Result<Heard>;

    /// Bytes of the largest packet that [`Port::send`] takes.
    fn largest(&self) -> usize;

    /// Bytes that a packet of `length` bytes takes with all that is put around it.
    fn cost(&self, length: usize) -> usize;

    /// Shows a caption to whoever sits at the ground station, where the port can; its priority says how it stands out.
    fn show(&mut self, _text: &str, _priority: u8) -> Result<()> {
        Ok(())
    }

    /// Frames that are missing, where they are counted.
    fn missing(&self) -> u64 {
        0
    }
}

/// What a port heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// From whom: an address, a device, a file.
    pub from: String,
    /// Packets, and what was there in their place.
    pub found: Vec<Found>,
    /// There will be no more: the file has ended.
    pub ended: bool,
}

/// Which end of the link this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Sends captions and obeys commands.
    Vehicle,
    /// Receives captions and acknowledges them.
    Ground,
}

impl End {
    /// The direction of what this end sends.
    fn sends(self) -> Direction {
        match self {
            Self::Vehicle => Direction::Down,
            Self::Ground => Direction::Up,
        }
    }

    /// The direction of what it hears.
    fn hears(self) -> Direction {
        match self {
            Self::Vehicle => Direction::Up,
            Self::Ground => Direction::Down,
        }
    }
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Appended by the vehicle, read to its end by the ground.
    File(PathBuf),
    /// The vehicle sends there; the ground listens there and answers whom it hears.
    Udp(String),
    /// A device and its rate.
    Serial(String, u32),
    /// TUNNEL messages: `udpout:HOST:PORT`, `udpin:ADDRESS:PORT`, `tcpout:HOST:PORT`, `serial:DEVICE:BAUD`.
    Mavlink(String),
}

impl std::str::FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let expected =
            || format!("{text:?}: expected file:PATH, udp:HOST:PORT, serial:DEVICE:BAUD or mavlink:KIND:ADDRESS");
        let (kind, rest) = text.split_once(':').with_context(expected)?;
        match kind {
            "file" => Ok(Self::File(rest.into())),
            "udp" => {
                ensure!(rest.contains(':'), expected());
                Ok(Self::Udp(rest.into()))
            }
            "serial" => {
                let (device, baud) = rest.rsplit_once(':').with_context(expected)?;
                let baud = baud.parse().with_context(|| format!("{text:?}: the rate is no number"))?;
                Ok(Self::Serial(device.into(), baud))
            }
            "mavlink" => {
                let kinds = ["udpout:", "udpin:", "tcpout:", "serial:"];
                ensure!(kinds.iter().any(|kind| rest.starts_with(kind)), "{}, a KIND of {kinds:?}", expected());
                Ok(Self::Mavlink(rest.into()))
            }
            _ => bail!(expected()),
        }
    }
}

impl Address {
    /// A port; it opens with the first packet, and again after an error.
    #[must_use]
    pub fn port(&self, end: End, format: Format) -> Box<dyn Port> {
        match self {
            Self::File(path) => Box::new(stream::Stream::file(path, end, format)),
            Self::Serial(device, baud) => Box::new(stream::Stream::serial(device, *baud, end, format)),
            Self::Udp(address) => Box::new(udp::Udp::new(address, end, format)),
            Self::Mavlink(address) => Box::new(mavlink::Tunnel::new(address, end)),
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

#[cfg(test)]
mod tests;
