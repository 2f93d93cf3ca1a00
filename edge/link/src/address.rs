//! Where a link leads, as it is written in a configuration or on a command line.

use crate::error::LinkError;
use crate::framing::Format;
use crate::mavlink::MavlinkId;
use crate::port::{End, Port};
use crate::remote::is_remote;
use crate::{mavlink, stream, udp};
use std::net::IpAddr;
use std::path::PathBuf;

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
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let expected = |what| LinkError::Address { found: text.into(), expected: what };
        let any = || expected("file:PATH, udp:HOST:PORT, serial:DEVICE:BAUD or mavlink:KIND:ADDRESS");
        let (kind, rest) = text.split_once(':').ok_or_else(any)?;
        match kind {
            "file" if rest.is_empty() => Err(expected("file:PATH")),
            "file" => Ok(Self::File(rest.into())),
            "udp" if is_remote(rest) => Ok(Self::Udp(rest.into())),
            "udp" => Err(expected("udp:HOST:PORT, PORT 1 to 65535")),
            "serial" => {
                let (device, baud) = rest.rsplit_once(':').ok_or_else(any)?;
                let baud = baud.parse().ok().filter(|baud| *baud > 0 && !device.is_empty());
                let baud = baud.ok_or_else(|| expected("serial:DEVICE:BAUD, BAUD a number"))?;
                Ok(Self::Serial(device.into(), baud))
            }
            "mavlink" => {
                let kinds = ["udpout:", "udpin:", "tcpout:", "serial:"];
                let is_right = kinds.iter().any(|kind| rest.starts_with(kind)) && is_mavlink_address(rest);
                let forms = "mavlink: and udpout:HOST:PORT, udpin:ADDRESS:PORT, tcpout:HOST:PORT or serial:DEVICE:BAUD";
                if is_right { Ok(Self::Mavlink(rest.into())) } else { Err(expected(forms)) }
            }
            _ => Err(any()),
        }
    }
}

/// Whether a MAVLink address has its form: hosts are not looked up.
#[must_use]
pub fn is_mavlink_address(address: &str) -> bool {
    let Some((kind, rest)) = address.split_once(':') else { return false };
    let Some((before, after)) = rest.rsplit_once(':') else { return false };
    // In brackets the mavlink crate knows interfaces by their numbers alone.
    let bracketed = before.strip_prefix('[').and_then(|before| before.strip_suffix(']'));
    let zone = bracketed.and_then(|host| host.split_once('%')).map(|(_, zone)| zone);
    if zone.is_some_and(|zone| zone.parse::<u32>().is_err()) {
        return false;
    }
    match kind {
        "udpin" | "tcpin" => is_remote(rest) && before.trim_matches(['[', ']']).parse::<IpAddr>().is_ok(),
        "udpout" | "udpbcast" | "tcpout" => is_remote(rest),
        // The mavlink crate splits at the first colon.
        "serial" => !before.is_empty() && !before.contains(':') && after.parse::<u32>().is_ok_and(|baud| baud > 0),
        _ => false,
    }
}

impl Address {
    /// A port; it opens with the first packet, and again after an error.
    #[must_use]
    pub fn port(&self, end: End, format: Format) -> Box<dyn Port> {
        self.port_of(MavlinkId::of(end), end, format)
    }

    /// The same, where MAVLink has other numbers for the sender than its end usually has.
    #[must_use]
    pub fn port_of(&self, sender: MavlinkId, end: End, format: Format) -> Box<dyn Port> {
        match self {
            Self::File(path) => Box::new(stream::Stream::file(path, end, format)),
            Self::Serial(device, baud) => Box::new(stream::Stream::serial(device, *baud, end, format)),
            Self::Udp(address) => Box::new(udp::Udp::new(address, end, format)),
            Self::Mavlink(address) => Box::new(mavlink::Tunnel::new(address, end, sender)),
        }
    }
}
