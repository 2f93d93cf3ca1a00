//! NMEA 0183: bytes as they come, and the same as the body of a sentence with its right checksum.
#![no_main]

use edge::position::Receiver;
use edge::position::nmea::Decoder;
use libfuzzer_sys::fuzz_target;

/// A system's time in 2026.
const NOW: u32 = 1_795_000_000;
/// 2020-01-01.
const EARLIEST: u32 = 1_577_836_800;
/// Ten years: no receiver is so far ahead of a clock that was set; and what passes while the target runs.
const AHEAD: u32 = 3650 * 86_400 + 60;

fn read(bytes: &[u8]) {
    let (mut decoder, receiver) = (Decoder::default(), Receiver::default());
    bytes.iter().for_each(|&byte| decoder.push(byte, NOW, &receiver));
    if let Some(fix) = receiver.fix() {
        let (latitude, longitude) = fix.position.degrees();
        assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0 && (latitude, longitude) != (0.0, 0.0));
        assert!(fix.time.is_none_or(|time| (EARLIEST..=NOW + AHEAD).contains(&time)), "{fix:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let sum = bytes.iter().fold(0, |sum, byte| sum ^ byte);
    read(&[b"$", bytes, format!("*{sum:02X}\r\n").as_bytes()].concat());
});
