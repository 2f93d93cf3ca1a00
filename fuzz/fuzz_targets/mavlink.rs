//! MAVLink 1 and 2: bytes as they come, and payloads of the messages that are read.
#![no_main]

use edge::position::Receiver;
use edge::position::mavlink::Decoder;
use libfuzzer_sys::fuzz_target;
use mavlink::dialects::common::MavMessage;
use mavlink::{MavHeader, MavlinkReader, MavlinkVersion, Message};

/// A system's time in 2026.
const NOW: u32 = 1_795_000_000;
/// SYSTEM_TIME, GPS_RAW_INT, GLOBAL_POSITION_INT, GPS2_RAW.
const READ: [u32; 4] = [2, 24, 33, 124];

fn check(receiver: &Receiver) {
    if let Some(fix) = receiver.fix() {
        let (latitude, longitude) = fix.position.degrees();
        assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (mut decoder, receiver) = (Decoder::new(1), Receiver::default());
    let mut reader = MavlinkReader::new(bytes);
    while let Ok((header, message)) = reader.read_any_message::<MavMessage>() {
        decoder.hear(&header, &message, NOW, &receiver);
        check(&receiver);
    }
    for piece in bytes.chunks(64) {
        let (&kind, payload) = piece.split_first().unwrap_or((&0, &[]));
        let number = READ[usize::from(kind) % READ.len()];
        if let Ok(message) = MavMessage::parse(MavlinkVersion::V2, number, payload) {
            let header = MavHeader { system_id: 1 + u32::from(kind / 128), component_id: 1, sequence: 0 };
            decoder.hear(&header, &message, NOW, &receiver);
            check(&receiver);
        }
    }
});
