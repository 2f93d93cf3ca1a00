//! Packets there and back, and what is refused.

use crate::packet::*;
use crate::*;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use cssa::language_model::LanguageModel;
use proptest::prelude::*;

fn model() -> LanguageModel {
    let captions =
        ["a big bridge over a river .", "a river and a bridge", "many planes are parked near the terminal ."];
    LanguageModel::build(captions.map(String::from))
}

fn caption(sequence: u32, text: &str) -> Caption {
    Caption {
        sequence,
        time: 1_763_928_000 + 7 * sequence,
        position: Position::new(48.20849 + 1e-4 * f64::from(sequence), -16.37208),
        score: 25,
        priority: 2,
        repeat: sequence == 301,
        text: text.into(),
    }
}

fn packet() -> Packet {
    let captions = vec![caption(300, "a big bridge"), caption(301, "Ein Fluß  and a river ."), caption(303, "")];
    Packet { bundle: 0xbeef, decimals: 5, captions }
}

#[test]
fn captions_come_back_with_everything() -> Result<(), WireError> {
    let (model, packet) = (model(), packet());
    let bytes = packet.encode(&model, Checksum::Crc32)?;
    let rounded = |caption: &Caption| Caption { position: caption.position.map(|p| p.rounded(5)), ..caption.clone() };
    let expected = Packet { captions: packet.captions.iter().map(rounded).collect(), ..packet };
    assert_eq!(Packet::decode(&bytes, 0xbeef, &model, Checksum::Crc32)?, expected);
    assert_eq!(bundle_of(&bytes, Checksum::Crc32)?, 0xbeef);
    let shown = |text: &str| payload(text, &model).map(|bytes| bytes.len());
    assert!(shown("a big bridge over a river .")? <= 2 && shown("zzyzx")? >= 4);
    Ok(())
}

#[test]
fn wrong_packets_say_why() -> Result<(), WireError> {
    let model = model();
    let bytes = packet().encode(&model, Checksum::Crc32)?;
    let resealed = |change: fn(&mut Vec<u8>)| {
        let mut content = bytes[..bytes.len() - 4].to_vec();
        change(&mut content);
        Checksum::Crc32.seal(&mut content);
        Packet::decode(&content, 0xbeef, &model, Checksum::Crc32)
    };
    assert_eq!(Packet::decode(&[], 0xbeef, &model, Checksum::Crc32), Err(WireError::Length { found: 0 }));
    assert_eq!(resealed(|content| content[0] = 1), Err(WireError::Version { found: 1 }));
    assert_eq!(resealed(|content| content.push(0)), Err(WireError::Malformed));
    assert_eq!(resealed(|content| content.push(9)), Err(WireError::Malformed));
    assert_eq!(resealed(|content| content[1] = 0), Err(WireError::Bundle { found: 0xbe00, expected: 0xbeef }));
    let other = Packet::decode(&packet().encode(&model, Checksum::Crc16)?, 0xbeef, &model, Checksum::Crc32);
    assert!(other.is_err(), "the reader chooses the checksum");
    let mut damaged = bytes.clone();
    damaged[4] ^= 1;
    assert!(matches!(Packet::decode(&damaged, 0xbeef, &model, Checksum::Crc32), Err(WireError::Checksum { .. })));
    let with = |change: fn(&mut Packet)| {
        let mut packet = packet();
        change(&mut packet);
        packet.encode(&model, Checksum::Crc32)
    };
    assert_eq!(with(|packet| packet.captions.clear()), Err(WireError::Captions { found: 0 }));
    let high = Err(WireError::Field { field: "priority", found: 4, most: 3 });
    assert_eq!(with(|packet| packet.captions[0].priority = 4), high);
    assert_eq!(with(|packet| packet.captions[0].text = "a ".repeat(300)), Err(WireError::Words { found: 301 }));
    assert_eq!(with(|packet| packet.captions[0].text = "a".repeat(300)), Err(WireError::Word));
    Ok(())
}

#[test]
fn a_stream_goes_on_after_damage() -> Result<(), WireError> {
    let (model, mut stream) = (model(), Vec::new());
    for bundle in 0..3 {
        push_frame(&mut stream, &Packet { bundle, ..packet() }.encode(&model, Checksum::Crc32)?);
    }
    let second = stream.iter().position(|&byte| byte == 0).unwrap_or_default() + 1;
    stream[second + 5] ^= 0x10;
    let found: Vec<Frame> = frames(&stream).collect();
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].offset, found[1].offset), (0, second));
    let bundle = |frame: &Frame| frame.packet.clone().and_then(|bytes| bundle_of(&bytes, Checksum::Crc32));
    assert_eq!((bundle(&found[0]), bundle(&found[2])), (Ok(0), Ok(2)));
    assert!(bundle(&found[1]).is_err());
    Ok(())
}

#[test]
fn scores_and_places_are_rounded() {
    assert_eq!([0.0, 0.5, 1.0, 2.0, f32::NAN].map(score), [0, 16, 31, 31, 0]);
    let place = Position::new(-33.857_234_9, 151.215_678_1).map(|place| place.rounded(2).degrees());
    assert_eq!(place, Some((-33.86, 151.22)));
    assert!(Position::new(90.1, 0.0).is_none() && Position::new(f64::NAN, 0.0).is_none());
}

fn any_caption() -> impl Strategy<Value = Caption> {
    let text = prop_oneof!["[a-z .]{0,40}", "\\PC{0,30}", Just(String::from("a river and a bridge ."))];
    let place = proptest::option::of((-90f64..=90.0, -180f64..=180.0));
    (any::<(u32, u32, bool)>(), place, 0..=MAX_SCORE, 0..=MAX_PRIORITY, text).prop_map(
        |((sequence, time, repeat), place, score, priority, text)| {
            let position = place.and_then(|(latitude, longitude)| Position::new(latitude, longitude));
            Caption { sequence, time, position, score, priority, repeat, text }
        },
    )
}

proptest! {
    #[test]
    fn every_packet_round_trips(
        bundle: u16,
        decimals in 0..=7u8,
        captions in proptest::collection::vec(any_caption(), 1..=6),
        checksum in prop_oneof![Just(Checksum::Crc16), Just(Checksum::Crc32)],
    ) {
        let model = model();
        let captions = captions.into_iter().map(|caption| {
            Caption { position: caption.position.map(|place| place.rounded(decimals)), ..caption }
        });
        let packet = Packet { bundle, decimals, captions: captions.collect() };
        let bytes = packet.encode(&model, checksum)?;
        prop_assert_eq!(Packet::decode(&bytes, bundle, &model, checksum), Ok(packet));
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        let model = model();
        let _ = Packet::decode(&bytes, 0, &model, Checksum::Crc32);
        prop_assert!(frames(&bytes).count() <= bytes.len());
        let mut sealed = vec![WIRE_VERSION, 0, 0];
        sealed.extend(bytes);
        Checksum::Crc32.seal(&mut sealed);
        let _ = Packet::decode(&sealed, 0, &model, Checksum::Crc32);
    }
}
