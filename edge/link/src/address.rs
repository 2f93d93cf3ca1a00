//! Where a link leads, as it is written in a configuration or on a command line.

use crate::error::LinkError;
use crate::framing::Format;
use crate::mavlink::MavlinkId;
use crate::port::{End, Port};
use crate::{mavlink, stream, udp};
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
            "udp" if rest.contains(':') => Ok(Self::Udp(rest.into())),
            "serial" => {
                let (device, baud) = rest.rsplit_once(':').ok_or_else(any)?;
                let baud = baud.parse().map_err(|_| expected("serial:DEVICE:BAUD, BAUD a number"))?;
                Ok(Self::Serial(device.into(), baud))
            }
            "mavlink" => {
                let kinds = ["udpout:", "udpin:", "tcpout:", "serial:"];
                if kinds.iter().any(|kind| rest.starts_with(kind)) {
                    return Ok(Self::Mavlink(rest.into()));
                }
                Err(expected("mavlink:KIND:ADDRESS, KIND one of udpout, udpin, tcpout and serial"))
            }
            _ => Err(any()),
        }
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
