//! Packets there and back, and what is refused.

mod footprint;
mod pinned;
mod up;

use crate::*;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;
use cssa::trust::{Confidence, Reason};
use proptest::prelude::*;

fn model() -> LanguageModel {
    let captions =
        ["a big bridge over a river .", "a river and a bridge", "many planes are parked near the terminal ."];
    LanguageModel::build(captions.map(String::from))
}

fn key() -> Key {
    Key::new([7; KEY])
}

fn caption(sequence: u32, text: &str) -> Caption {
    Caption {
        sequence,
        time: 1_763_928_000 + 7 * sequence,
        position: Position::new(48.20849 + 1e-4 * f64::from(sequence), -16.37208),
        confidence: Confidence::from_thousandths(807),
        outside: (sequence == 303).then_some(Reason::Foggy),
        priority: 2,
        repeat: sequence == 301,
        text: text.into(),
    }
}

fn packet() -> CaptionPacket {
    let captions = vec![caption(300, "a big bridge"), caption(301, "Ein Fluß  and a river ."), caption(303, "")];
    CaptionPacket { vehicle: 300, bundle: 0xbeef, decimals: 5, captions }
}

fn decode(bytes: &[u8]) -> Result<CaptionPacket, WireError> {
    CaptionPacket::decode(bytes, 0xbeef, &model(), Verification::Off, Checksum::Crc32)
}

#[test]
fn captions_come_back_with_everything() -> Result<(), WireError> {
    let (model, packet) = (model(), packet());
    let captions = packet.captions.iter().map(|caption| caption.clone().rounded(5)).collect();
    let expected = CaptionPacket { captions, ..packet.clone() };
    assert_eq!(expected.captions[0].confidence, Confidence::from_thousandths(806), "25 / 31");
    for key in [None, Some(&key())] {
        let bytes = packet.encode(&model, key, Checksum::Crc32)?;
        assert_eq!(decode(&bytes)?, expected);
        assert_eq!(version_of(&bytes, Checksum::Crc32), Ok(Version::Three));
    }
    let shown = |text: &str| payload(text, &model).map(|bytes| bytes.len());
    assert!(shown("a big bridge over a river .")? <= 2 && shown("zzyzx")? >= 4);
    Ok(())
}

#[test]
fn wrong_packets_say_why() -> Result<(), WireError> {
    let model = model();
    let bytes = packet().encode(&model, None, Checksum::Crc32)?;
    let resealed = |change: fn(&mut Vec<u8>)| {
        let mut content = bytes[..bytes.len() - 4].to_vec();
        change(&mut content);
        Checksum::Crc32.seal(&mut content);
        decode(&content)
    };
    assert!(matches!(decode(&[]), Err(WireError::Length { found: 0 })));
    assert!(matches!(decode(&[0; 4]), Err(WireError::Length { .. } | WireError::Checksum { .. })));
    assert_eq!(resealed(|content| content[0] = 1), Err(WireError::Version { found: 1 }));
    assert_eq!(resealed(|content| content[0] = 67), Err(WireError::Version { found: 67 }), "a packet up");
    assert_eq!(resealed(|content| content.push(0)), Err(WireError::Malformed));
    assert_eq!(resealed(|content| content.truncate(9)), Err(WireError::Malformed));
    assert_eq!(resealed(|content| content[3] = 0), Err(WireError::Bundle { found: 0xbe00, expected: 0xbeef }));
    assert_eq!(resealed(|content| content[5] = 9), Err(WireError::Malformed), "no such body");
    // The vehicle as a varint of three bytes where two do.
    let padded = resealed(|content| drop(content.splice(2..3, [0x80 | content[2], 0])));
    assert_eq!(padded, Err(WireError::Malformed));
    let other = decode(&packet().encode(&model, None, Checksum::Crc16)?);
    assert!(other.is_err(), "the reader chooses the checksum");
    let mut damaged = bytes.clone();
    damaged[4] ^= 1;
    assert!(matches!(decode(&damaged), Err(WireError::Checksum { .. })));
    let with = |change: fn(&mut CaptionPacket)| {
        let mut packet = packet();
        change(&mut packet);
        packet.encode(&model, None, Checksum::Crc32)
    };
    assert_eq!(with(|packet| packet.captions.clear()), Err(WireError::Captions { found: 0 }));
    let high = Err(WireError::Field { field: "priority", found: 4, expected: "0 to 3" });
    assert_eq!(with(|packet| packet.captions[0].priority = 4), high);
    assert_eq!(with(|packet| packet.captions[0].text = "a ".repeat(300)), Err(WireError::Words { found: 301 }));
    assert_eq!(with(|packet| packet.captions[0].text = "a".repeat(300)), Err(WireError::Word));
    Ok(())
}

