//! MAVLink: packets in TUNNEL messages through an autopilot's own link, and captions as STATUSTEXT, which unmodified ground
//! stations show.

use super::{End, Heard, Port, is_timeout};
use anyhow::{Context, Result, ensure};
use mavlink::dialects::common::{MavMessage, MavSeverity, MavTunnelPayloadType, STATUSTEXT_DATA, TUNNEL_DATA};
use mavlink::error::MessageReadError;
use mavlink::types::CharArray;
use mavlink::{MavConnection, MavHeader};
use std::time::{Duration, Instant};

/// Bytes that a TUNNEL holds.
const LARGEST: usize = 128;
/// Bytes of a whole TUNNEL frame beside its payload: header, fields, checksum.
const AROUND: usize = 10 + 5 + 2;
/// The number of payloads that nobody registered.
const KIND: MavTunnelPayloadType = MavTunnelPayloadType::MAV_TUNNEL_PAYLOAD_TYPE_UNKNOWN;
/// Bytes of a STATUSTEXT.
const CHUNK: usize = 50;
/// Between two looks for a message.
const NAP: Duration = Duration::from_millis(5);

pub(super) struct Tunnel {
    address: String,
    end: End,
    open: Option<mavlink::Connection<MavMessage>>,
    sequence: u8,
    texts: u16,
}

impl Tunnel {
    pub(super) fn new(address: &str, end: End) -> Self {
        Self { address: address.into(), end, open: None, sequence: 0, texts: 0 }
    }

    /// Runs `action` on the open connection; an error closes it.
    fn with<T>(&mut self, action: impl FnOnce(&mavlink::Connection<MavMessage>) -> Result<T>) -> Result<T> {
        let connection = match self.open.take() {
            Some(connection) => connection,
            None => mavlink::connect::<MavMessage>(&self.address).with_context(|| self.address.clone())?,
        };
        let result = action(&connection);
        if result.is_ok() {
            self.open = Some(connection);
        }
        result.with_context(|| self.address.clone())
    }

    fn write(&mut self, message: &MavMessage) -> Result<()> {
        // Component 191: MAV_COMP_ID_ONBOARD_COMPUTER. Ground stations are system 255, component 190.
        let (system_id, component_id) = match self.end {
            End::Vehicle => (1, 191),
            End::Ground => (255, 190),
        };
        let header = MavHeader { system_id, component_id, sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        self.with(|connection| {
            let sent = connection.send(&header, message)?;
            ensure!(sent > 0, "nobody is there yet");
            Ok(())
        })
    }
}

impl Port for Tunnel {
    fn send(&mut self, packet: &[u8]) -> Result<()> {
        ensure!(packet.len() <= LARGEST, "a packet of {} bytes, a TUNNEL holds {LARGEST}", packet.len());
        let mut payload = [0; LARGEST];
        payload[..packet.len()].copy_from_slice(packet);
        self.write(&MavMessage::TUNNEL(TUNNEL_DATA {
            payload_type: KIND,
            target_system: 0,
            target_component: 0,
            payload_length: packet.len() as u8,
            payload,
        }))
    }

    fn receive(&mut self, wait: Duration) -> Result<Heard> {
        let until = Instant::now() + wait;
        self.with(|connection| {
            loop {
                match connection.try_recv() {
                    Ok((header, MavMessage::TUNNEL(tunnel))) if tunnel.payload_type == KIND => {
                        let length = usize::from(tunnel.payload_length).min(LARGEST);
                        let (from, packet) = (header.system_id, tunnel.payload[..length].to_vec());
                        return Ok(Heard {
                            from: format!("mavlink system {from}"),
                            found: vec![Ok(packet)],
                            ended: false,
                        });
                    }
                    Err(MessageReadError::Io(error)) if is_timeout(&error) => {}
                    Err(MessageReadError::Io(error)) => return Err(error.into()),
                    // Another message, one of another dialect, or damage: the next one may be there already.
                    _ if Instant::now() < until => continue,
                    _ => {}
                }
                if Instant::now() >= until {
                    return Ok(Heard::default());
                }
                std::thread::sleep(NAP);
            }
        })
    }

    fn largest(&self) -> usize {
        LARGEST
    }

    fn cost(&self, length: usize) -> usize {
        length + AROUND
    }

    /// The text in pieces of 50 bytes, under one id where there are several.
    fn show(&mut self, text: &str, priority: u8) -> Result<()> {
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
