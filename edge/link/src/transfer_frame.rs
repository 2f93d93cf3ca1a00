//! TM transfer frames (CCSDS 132.0-B-3): space packets one after the other in frames of one length, on virtual channels, each closed by
//! frame error control. A frame is the data of one Reed–Solomon codeblock. Every packet goes out at once: an idle packet fills its last
//! frame, and where there is no room for one, its end begins the channel's next frame.

use crate::codeblock;
use crate::found::{Direction, Found, FrameError};
use crate::space_packet::{self, Scanner};
use crc::{CRC_16_IBM_3740, Crc};
use cssa_wire::MAX_PACKET;
use std::collections::BTreeMap;

/// Bytes of the primary header, and of frame error control.
const HEADER: usize = 6;
const CONTROL: usize = 2;
/// Bytes of packets in a frame.
pub(crate) const ROOM: usize = codeblock::DATA - HEADER - CONTROL;
/// First header pointers (4.1.2.7.6): no packet begins in the frame; it holds idle data only.
const NO_START: u16 = 0x7ff;
const IDLE_ONLY: u16 = 0x7fe;
/// No secondary header, packets in order, the segment length identifier that goes with packets.
const STATUS: u16 = 0b11 << 11;
/// The channel of frames that hold nothing.
const IDLE_CHANNEL: u8 = 7;
/// Channels of spacecraft that are put together at the same time.
const MOST: usize = 64;
/// Frame error control (4.1.6): x^16 + x^12 + x^5 + 1 from all ones.
const FECF: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// The virtual channels, by what a packet down holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Captions, reports and answers.
    Captions,
    /// How the vehicle is.
    Housekeeping,
    /// Parts of pictures.
    Pictures,
}

impl Channel {
    pub(crate) const ALL: [Self; 3] = [Self::Captions, Self::Housekeeping, Self::Pictures];

    /// The channel of a packet, by the number of its body.
    pub(crate) fn of(packet: &[u8]) -> Self {
        match cssa_wire::body_of(packet) {
            Some(1) => Self::Housekeeping,
            Some(2) => Self::Pictures,
            _ => Self::Captions,
        }
    }
}

/// Writes frames.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    /// Frames of all channels so far.
    master: u8,
    channels: [Sent; Channel::ALL.len() + 1],
}

/// A channel so far.
#[derive(Debug, Default)]
struct Sent {
    frames: u8,
    packets: u16,
    /// The end of an idle packet that had no room.
    rest: Vec<u8>,
}

impl Framer {
    /// The frames of a packet; its process identifier is `apid` and the channel's number.
    pub(crate) fn write(&mut self, spacecraft: u16, apid: u16, packet: &[u8]) -> Vec<Vec<u8>> {
        let channel = Channel::of(packet) as u8;
        let sent = &mut self.channels[usize::from(channel)];
        let mut data = std::mem::take(&mut sent.rest);
        let mut starts = vec![data.len()];
        data.extend(space_packet::write(Direction::Down, apid + u16::from(channel), sent.packets, packet));
        sent.packets = (sent.packets + 1) % space_packet::COUNTS;
        let whole = data.len().next_multiple_of(ROOM);
        if whole > data.len() {
            starts.push(data.len());
            data.extend(space_packet::idle((whole - data.len()).max(space_packet::HEADER + 1)));
            sent.rest = data.split_off(whole);
        }
        let pieces = data.chunks_exact(ROOM).enumerate();
        let first =
            |n: usize| starts.iter().find(|&&start| start / ROOM == n).map_or(NO_START, |start| (start % ROOM) as u16);
        pieces.map(|(n, piece)| self.frame(spacecraft, channel, first(n), piece)).collect()
    }

    /// A frame that holds nothing: what a receiver stays locked on.
    pub(crate) fn idle(&mut self, spacecraft: u16) -> Vec<u8> {
        self.frame(spacecraft, IDLE_CHANNEL, IDLE_ONLY, &[space_packet::FILLING; ROOM])
    }