#[test]
fn a_code_of_authentication_is_asked_for_or_not() -> Result<(), WireError> {
    let (key, other, report) = (key(), Key::new([8; KEY]), Report::of_run(3, Reason::Dark, 1_763_928_000, 17));
    let packet = DownPacket { vehicle: 4, bundle: 0xbeef, body: Down::Report(report) };
    let (plain, sealed) = (packet.encode(None, Checksum::Crc16)?, packet.encode(Some(&key), Checksum::Crc16)?);
    assert_eq!(sealed.len(), plain.len() + 4);
    let decode = |bytes: &[u8], verification: Verification<'_>| {
        DownPacket::decode(bytes, verification, Checksum::Crc16).map(|found| found == packet)
    };
    for bytes in [&plain, &sealed] {
        assert_eq!(decode(bytes, Verification::Off), Ok(true));
    }
    assert_eq!(decode(&plain, Verification::WherePresent(&key)), Ok(true));
    assert_eq!(decode(&sealed, Verification::WherePresent(&key)), Ok(true));
    assert_eq!(decode(&plain, Verification::Required(&key)), Err(WireError::NoMac));
    assert_eq!(decode(&sealed, Verification::Required(&key)), Ok(true));
    for verification in [Verification::Required(&other), Verification::WherePresent(&other)] {
        assert_eq!(decode(&sealed, verification), Err(WireError::Mac));
    }
    for at in 1..sealed.len() - 2 {
        let mut changed = sealed[..sealed.len() - 2].to_vec();
        changed[at] ^= 1;
        Checksum::Crc16.seal(&mut changed);
        assert!(decode(&changed, Verification::Required(&key)).is_err(), "byte {at}");
    }
    Ok(())
}

#[test]
fn bodies_out_of_their_bounds_are_refused() -> Result<(), WireError> {
    let part = PicturePart { ask: 1, part: 0, parts: 2, crc: None, bytes: &[1] };
    let long = [0; MAX_PART + 1];
    let run = Report::of_run(0, Reason::Blank, 0, 1);
    let answer = Answer { station: 1, counter: 1, result: CommandResult::Done, value: &[] };
    let wrong = [
        Down::Housekeeping(Housekeeping { slot: 3, ..Housekeeping::default() }),
        Down::Housekeeping(Housekeeping { free_disk: 33, ..Housekeeping::default() }),
        Down::PicturePart(PicturePart { part: 2, ..part }),
        Down::PicturePart(PicturePart { crc: Some(1), ..part }),
        Down::PicturePart(PicturePart { part: 1, ..part }),
        Down::PicturePart(PicturePart { bytes: &[], ..part }),
        Down::PicturePart(PicturePart { bytes: &long, ..part }),
        Down::Answer(Answer { value: &long[..MAX_VALUE + 1], ..answer }),
        Down::Report(Report { reason: 8, ..run }),
        Down::Report(Report { frames: 0, ..run }),
    ];
    for body in wrong {
        let packet = DownPacket { vehicle: 0, bundle: 0, body };
        assert!(matches!(packet.encode(None, Checksum::Crc32), Err(WireError::Field { .. })), "{body:?}");
        let fields = DownFields { version: WIRE_VERSION, vehicle: 0, bundle: [0; 2], body, mac: None };
        let mut bytes = postcard::to_allocvec(&fields).unwrap_or_default();
        Checksum::Crc32.seal(&mut bytes);
        let decoded = DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32);
        assert!(matches!(decoded, Err(WireError::Field { .. })), "{body:?}");
    }
    let right = [
        Down::PicturePart(part),
        Down::PicturePart(PicturePart { part: 1, crc: Some(u32::MAX), bytes: &long[1..], ..part }),
        Down::Housekeeping(Housekeeping { slot: 2, free_disk: 255, celsius: -128, ..Housekeeping::default() }),
        Down::Answer(answer),
        Down::Report(Report { reason: 7, ..run }),
    ];
    for body in right {
        let packet = DownPacket { vehicle: 65_535, bundle: 1, body };
        let bytes = packet.encode(Some(&key()), Checksum::Crc32)?;
        assert_eq!(DownPacket::decode(&bytes, Verification::Required(&key()), Checksum::Crc32)?, packet);
    }
    Ok(())
}

#[test]
fn a_stream_goes_on_after_damage() -> Result<(), WireError> {
    let (model, mut stream) = (model(), Vec::new());
    for bundle in 0..3 {
        push_frame(&mut stream, &CaptionPacket { bundle, ..packet() }.encode(&model, None, Checksum::Crc32)?);
    }
    let zeros: Vec<usize> = (0..stream.len()).filter(|&at| stream[at] == 0).collect();
    assert_eq!(zeros.len(), 6, "a zero before and after each");
    let second = zeros[2] + 1;
    stream[second + 5] ^= 0x10;
    let found: Vec<Frame> = frames(&stream).collect();
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].offset, found[1].offset), (1, second));
    let bundle = |frame: &Frame| {
        let bytes = frame.packet.clone()?;
        DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32).map(|packet| packet.bundle)
    };
    assert_eq!((bundle(&found[0]), bundle(&found[2])), (Ok(0), Ok(2)));
    assert!(bundle(&found[1]).is_err());
    Ok(())
}

