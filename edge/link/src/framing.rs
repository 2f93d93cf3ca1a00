//! What packets travel in: alone, as CCSDS space packets, as space packets in Reed–Solomon codeblocks, or in transfer frames.

use crate::codeblock::{self, Coding};
use crate::error::LinkError;
use crate::found::{Direction, Found, FrameError};
use crate::space_packet::{self, Scanner};
use crate::transfer_frame;
use cssa_wire::{self as wire, Checksum, MAX_PACKET, MAX_UP};
use serde::Deserialize;

/// What packets travel in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// A datagram is a packet; on a serial line and in a file each is COBS-encoded, between two zero bytes.
    #[default]
    Plain,
    /// CCSDS space packets (133.0-B-2), one after the other.
    Ccsds,
    /// The same in Reed–Solomon codeblocks (255,223) with their sync marker (131.0-B-5).
    CcsdsRs,
    /// Down, space packets in TM transfer frames (132.0-B-3) in such codeblocks: captions on virtual channel 0, housekeeping on 1, pictures
    /// on 2, with process identifiers one after the other. Up as `ccsds-rs`.
    CcsdsTm,
}

impl Framing {
    /// What the framings are called.
    pub const NAMES: &'static [&'static str] = &["plain", "ccsds", "ccsds-rs", "ccsds-tm"];
}

impl std::str::FromStr for Framing {
    type Err = LinkError;

    fn from_str(name: &str) -> Result<Self, LinkError> {
        match name {
            "plain" => Ok(Self::Plain),
            "ccsds" => Ok(Self::Ccsds),
            "ccsds-rs" => Ok(Self::CcsdsRs),
            "ccsds-tm" => Ok(Self::CcsdsTm),
            _ => Err(LinkError::Framing { found: name.into(), expected: Self::NAMES }),
        }
    }
}

/// How packets travel on a link; both ends have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// What packets travel in.
    pub framing: Framing,
    /// Application process identifier of space packets, 0 to 2046 (to 2044 in transfer frames, which take the next two as well).
    pub apid: u16,
    /// The spacecraft's identifier in the transfer frames that it sends, 0 to 1023; whoever receives takes any.
    pub spacecraft: u16,
    /// Checksum of packets.
    pub checksum: Checksum,
}

impl Default for Format {
    /// Plain packets with the long checksum; the process is 66.
    fn default() -> Self {
        Self { framing: Framing::Plain, apid: 66, spacecraft: 0, checksum: Checksum::Crc32 }
    }
}

impl Format {
    /// Bytes of the largest packet.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self.framing {
            Framing::Plain | Framing::Ccsds | Framing::CcsdsTm => MAX_PACKET,
            Framing::CcsdsRs => codeblock::DATA - space_packet::HEADER,
        }
    }

    /// Bytes that a packet takes with its frame, as a datagram.
    #[must_use]
    pub fn cost(&self, length: usize) -> usize {
        match self.framing {
            Framing::Plain => length,
            Framing::Ccsds => length + space_packet::HEADER,
            Framing::CcsdsRs => codeblock::SIZE,
            // What an idle packet left over goes before it.
            Framing::CcsdsTm => (length + 2 * space_packet::HEADER).div_ceil(transfer_frame::ROOM) * codeblock::SIZE,
        }
    }

    /// Whether bytes are a packet, of this version or an earlier one; what a scanner goes by.
    fn is_packet(&self, direction: Direction, bytes: &[u8]) -> bool {
        match direction {
            Direction::Down => wire::version_of(bytes, self.checksum).is_ok(),
            Direction::Up => wire::is_up(bytes, self.checksum),
        }
    }
}

/// Puts packets into frames.
#[derive(Debug)]
pub struct Framer {
    format: Format,
    direction: Direction,
    count: u16,
    frames: transfer_frame::Framer,
    coding: Coding,
}

impl Framer {
    /// For one direction of a link.
    #[must_use]
    pub fn new(format: Format, direction: Direction) -> Self {
        Self { format, direction, count: 0, frames: transfer_frame::Framer::default(), coding: Coding::new() }
    }

    /// A packet as a datagram.
    pub fn datagram(&mut self, packet: &[u8]) -> Vec<u8> {
        match self.format.framing {
            Framing::Plain => packet.to_vec(),
            Framing::Ccsds => self.space_packet(packet),
            Framing::CcsdsTm if self.direction == Direction::Down => {
                let frames = self.frames.write(self.format.spacecraft, self.format.apid, packet);
                frames.iter().flat_map(|frame| self.coding.encode(frame)).collect()
            }
            Framing::CcsdsRs | Framing::CcsdsTm => {
                let inside = self.space_packet(packet);
                self.coding.encode(&inside)
            }
        }
    }