    fn frame(&mut self, spacecraft: u16, channel: u8, first: u16, data: &[u8]) -> Vec<u8> {
        let sent = &mut self.channels[usize::from(channel).min(Channel::ALL.len())];
        let mut frame = Vec::with_capacity(codeblock::DATA);
        frame.extend(((spacecraft & 0x3ff) << 4 | u16::from(channel) << 1).to_be_bytes());
        frame.extend([self.master, sent.frames]);
        frame.extend((STATUS | first).to_be_bytes());
        frame.extend(data);
        frame.extend(FECF.checksum(&frame).to_be_bytes());
        (self.master, sent.frames) = (self.master.wrapping_add(1), sent.frames.wrapping_add(1));
        frame
    }
}

/// Puts packets together from frames.
#[derive(Debug)]
pub(crate) struct Deframer {
    apid: u16,
    channels: BTreeMap<(u16, u8), Heard>,
    /// Packets that are missing of channels that are forgotten.
    missing: u64,
}

/// A channel so far.
#[derive(Debug)]
struct Heard {
    scanner: Scanner,
    /// The count of the frame that goes on with the last one; none where nothing is to be gone on with.
    next: Option<u8>,
    buffer: Vec<u8>,
}

impl Deframer {
    pub(crate) fn new(apid: u16) -> Self {
        Self { apid, channels: BTreeMap::new(), missing: 0 }
    }

    /// Packets that are missing by their counts.
    pub(crate) fn missing(&self) -> u64 {
        self.missing + self.channels.values().map(|heard| heard.scanner.missing).sum::<u64>()
    }

    /// Bytes that wait for the rest of their packet.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.channels.values().map(|heard| heard.buffer.len()).sum()
    }

    /// Appends the packets that are complete with a frame.
    pub(crate) fn read(&mut self, frame: &[u8], is_packet: &dyn Fn(&[u8]) -> bool, found: &mut Vec<Found>) {
        let Some((content, control)) = frame.split_last_chunk::<CONTROL>() else { return };
        let Some((&[first, second, _, count, status, pointer], data)) = content.split_first_chunk::<HEADER>() else {
            return;
        };
        let (identifier, status) = (u16::from_be_bytes([first, second]), u16::from_be_bytes([status, pointer]));
        let is_ours = identifier >> 14 == 0 && identifier & 1 == 0 && status & 0xf800 == STATUS;
        if FECF.checksum(content) != u16::from_be_bytes(*control) || !is_ours {
            return found.push(Err(FrameError::NoFrame(frame.len())));
        }
        let (spacecraft, channel, start) = (identifier >> 4, (identifier >> 1 & 7) as u8, status & NO_START);
        if start == IDLE_ONLY || usize::from(channel) >= Channel::ALL.len() {
            return;
        }
        if self.channels.len() >= MOST && !self.channels.contains_key(&(spacecraft, channel)) {
            self.missing = self.missing();
            self.channels.clear();
        }
        let apid = self.apid + u16::from(channel);
        let heard = self.channels.entry((spacecraft, channel)).or_insert_with(|| Heard {
            scanner: Scanner::new(Direction::Down, apid),
            next: None,
            buffer: Vec::new(),
        });
        let goes_on = heard.next == Some(count);
        let begin = if goes_on { 0 } else { usize::from(start) };
        if !goes_on {
            heard.end(is_packet, found);
        }
        heard.next = Some(count.wrapping_add(1));
        // What continues a packet whose beginning is not there is of no use.
        heard.buffer.extend(data.get(begin..).unwrap_or_default());
        let used = heard.scanner.scan(&heard.buffer, false, MAX_PACKET, is_packet, found);
        heard.buffer.drain(..used);
    }

    /// Nothing more comes: what waits is the beginning of nothing.
    pub(crate) fn end(&mut self, is_packet: &dyn Fn(&[u8]) -> bool, found: &mut Vec<Found>) {
        self.channels.values_mut().for_each(|heard| heard.end(is_packet, found));
    }
}

