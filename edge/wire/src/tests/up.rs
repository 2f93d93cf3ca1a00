//! Packets up, there and back.

use super::{any_checksum, key};
use crate::*;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

fn packet(body: Up) -> UpPacket {
    UpPacket { vehicle: 7, station: 1, counter: 12, body }
}

fn all() -> Vec<Up> {
    let word = |word: &str| WatchWord { word: word.into(), priority: 3 };
    let commands = [
        Command::SetThreshold { thousandths: 1000 },
        Command::SetWatchWords(vec![word("ship"), word("storage tank")]),
        Command::SetNovelty { metres: 20_000, minutes: 10_080 },
        Command::SetRate { bytes_per_second: 100_000_000 },
        Command::SetBudget { bytes_per_hour: 1_000_000_000 },
        Command::Pause,
        Command::Resume,
        Command::SelfTest,
        Command::SwitchSlot { slot: 2 },
        Command::StatusNow,
        Command::DeltaPart(DeltaPart { id: 9, part: 1, parts: 2, crc: Some(u32::MAX), bytes: vec![5; 60] }),
        Command::ForgetPictures,
        Command::NewKeyPart { part: 0, parts: 1, bytes: vec![6; 48] },
    ];
    let numbers = SelectiveAck::of([(4, 1), (5, 2), (9, 3), (u32::MAX, 4)]);
    let mut all = vec![
        Up::acknowledge(numbers),
        Up::Ask(Ask { ask: 1, caption: u32::MAX, pixels: 8192, crop: Some([0, 0, 1, u16::MAX]) }),
        Up::Ask(Ask { ask: u16::MAX, caption: 0, pixels: 16, crop: None }),
        Up::Missing(MissingParts::of(9, [])),
        Up::Missing(MissingParts::of(u16::MAX, (1..2000).map(|n| 2 * n))),
    ];
    all.extend(commands.map(Up::Command));
    all
}

#[test]
fn a_packet_up_comes_back_under_its_key_only() -> Result<(), WireError> {
    for checksum in [Checksum::Crc16, Checksum::Crc32] {
        for packet in all().into_iter().map(packet) {
            let sealed = packet.encode(&key(), checksum)?;
            assert!(sealed.len() <= MAX_UP && is_up(&sealed, checksum));
            assert_eq!(UpPacket::decode(&sealed, 7, &key(), checksum)?, packet);
            assert_eq!(UpPacket::decode(&sealed, 7, &Key::new([8; KEY]), checksum), Err(WireError::Mac));
            let other = UpPacket::decode(&sealed, 0, &key(), checksum);
            assert_eq!(other, Err(WireError::Vehicle { found: 7, expected: 0 }));
            assert!(DownPacket::decode(&sealed, Verification::Off, checksum).is_err());
            for at in 0..sealed.len() - checksum.length() {
                let mut changed = sealed[..sealed.len() - checksum.length()].to_vec();
                changed[at] ^= 1;
                checksum.seal(&mut changed);
                assert!(UpPacket::decode(&changed, 7, &key(), checksum).is_err(), "byte {at}");
            }
        }
    }
    let nothing = UpPacket::decode(&[], 7, &key(), Checksum::Crc32);
    assert_eq!(nothing, Err(WireError::Length { found: 0 }));
    Ok(())
}

#[test]
fn an_acknowledgement_holds_what_fits() -> Result<(), WireError> {
    let taken = |up: &Up| if let Up::Acknowledge(taken) = up { taken.len() } else { 0 };
    let scattered = Up::acknowledge(SelectiveAck::of((0..64).map(|n| (n << 8, 0))));
    assert_eq!(taken(&scattered), 1, "the others have no room");
    let runs = (0..20).flat_map(|n| SelectiveAck::of((40 * n..40 * n + 32).map(|n| (n, u32::MAX / 7))));
    let runs = Up::acknowledge(runs);
    assert!(taken(&runs) >= 9);
    for body in [scattered, runs] {
        let largest = UpPacket { vehicle: u16::MAX, station: u8::MAX, counter: u32::MAX, body };
        assert!(largest.encode(&key(), Checksum::Crc32)?.len() <= MAX_UP);
    }
    Ok(())
}