#[test]
fn places_are_rounded() {
    let place = Position::new(-33.857_234_9, 151.215_678_1).map(|place| place.rounded(2).degrees());
    assert_eq!(place, Some((-33.86, 151.22)));
    assert!(Position::new(90.1, 0.0).is_none() && Position::new(f64::NAN, 0.0).is_none());
}

/// What the trust of a caption costs, in bits of a message of 64.
#[test]
fn a_flag_costs_at_most_eight_bits_and_no_flag_nearly_nothing() -> Result<(), WireError> {
    let model = model();
    let plain = |n: u32| Caption { sequence: n, text: "a river and a bridge".into(), ..Caption::default() };
    let bits = |change: fn(&mut Caption)| -> Result<f64, WireError> {
        let mut captions: Vec<Caption> = (0..64).map(plain).collect();
        captions.iter_mut().for_each(change);
        let packet = CaptionPacket { vehicle: 0, bundle: 0, decimals: 5, captions };
        Ok(8.0 * packet.encode(&model, None, Checksum::Crc32)?.len() as f64 / 64.0)
    };
    let none = bits(|_| {})?;
    let known = bits(|caption| caption.confidence = Some(Confidence::MAX))?;
    let outside = bits(|caption| caption.outside = Some(Reason::Noisy))?;
    assert!((known - none - (5.0 + 0.02 - 6.0)).abs() < 0.2, "{known} {none}");
    assert!((outside - none - (5.0 + 3.0 - 0.05)).abs() < 0.2, "{outside} {none}");
    Ok(())
}

fn any_caption() -> impl Strategy<Value = Caption> {
    let text = prop_oneof!["[a-z .]{0,40}", "\\PC{0,30}", Just(String::from("a river and a bridge ."))];
    let place = proptest::option::of((-90f64..=90.0, -180f64..=180.0));
    let trust = (proptest::option::of(0u16..=1000), proptest::option::of(0u8..8));
    (any::<(u32, u32, bool)>(), place, trust, 0..=MAX_PRIORITY, text).prop_map(
        |((sequence, time, repeat), place, (confidence, outside), priority, text)| {
            let position = place.and_then(|(latitude, longitude)| Position::new(latitude, longitude));
            let confidence = confidence.and_then(Confidence::from_thousandths);
            let outside = outside.and_then(Reason::of_code);
            Caption { sequence, time, position, confidence, outside, priority, repeat, text }
        },
    )
}

fn any_checksum() -> impl Strategy<Value = Checksum> {
    prop_oneof![Just(Checksum::Crc16), Just(Checksum::Crc32)]
}

proptest! {
    #[test]
    fn every_packet_round_trips(
        vehicle: u16,
        bundle: u16,
        decimals in 0..=7u8,
        captions in proptest::collection::vec(any_caption(), 1..=6),
        checksum in any_checksum(),
        is_keyed: bool,
    ) {
        let (model, key) = (model(), key());
        let captions = captions.into_iter().map(|caption| caption.rounded(decimals)).collect();
        let packet = CaptionPacket { vehicle, bundle, decimals, captions };
        let bytes = packet.encode(&model, is_keyed.then_some(&key), checksum)?;
        let verification = if is_keyed { Verification::Required(&key) } else { Verification::WherePresent(&key) };
        prop_assert_eq!(CaptionPacket::decode(&bytes, bundle, &model, verification, checksum), Ok(packet));
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..900), checksum in any_checksum()) {
        let model = model();
        let _ = CaptionPacket::decode(&bytes, 0, &model, Verification::Off, checksum);
        let _ = version2::PacketV2::decode(&bytes, 0, &model, checksum);
        prop_assert!(frames(&bytes).count() <= bytes.len());
        // With right checksums: behind the version, behind the header of captions, as a message, and of version 2.
        let length = bytes.len() as u16;
        let message = [0, 0, 0, 0, length as u8 | 0x80, (length >> 7) as u8];
        for (version, header) in [(3, &[][..]), (3, &[0, 0, 0]), (3, &[0, 0, 0, 1]), (3, &message), (2, &[0, 0])] {
            let mut sealed = [&[checksum.mark(version)][..], header, &bytes].concat();
            if header == message {
                sealed.push(0);
            }
            checksum.seal(&mut sealed);
            if let Ok(packet) = DownPacket::decode(&sealed, Verification::Off, checksum) {
                prop_assert_eq!(packet.encode(None, checksum), Ok(sealed.clone()));
            }
            let _ = CaptionPacket::decode(&sealed, 0, &model, Verification::Off, checksum);
            let _ = version2::PacketV2::decode(&sealed, 0, &model, checksum);
        }
    }
}