impl Heard {
    fn end(&mut self, is_packet: &dyn Fn(&[u8]) -> bool, found: &mut Vec<Found>) {
        // The beginning of an idle packet that had no room is whole for whoever does not wait for the rest.
        if !space_packet::idle(space_packet::HEADER + 1).starts_with(&self.buffer) {
            let _all = self.scanner.scan(&self.buffer, true, MAX_PACKET, is_packet, found);
        }
        self.buffer.clear();
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any bytes are a packet here.
    fn any(_: &[u8]) -> bool {
        true
    }

    #[test]
    fn packets_of_any_length_come_back_whole_and_frames_are_full() {
        let (mut framer, mut deframer, mut found) = (Framer::default(), Deframer::new(66), Vec::new());
        let sent: Vec<Vec<u8>> = (1..700).chain([MAX_PACKET]).map(|length| vec![length as u8; length]).collect();
        for packet in &sent {
            for frame in framer.write(12, 66, packet) {
                assert_eq!(frame.len(), codeblock::DATA);
                deframer.read(&frame, &any, &mut found);
            }
        }
        assert_eq!(found.into_iter().collect::<Result<Vec<_>, _>>(), Ok(sent));
        assert_eq!(deframer.missing(), 0);
    }

    /// Each in a datagram, as it were: what an idle packet leaves to the next frame is no damage there.
    #[test]
    fn the_end_of_an_idle_packet_is_no_damage_where_nothing_waits_for_it() {
        let (mut framer, mut deframer, mut found) = (Framer::default(), Deframer::new(66), Vec::new());
        let sent: Vec<Vec<u8>> = (1..450).flat_map(|length| [vec![7; length], vec![8; 9]]).collect();
        for packet in &sent {
            framer.write(12, 66, packet).iter().for_each(|frame| deframer.read(frame, &any, &mut found));
            deframer.end(&any, &mut found);
        }
        assert_eq!(found.into_iter().collect::<Result<Vec<_>, _>>(), Ok(sent));
        assert_eq!((deframer.missing(), deframer.kept()), (0, 0));
    }

    #[test]
    fn a_lost_frame_loses_its_packets_and_no_more() {
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        let frames: Vec<Vec<Vec<u8>>> = (10..14).map(|n| framer.write(12, 66, &[n; 500])).collect();
        assert!(frames.iter().all(|of_one| of_one.len() == 3));
        for lost in 0..12 {
            let mut deframer = Deframer::new(66);
            found.clear();
            let all = frames.iter().flatten().enumerate().filter(|(n, _)| *n != lost);
            all.for_each(|(_, frame)| deframer.read(frame, &any, &mut found));
            deframer.end(&any, &mut found);
            let whole: Vec<u8> = found.iter().flatten().map(|packet| packet[0]).collect();
            let expected: Vec<u8> = (10..14).filter(|n| usize::from(*n) != 10 + lost / 3).collect();
            assert_eq!(whole, expected, "{lost}: {found:?}");
            // The first packet and the last are missed by nobody.
            assert_eq!(deframer.missing(), u64::from((3..9).contains(&lost)), "{lost}");
        }
    }

    #[test]
    fn damage_other_services_and_idle_frames_give_nothing() {
        let (mut framer, mut deframer, mut found) = (Framer::default(), Deframer::new(66), Vec::new());
        deframer.read(&framer.idle(12), &any, &mut found);
        assert!(found.is_empty());
        let frame = framer.write(12, 66, b"a packet").remove(0);
        for at in 0..frame.len() {
            let mut damaged = frame.clone();
            damaged[at] ^= 4;
            deframer.read(&damaged, &any, &mut found);
        }
        assert!(found.iter().all(|found| *found == Err(FrameError::NoFrame(codeblock::DATA))), "{found:?}");
        assert_eq!((found.len(), deframer.kept()), (frame.len(), 0));
        (0..9).for_each(|length| deframer.read(&frame[..length], &any, &mut found));
        // Spacecraft without end are not kept without end.
        for spacecraft in 0..1024 {
            let frames = framer.write(spacecraft, 66, &[1; 300]);
            deframer.read(&frames[0], &any, &mut found);
        }
        assert!(deframer.channels.len() <= MOST && deframer.kept() <= MOST * ROOM);
    }
}