    /// A packet as a part of a stream.
    pub fn stream(&mut self, packet: &[u8]) -> Vec<u8> {
        if self.format.framing != Framing::Plain {
            return self.datagram(packet);
        }
        let mut frame = Vec::with_capacity(wire::frame_length(packet.len()));
        wire::push_frame(&mut frame, packet);
        frame
    }

    /// A frame that holds nothing, where the framing has such.
    pub fn idle(&mut self) -> Option<Vec<u8>> {
        let has_frames = self.format.framing == Framing::CcsdsTm && self.direction == Direction::Down;
        has_frames.then(|| self.coding.encode(&self.frames.idle(self.format.spacecraft)))
    }

    fn space_packet(&mut self, packet: &[u8]) -> Vec<u8> {
        let framed = space_packet::write(self.direction, self.format.apid, self.count, packet);
        self.count = (self.count + 1) % space_packet::COUNTS;
        framed
    }
}

/// Finds packets in datagrams or in a stream, whatever lies between them.
#[derive(Debug)]
pub struct Deframer {
    format: Format,
    direction: Direction,
    scanner: Scanner,
    frames: transfer_frame::Deframer,
    coding: Coding,
    buffer: Vec<u8>,
}

impl Deframer {
    /// For one direction of a link.
    #[must_use]
    pub fn new(format: Format, direction: Direction) -> Self {
        let scanner = Scanner::new(direction, format.apid);
        let frames = transfer_frame::Deframer::new(format.apid);
        Self { format, direction, scanner, frames, coding: Coding::new(), buffer: Vec::new() }
    }

    /// Space packets that are missing, by the counts of those that came.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.scanner.missing + self.frames.missing()
    }

    /// Bytes that wait for the rest of their frame.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.buffer.len() + self.frames.kept()
    }

    /// The packets of a datagram.
    pub fn datagram(&mut self, bytes: &[u8]) -> Vec<Found> {
        if self.format.framing == Framing::Plain {
            return vec![Ok(bytes.to_vec())];
        }
        let found = self.push(bytes);
        [found, self.end()].concat()
    }

    /// The packets that are complete with the next bytes of a stream. What is kept of it is never longer than the largest frame.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Found> {
        self.buffer.extend(bytes);
        self.find(false)
    }

    /// What is left at a stream's end, or when nothing more came for long: what seemed to be the beginning of a frame was none.
    pub fn end(&mut self) -> Vec<Found> {
        self.find(true)
    }

    fn find(&mut self, ended: bool) -> Vec<Found> {
        let (format, direction) = (self.format, self.direction);
        let is_packet = |bytes: &[u8]| format.is_packet(direction, bytes);
        let mut found = Vec::new();
        let used = match self.format.framing {
            Framing::Plain => cobs(&self.buffer, ended, &mut found),
            Framing::Ccsds => {
                let largest = match direction {
                    Direction::Down => MAX_PACKET,
                    Direction::Up => MAX_UP,
                };
                self.scanner.scan(&self.buffer, ended, largest, &is_packet, &mut found)
            }
            Framing::CcsdsRs | Framing::CcsdsTm => {
                let (used, blocks) = self.coding.scan(&self.buffer, ended);
                let has_frames = self.format.framing == Framing::CcsdsTm && direction == Direction::Down;
                for block in blocks {
                    match block {
                        Ok(frame) if has_frames => self.frames.read(&frame, &is_packet, &mut found),
                        Ok(data) => {
                            let _all = self.scanner.scan(&data, true, codeblock::DATA, &is_packet, &mut found);
                        }
                        Err(error) => found.push(Err(error)),
                    }
                }
                if ended && has_frames {
                    self.frames.end(&is_packet, &mut found);
                }
                used
            }
        };
        self.buffer.drain(..used);
        found
    }
}

/// COBS frames; gives how many bytes are done with.
fn cobs(stream: &[u8], ended: bool, found: &mut Vec<Found>) -> usize {
    const MAX_FRAME: usize = MAX_PACKET + MAX_PACKET / 254 + 2;
    let complete = stream.iter().rposition(|&byte| byte == 0).map_or(0, |last| last + 1);
    let used = if ended || stream.len() - complete > MAX_FRAME { stream.len() } else { complete };
    let frames = wire::frames(&stream[..used]);
    found.extend(frames.map(|frame| frame.packet.map_err(|_| FrameError::NoFrame(used - frame.offset))));
    used
}
