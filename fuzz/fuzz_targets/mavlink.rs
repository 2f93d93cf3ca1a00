//! MAVLink 1 and 2: bytes as they come, and payloads of the messages that are read.
#![no_main]

use edge::position::Receiver;
use edge::position::mavlink::Decoder;
use libfuzzer_sys::fuzz_target;
use mavlink::dialects::common::MavMessage;
use mavlink::error::MessageReadError;
use mavlink::{MavHeader, MavlinkReader, MavlinkVersion, Message};

/// A system's time in 2026.
const NOW: u32 = 1_795_000_000;
/// 2020-01-01.
const EARLIEST: u32 = 1_577_836_800;
/// Ten years: no receiver is so far ahead of a clock that was set; and what passes while the target runs.
const AHEAD: u32 = 3650 * 86_400 + 60;
/// SYSTEM_TIME, GPS_RAW_INT, GLOBAL_POSITION_INT, GPS2_RAW.
const READ: [u32; 4] = [2, 24, 33, 124];

/// The own vehicle's number.
const OWN: u8 = 1;

/// A decoder that hears all, and one that hears only others.
struct Heard {
    all: (Decoder, Receiver),
    others: (Decoder, Receiver),
}

impl Heard {
    fn hear(&mut self, header: MavHeader, message: &MavMessage) {
        let (decoder, receiver) = &mut self.all;
        decoder.hear(&header, message, NOW, receiver);
        if let Some(fix) = receiver.fix() {
            let (latitude, longitude) = fix.position.degrees();
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{fix:?}");
            assert!((latitude, longitude) != (0.0, 0.0), "{fix:?}");
            assert!(fix.time.is_none_or(|time| (EARLIEST..=NOW + AHEAD).contains(&time)), "{fix:?}");
        }
        if header.system_id != u32::from(OWN) {
            let (decoder, receiver) = &mut self.others;
            decoder.hear(&header, message, NOW, receiver);
            assert!(receiver.fix().is_none(), "a fix of system {}", header.system_id);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let new = || (Decoder::new(OWN), Receiver::default());
    let mut heard = Heard { all: new(), others: new() };
    let mut reader = MavlinkReader::new(bytes);
    loop {
        match reader.read_any_message::<MavMessage>() {
            Ok((header, message)) => heard.hear(header, &message),
            Err(MessageReadError::Io(_)) => break,
            Err(_) => {}
        }
    }
    for piece in bytes.chunks(64) {
        let (&kind, payload) = piece.split_first().unwrap_or((&0, &[]));
        let number = READ[usize::from(kind) % READ.len()];
        if let Ok(message) = MavMessage::parse(MavlinkVersion::V2, number, payload) {
            heard.hear(MavHeader { system_id: 1 + u32::from(kind / 128), component_id: 1, sequence: 0 }, &message);
        }
    }
});
