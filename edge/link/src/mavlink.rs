//! MAVLink: packets in TUNNEL messages through an autopilot's own link, and captions as STATUSTEXT, which unmodified ground
//! stations show.

use crate::error::LinkError;
use crate::port::{End, Port, Received, is_timeout};
use mavlink::dialects::common::{MavMessage, MavSeverity, MavTunnelPayloadType, STATUSTEXT_DATA, TUNNEL_DATA};
use mavlink::error::MessageReadError;
use mavlink::types::CharArray;
use mavlink::{MavConnection, MavHeader};
use std::io;
use std::time::{Duration, Instant};

/// Bytes that a TUNNEL holds.
const MAX_PAYLOAD: usize = 128;
/// Bytes of a whole TUNNEL frame beside its payload: header, fields, checksum.
const AROUND: usize = 10 + 5 + 2;
/// The number of payloads that nobody registered.
const KIND: MavTunnelPayloadType = MavTunnelPayloadType::MAV_TUNNEL_PAYLOAD_TYPE_UNKNOWN;
/// Bytes of a STATUSTEXT.
const CHUNK: usize = 50;
/// Between two looks for a message.
const NAP: Duration = Duration::from_millis(5);

pub(crate) struct Tunnel {
    address: String,
    end: End,
    open: Option<mavlink::Connection<MavMessage>>,
    sequence: u8,
    texts: u16,
}

impl Tunnel {
    pub(crate) fn new(address: &str, end: End) -> Self {
        Self { address: address.into(), end, open: None, sequence: 0, texts: 0 }
    }

    /// Runs `action` on the open connection; an error closes it.
    fn with<T>(
        &mut self,
        action: impl FnOnce(&mavlink::Connection<MavMessage>) -> io::Result<T>,
    ) -> Result<T, LinkError> {
        let connection = match self.open.take() {
            Some(connection) => Ok(connection),
            None => mavlink::connect::<MavMessage>(&self.address),
        };
        let done = connection.and_then(|connection| {
            let result = action(&connection)?;
            self.open = Some(connection);
            Ok(result)
        });
        done.map_err(|cause| LinkError::Port { port: self.address.clone(), cause })
    }

    fn write(&mut self, message: &MavMessage) -> Result<(), LinkError> {
        // Component 191: MAV_COMP_ID_ONBOARD_COMPUTER. Ground stations are system 255, component 190.
        let (system_id, component_id) = match self.end {
            End::Vehicle => (1, 191),
            End::Ground => (255, 190),
        };
        let header = MavHeader { system_id, component_id, sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        self.with(|connection| match connection.send(&header, message).map_err(io::Error::other)? {
            0 => Err(io::Error::other("nobody is there yet")),
            _ => Ok(()),
        })
    }
}

impl Port for Tunnel {
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError> {
        if packet.len() > MAX_PAYLOAD {
            return Err(LinkError::TooLong { found: packet.len(), largest: MAX_PAYLOAD });
        }
        let mut payload = [0; MAX_PAYLOAD];
        payload[..packet.len()].copy_from_slice(packet);
        self.write(&MavMessage::TUNNEL(TUNNEL_DATA {
            payload_type: KIND,
            target_system: 0,
            target_component: 0,
            payload_length: packet.len() as u8,
            payload,
        }))
    }

    fn receive(&mut self, wait: Duration) -> Result<Received, LinkError> {
        let until = Instant::now() + wait;
        self.with(|connection| {
            loop {
                match connection.try_recv() {
                    Ok((header, MavMessage::TUNNEL(tunnel))) if tunnel.payload_type == KIND => {
                        let length = usize::from(tunnel.payload_length).min(MAX_PAYLOAD);
                        let (from, packet) = (header.system_id, tunnel.payload[..length].to_vec());
                        return Ok(Received {
                            from: format!("mavlink system {from}"),
                            found: vec![Ok(packet)],
                            ended: false,
                        });
                    }
                    Err(MessageReadError::Io(error)) if is_timeout(&error) => {}
                    Err(MessageReadError::Io(error)) => return Err(error),
                    // Another message, one of another dialect, or damage: the next one may be there already.
                    _ if Instant::now() < until => continue,
                    _ => {}
                }
                if Instant::now() >= until {
                    return Ok(Received::default());
                }
                std::thread::sleep(NAP);
            }
        })
    }

    fn largest(&self) -> usize {
        MAX_PAYLOAD
    }

    fn cost(&self, length: usize) -> usize {
        length + AROUND
    }

    /// The text in pieces of 50 bytes, under one id where there are several.
    fn show(&mut self, text: &str, priority: u8) -> Result<(), LinkError> {
        let severity = match priority {
            0 => MavSeverity::MAV_SEVERITY_INFO,
            1 => MavSeverity::MAV_SEVERITY_NOTICE,
            2 => MavSeverity::MAV_SEVERITY_WARNING,
            _ => MavSeverity::MAV_SEVERITY_ALERT,
        };
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(CHUNK).collect();
        self.texts = self.texts % u16::MAX + 1;
        let id = if chunks.len() > 1 { self.texts } else { 0 };
        for (n, chunk) in chunks.into_iter().enumerate() {
            let mut bytes = [0; CHUNK];
            bytes[..chunk.len()].copy_from_slice(chunk);
            let text = CharArray::new(bytes);
            self.write(&MavMessage::STATUSTEXT(STATUSTEXT_DATA { severity, text, id, chunk_seq: n as u8 }))?;
        }
        Ok(())
    }
}
