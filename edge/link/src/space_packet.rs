//! CCSDS space packets (133.0-B-2): six bytes before a packet, and no packet error control beside the packet's own checksum.

use crate::found::{Direction, Found, FrameError};
use arbitrary_int::{u11, u14};
use spacepackets::{CcsdsPacket, PacketType, SequenceFlags, SpHeader};

/// Bytes of the primary header.
pub(crate) const HEADER: usize = spacepackets::CCSDS_HEADER_LEN;
/// Sequence counts before they begin again.
pub(crate) const COUNTS: u16 = 1 << 14;
/// The APID of packets that fill (133.0-B-2, 4.1.3.3.4).
const IDLE: u16 = 0x7ff;

/// What idle packets are full of.
pub(crate) const FILLING: u8 = 0x55;

/// A space packet with `data`, which is neither empty nor longer than 65,536 bytes.
pub(crate) fn write(direction: Direction, apid: u16, count: u16, data: &[u8]) -> Vec<u8> {
    let length = data.len().saturating_sub(1) as u16;
    let header = SpHeader::new_from_fields(
        kind(direction),
        false,
        u11::new(apid & IDLE),
        SequenceFlags::Unsegmented,
        u14::new(count % COUNTS),
        length,
    );
    let mut bytes = header.to_vec();
    bytes.extend(data);
    bytes
}

/// An idle packet of `length` bytes; zeros where that is too short for one.
pub(crate) fn idle(length: usize) -> Vec<u8> {
    match length.checked_sub(HEADER) {
        Some(inside) if inside > 0 => write(Direction::Down, IDLE, 0, &vec![FILLING; inside]),
        _ => vec![0; length],
    }
}

fn kind(direction: Direction) -> PacketType {
    match direction {
        Direction::Down => PacketType::Tm,
        Direction::Up => PacketType::Tc,
    }
}

/// Finds the space packets of one APID, and goes on after anything else.
#[derive(Debug)]
pub(crate) struct Scanner {
    direction: Direction,
    apid: u16,
    last: Option<u16>,
    /// Packets that are missing by their counts.
    pub(crate) missing: u64,
}

impl Scanner {
    pub(crate) fn new(direction: Direction, apid: u16) -> Self {
        Self { direction, apid, last: None, missing: 0 }
    }

    /// Appends the packets that `is_packet` takes; what lies between is one error. Gives how many bytes are done with: the rest may
    /// be the beginning of a packet of at most `largest` bytes.
    pub(crate) fn scan(
        &mut self,
        bytes: &[u8],
        ended: bool,
        largest: usize,
        is_packet: &dyn Fn(&[u8]) -> bool,
        found: &mut Vec<Found>,
    ) -> usize {
        let (mut at, mut garbage) = (0, 0);
        while at < bytes.len() {
            let left = &bytes[at..];
            if left.len() < HEADER && !ended {
                break;
            }
            let whole = match self.header(left, largest) {
                Some((_, length)) if length > left.len() && !ended => break,
                Some((count, length)) if length <= left.len() => Some((count, &left[HEADER..length])),
                _ => None,
            };
            match whole {
                Some((None, filling)) if filling.iter().all(|&byte| byte == FILLING) => at += HEADER + filling.len(),
                Some((Some(count), data)) if is_packet(data) => {
                    end_of(&mut garbage, found);
                    self.count(count);
                    found.push(Ok(data.to_vec()));
                    at += HEADER + data.len();
                }
                // Zeros fill where an idle packet is too long.
                _ => {
                    garbage += usize::from(left[0] != 0 || garbage > 0);
                    at += 1;
                }
            }
        }
        end_of(&mut garbage, found);
        at
    }

    /// The count (none for an idle packet) and the length of the packet that a header begins.
    fn header(&self, bytes: &[u8], largest: usize) -> Option<(Option<u16>, usize)> {
        let (header, _) = SpHeader::from_be_bytes(bytes).ok()?;
        let (apid, length) = (header.apid().value(), header.packet_len());
        let plain = header.version.value() == 0 && !header.sec_header_flag();
        if plain && apid == IDLE && header.packet_type() == PacketType::Tm && length <= HEADER + largest {
            return Some((None, length));
        }
        let ours = plain
            && header.packet_type() == kind(self.direction)
            && apid == self.apid
            && header.sequence_flags() == SequenceFlags::Unsegmented
            && length <= HEADER + largest;
        ours.then(|| (Some(header.seq_count().value()), length))
    }

    /// Counts those between the last packet and this one; a sender that begins again, or one from before, is no gap.
    fn count(&mut self, count: u16) {
        if let Some(last) = self.last {
            let gap = (count + COUNTS - last - 1) % COUNTS;
            self.missing += if count == 0 || gap > COUNTS / 2 { 0 } else { u64::from(gap) };
        }
        self.last = Some(count);
    }
}

fn end_of(garbage: &mut usize, found: &mut Vec<Found>) {
    if *garbage > 0 {
        found.push(Err(FrameError::NoFrame(*garbage)));
        *garbage = 0;
    }
}
