//! MAVLink: packets in TUNNEL messages through an autopilot's own link, and captions as STATUSTEXT, which unmodified ground
//! stations show.

use super::{End, FrameError, Heard, Port};
use anyhow::{Context, Result, ensure};
use mavlink::dialects::common::{MavMessage, MavSeverity, MavTunnelPayloadType, STATUSTEXT_DATA, TUNNEL_DATA};
use mavlink::error::MessageReadError;
use mavlink::types::CharArray;
use mavlink::{MavConnection, MavHeader};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

/// Bytes that a TUNNEL holds.
const LARGEST: usize = 128;
/// Bytes of a whole TUNNEL frame beside its payload: header, fields, checksum.
const AROUND: usize = 10 + 5 + 2;
/// The number of payloads that nobody registered.
const KIND: MavTunnelPayloadType = MavTunnelPayloadType::MAV_TUNNEL_PAYLOAD_TYPE_UNKNOWN;
/// Bytes of a STATUSTEXT.
const CHUNK: usize = 50;
/// Messages that wait to be looked at.
const WAITING: usize = 64;

type Connection = Arc<mavlink::Connection<MavMessage>>;

pub(super) struct Tunnel {
    address: String,
    end: End,
    open: Option<(Connection, Receiver<Message>)>,
    sequence: u8,
    texts: u16,
}

/// A TUNNEL's payload with its sender, or why no more will come.
type Message = Result<(u32, Vec<u8>), String>;

impl Tunnel {
    pub(super) fn new(address: &str, end: End) -> Self {
        Self { address: address.into(), end, open: None, sequence: 0, texts: 0 }
    }

    fn open(&mut self) -> Result<(&Connection, &Receiver<Message>)> {
        if self.open.is_none() {
            let connection = mavlink::connect::<MavMessage>(&self.address).with_context(|| self.address.clone())?;
            let (connection, (out, messages)) = (Arc::new(connection), sync_channel(WAITING));
            let listening = Arc::clone(&connection);
            // It ends with the connection, or when nobody listens any more.
            std::thread::spawn(move || {
                loop {
                    let message = match listening.recv() {
                        Ok((header, MavMessage::TUNNEL(tunnel))) if tunnel.payload_type == KIND => {
                            let length = usize::from(tunnel.payload_length).min(LARGEST);
                            Ok((header.system_id, tunnel.payload[..length].to_vec()))
                        }
                        Err(MessageReadError::Io(error)) => Err(error.to_string()),
                        // Another message, one of another dialect, or damage.
                        _ => continue,
                    };
                    let ends = message.is_err();
                    if out.send(message).is_err() || ends {
                        return;
                    }
                }
            });
            self.open = Some((connection, messages));
        }
        let open = self.open.as_ref().with_context(|| self.address.clone())?;
        Ok((&open.0, &open.1))
    }

    fn write(&mut self, message: &MavMessage) -> Result<()> {
        // Component 191: MAV_COMP_ID_ONBOARD_COMPUTER. Ground stations are system 255, component 190.
        let (system_id, component_id) = match self.end {
            End::Vehicle => (1, 191),
            End::Ground => (255, 190),
        };
        let header = MavHeader { system_id, component_id, sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        let sent = self.open()?.0.send(&header, message).map(|_| ());
        if sent.is_err() {
            self.open = None;
        }
        sent.with_context(|| self.address.clone())
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
        match self.open()?.1.recv_timeout(wait) {
            Ok(Ok((system, packet))) => {
                Ok(Heard { from: format!("mavlink system {system}"), found: vec![Ok(packet)], ended: false })
            }
            Ok(Err(problem)) => {
                self.open = None;
                anyhow::bail!("{}: {problem}", self.address)
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::default()),
            Err(RecvTimeoutError::Disconnected) => {
                self.open = None;
                Ok(Heard { found: vec![Err(FrameError::NoFrame(0))], ..Heard::default() })
            }
        }
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