#[test]
fn commands_out_of_their_bounds_are_refused() {
    let long = "x".repeat(65);
    let word = |word: &str, priority| Command::SetWatchWords(vec![WatchWord { word: word.into(), priority }]);
    let delta = |part, parts, crc, bytes| Command::DeltaPart(DeltaPart { id: 0, part, parts, crc, bytes });
    let ask = |pixels, crop| Up::Ask(Ask { ask: 0, caption: 0, pixels, crop });
    let commands = [
        Command::SetThreshold { thousandths: 1001 },
        word("", 1),
        word(&long, 1),
        word("ship", 0),
        word("ship", 4),
        Command::SetWatchWords(vec![WatchWord { word: "a".into(), priority: 1 }; 17]),
        Command::SetNovelty { metres: 20_001, minutes: 0 },
        Command::SetNovelty { metres: 0, minutes: 10_081 },
        Command::SetRate { bytes_per_second: 100_000_001 },
        Command::SetBudget { bytes_per_hour: 1_000_000_001 },
        Command::SwitchSlot { slot: 0 },
        Command::SwitchSlot { slot: 3 },
        delta(0, 0, None, vec![1]),
        delta(0, 1, None, vec![1]),
        delta(0, 2, Some(1), vec![1]),
        delta(0, 2, None, vec![]),
        Command::NewKeyPart { part: 1, parts: 1, bytes: vec![1] },
        Command::NewKeyPart { part: 0, parts: 1, bytes: vec![] },
    ];
    let mut bodies: Vec<Up> = commands.into_iter().map(Up::Command).collect();
    bodies.extend([ask(15, None), ask(8193, None), ask(64, Some([0, 0, 0, 5]))]);
    bodies.push(Up::Missing(MissingParts { ask: 0, runs: vec![PartRun { first: 4, count: 1 }; 2] }));
    bodies.push(Up::Acknowledge(vec![SelectiveAck::of_runs(0, &[33])]));
    for body in bodies {
        let refused = packet(body.clone()).encode(&key(), Checksum::Crc32);
        assert!(matches!(refused, Err(WireError::Field { .. })), "{body:?}");
        let covered = (WIRE_VERSION | 0x40, 7u16, 1u8, 12u32, &body);
        let mut bytes = postcard::to_allocvec(&covered).unwrap_or_default();
        bytes.extend(key().mac::<16>(&bytes));
        Checksum::Crc32.seal(&mut bytes);
        let decoded = UpPacket::decode(&bytes, 7, &key(), Checksum::Crc32);
        assert!(matches!(decoded, Err(WireError::Field { .. })), "{body:?}: {decoded:?}");
    }
    let last = DeltaPart { id: u16::MAX, part: 65_534, parts: 65_535, crc: Some(u32::MAX), bytes: vec![1; 80] };
    let body = Up::Command(Command::DeltaPart(last));
    let longest = UpPacket { vehicle: u16::MAX, station: u8::MAX, counter: u32::MAX, body };
    assert_eq!(longest.encode(&key(), Checksum::Crc32).map(|bytes| bytes.len()), Ok(MAX_UP));
}

proptest! {
    #[test]
    fn any_bytes_are_no_packet_up_or_one(bytes in proptest::collection::vec(any::<u8>(), 0..130), checksum in any_checksum()) {
        let _ = UpPacket::decode(&bytes, 0, &key(), checksum);
        for header in [&[][..], &[7, 1, 12], &[7, 1, 12, 2]] {
            let mut sealed = [&[checksum.mark(WIRE_VERSION | 0x40)][..], header, &bytes].concat();
            sealed.extend(key().mac::<16>(&sealed));
            checksum.seal(&mut sealed);
            if let Ok(packet) = UpPacket::decode(&sealed, 7, &key(), checksum) {
                prop_assert_eq!(packet.encode(&key(), checksum), Ok(sealed));
            }
        }
    }
}
