//! MAVLink: packets in TUNNEL messages through an autopilot's own link, and captions as STATUSTEXT, which unmodified ground
//! stations show.

use crate::error::LinkError;
use crate::port::{End, Port, Received, is_timeout};
use mavlink::dialects::common::{
    HEARTBEAT_DATA, MavAutopilot, MavMessage, MavModeFlag, MavSeverity, MavState, MavTunnelPayloadType, MavType,
    STATUSTEXT_DATA, TUNNEL_DATA,
};
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
/// Between two HEARTBEATs.
const BEAT: Duration = Duration::from_secs(1);
/// Between two looks for a message.
const NAP: Duration = Duration::from_millis(5);

/// Who sends MAVLink messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MavlinkId {
    /// The system: one vehicle, with all that is on board, or a ground station.
    pub system: u8,
    /// The component of it.
    pub component: u8,
}

impl MavlinkId {
    /// Who an end of the link is where nobody says otherwise: the onboard computer of system 1 (MAV_COMP_ID_ONBOARD_COMPUTER); ground
    /// stations are system 255 (MAV_COMP_ID_MISSIONPLANNER).
    #[must_use]
    pub fn of(end: End) -> Self {
        match end {
            End::Vehicle => Self { system: 1, component: 191 },
            End::Ground => Self { system: 255, component: 190 },
        }
    }
}

pub(crate) struct Tunnel {
    address: String,
    end: End,
    sender: MavlinkId,
    beat: Option<Instant>,
    open: Option<mavlink::Connection<MavMessage>>,
    sequence: u8,
    texts: u16,
}

impl Tunnel {
    pub(crate) fn new(address: &str, end: End, sender: MavlinkId) -> Self {
        Self { address: address.into(), end, sender, beat: None, open: None, sequence: 0, texts: 0 }
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

    /// Sends a message to whoever is there; gives how many bytes went out.
    fn write(&mut self, message: &MavMessage) -> Result<usize, LinkError> {
        let MavlinkId { system, component } = self.sender;
        let header = MavHeader { system_id: system.into(), component_id: component, sequence: self.sequence };
        self.sequence = self.sequence.wrapping_add(1);
        self.with(|connection| connection.send(&header, message).map_err(io::Error::other))
    }

    /// Sends a message that somebody must be there for.
    fn deliver(&mut self, message: &MavMessage) -> Result<(), LinkError> {
        if self.write(message)? == 0 {
            let cause = io::Error::other("nobody is there yet");
            return Err(LinkError::Port { port: self.address.clone(), cause });
        }
        Ok(())
    }
}

/// A text as STATUSTEXT has it: 50 bytes each, under one id where they are several, and then a NUL in the last one and in no other:
/// where the text fills all of them, one more has nothing else. None is cut within a character: it ends after a word before, or before
/// the character, and is filled with spaces.
fn chunks(text: &str) -> Vec<[u8; CHUNK]> {
    let (mut all, mut rest) = (Vec::new(), text);
    while rest.len() > CHUNK {
        let boundary = rest.floor_char_boundary(CHUNK);
        let word = rest[..boundary].rfind(' ').filter(|_| boundary < CHUNK).map(|space| space + 1);
        let (chunk, after) = rest.split_at(word.unwrap_or(boundary));
        all.push(filled(chunk, b' '));
        rest = after;
    }
    all.push(filled(rest, 0));
    if all.len() > 1 && rest.len() == CHUNK {
        all.push([0; CHUNK]);
    }
    all
}

fn filled(text: &str, filling: u8) -> [u8; CHUNK] {
    let mut bytes = [filling; CHUNK];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

impl Port for Tunnel {
    fn send(&mut self, packet: &[u8]) -> Result<(), LinkError> {
        if packet.len() > MAX_PAYLOAD {
            return Err(LinkError::TooLong { found: packet.len(), largest: MAX_PAYLOAD });
        }
        let mut payload = [0; MAX_PAYLOAD];
        payload[..packet.len()].copy_from_slice(packet);
        self.deliver(&MavMessage::TUNNEL(TUNNEL_DATA {
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
                            ..Received::default()
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

    fn announce(&mut self) -> Result<(), LinkError> {
        if self.end == End::Ground || self.beat.is_some_and(|last| last.elapsed() < BEAT) {
            return Ok(());
        }
        self.beat = Some(Instant::now());
        self.write(&MavMessage::HEARTBEAT(HEARTBEAT_DATA {
            custom_mode: 0,
            mavtype: MavType::MAV_TYPE_ONBOARD_CONTROLLER,
            autopilot: MavAutopilot::MAV_AUTOPILOT_INVALID,
            base_mode: MavModeFlag::empty(),
            system_status: MavState::MAV_STATE_ACTIVE,
            mavlink_version: 3,
        }))
        .map(drop)
    }

    fn show(&mut self, text: &str, priority: u8) -> Result<(), LinkError> {
        let severity = match priority {
            0 => MavSeverity::MAV_SEVERITY_INFO,
            1 => MavSeverity::MAV_SEVERITY_NOTICE,
            2 => MavSeverity::MAV_SEVERITY_WARNING,
            _ => MavSeverity::MAV_SEVERITY_ALERT,
        };
        let chunks = chunks(text);
        self.texts = self.texts % u16::MAX + 1;
        let id = if chunks.len() > 1 { self.texts } else { 0 };
        for (chunk_seq, chunk) in (0..=u8::MAX).zip(chunks) {
            let text = CharArray::new(chunk);
            self.deliver(&MavMessage::STATUSTEXT(STATUSTEXT_DATA { severity, text, id, chunk_seq }))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a ground station puts them together: each chunk's text up to its first NUL, which ends the message.
    fn joined(chunks: &[[u8; CHUNK]]) -> Result<String, std::str::Utf8Error> {
        let mut text = String::new();
        for (n, chunk) in chunks.iter().enumerate() {
            let end = chunk.iter().position(|&byte| byte == 0);
            assert_eq!(end.is_some() || chunks.len() == 1, n + 1 == chunks.len(), "only the last one has a NUL");
            text += std::str::from_utf8(&chunk[..end.unwrap_or(CHUNK)])?;
        }
        Ok(text)
    }

    #[test]
    fn a_text_of_any_length_ends_with_a_nul() -> Result<(), std::str::Utf8Error> {
        for (length, expected) in [(0, 1), (49, 1), (50, 1), (51, 2), (99, 2), (100, 3), (101, 3), (150, 4)] {
            let text = "x".repeat(length);
            let chunks = chunks(&text);
            assert_eq!((chunks.len(), joined(&chunks)?), (expected, text), "{length}");
        }
        assert_eq!(chunks(&"x".repeat(100))[2], [0; CHUNK]);
        Ok(())
    }

    #[test]
    fn no_chunk_is_cut_within_a_character() -> Result<(), std::str::Utf8Error> {
        for before in 40..50 {
            let text = format!("{} a façade near a çity with many büildings and a river .", "x".repeat(before));
            let found = joined(&chunks(&text))?;
            assert_eq!(found.split_whitespace().collect::<Vec<_>>(), text.split_whitespace().collect::<Vec<_>>());
        }
        let found = joined(&chunks(&"€".repeat(40)))?;
        assert_eq!(found.chars().filter(|&character| character == '€').count(), 40, "{found}");
        Ok(())
    }
}
