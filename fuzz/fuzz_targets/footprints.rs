//! Footprints as the body of a packet, and around a caption's place.
#![no_main]

use cssa_wire::{Checksum, Down, DownFields, DownPacket, FootprintPacket, Position, Verification, WIRE_VERSION};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let fields = DownFields { version: WIRE_VERSION, vehicle: 0, bundle: [0; 2], body: Down::Footprints(bytes), mac: None };
    let Ok(mut packet) = postcard::to_allocvec(&fields) else { return };
    let sum = crc32fast::hash(&packet);
    packet.extend(sum.to_le_bytes());
    let Ok(packet) = DownPacket::decode(&packet, Verification::Off, Checksum::Crc32) else { return };
    let found = FootprintPacket::of(&packet).expect("what was taken is read");
    for footprint in &found.footprints {
        for latitude in [-90.0, -88.9, 0.0, 60.0, 89.0] {
            let places = Position::new(latitude, 179.9).and_then(|centre| footprint.places(centre));
            for place in places.into_iter().flatten() {
                let (latitude, longitude) = place.degrees();
                assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
            }
        }
    }
});
