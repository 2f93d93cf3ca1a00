use super::*;
use alloc::vec;
use proptest::prelude::*;

fn packet() -> Packet {
    Packet {
        bundle: 0xbeef,
        sequence: 300,
        time: 0x6543_2100,
        score: 204,
        priority: 2,
        repeat: true,
        position: Position::new(48.20849, -16.37208),
        tokens: vec![TokenId(3), TokenId(130), TokenId(131), TokenId(2003)],
    }
}

/// version 02 · flags 0e · bundle efbe · sequence ac02 · time 00214365 · score cc · latitude e2bdcc04 · longitude
/// afedc701 · words 04: 00 7f 8001 d00f · CRC-32
const BYTES: &str = "020eefbeac0200214365cce2bdcc04afedc70104007f8001d00f";

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16).ok()).collect()
}

#[test]
fn a_packet_has_exactly_these_bytes() {
    let mut expected = bytes_of(BYTES);
    expected.extend(CRC.checksum(&expected).to_le_bytes());
    assert_eq!(packet().encode(), Ok(expected.clone()));
    assert_eq!(Packet::decode(&expected), Ok(packet()));
}

#[test]
fn the_checksum_is_that_of_the_standard() {
    assert_eq!(CRC.checksum(b"123456789"), 0xcbf4_3926);
}

#[test]
fn wrong_packets_say_why() -> Result<(), WireError> {
    let resealed = |mut content: Vec<u8>| {
        content.extend(CRC.checksum(&content).to_le_bytes());
        Packet::decode(&content)
    };
    let mut content = bytes_of(BYTES);
    assert_eq!(Packet::decode(&[]), Err(WireError::Length { found: 0 }));
    content[0] = 1;
    assert_eq!(resealed(content.clone()), Err(WireError::Version { found: 1 }));
    content[0] = 2;
    content[1] = 0x1e;
    assert_eq!(resealed(content.clone()), Err(WireError::Malformed));
    content[1] = 0x0e;
    content.push(0);
    assert_eq!(resealed(content.clone()), Err(WireError::Malformed));
    let mut damaged = packet().encode()?;
    damaged[4] ^= 1;
    assert!(matches!(Packet::decode(&damaged), Err(WireError::Checksum { .. })));
    let endless = Packet { tokens: vec![TokenId(3); 256], ..packet() };
    assert_eq!(endless.encode(), Err(WireError::Words { found: 256 }));
    assert_eq!(Packet { priority: 4, ..packet() }.encode(), Err(WireError::Priority { found: 4 }));
    let special = Packet { tokens: vec![TokenId::START], ..packet() };
    assert_eq!(special.encode(), Err(WireError::Special { found: 1 }));
    Ok(())
}

#[test]
fn a_stream_goes_on_after_damage() -> Result<(), WireError> {
    let mut stream = Vec::new();
    for sequence in 0..3 {
        push_frame(&mut stream, &Packet { sequence, ..packet() }.encode()?);
    }
    let second = stream.iter().position(|&byte| byte == 0).unwrap_or_default() + 1;
    stream[second + 5] ^= 0x10;
    let found: Vec<Frame> = frames(&stream).collect();
    assert_eq!(found.len(), 3);
    assert_eq!((found[0].offset, found[1].offset), (0, second));
    assert!(found[0].packet.is_ok() && found[1].packet.is_err());
    assert_eq!(found[2].packet.as_ref().map(|packet| packet.sequence), Ok(2));
    Ok(())
}

#[test]
fn scores_fill_the_byte() {
    assert_eq!([0.0, 0.5, 1.0, 2.0, f32::NAN].map(score_byte), [0, 128, 255, 255, 0]);
}

proptest! {
    #[test]
    fn every_packet_round_trips(
        bundle: u16,
        sequence: u32,
        time: u32,
        score: u8,
        priority in 0..=HIGHEST_PRIORITY,
        repeat: bool,
        place in proptest::option::of((-90f64..=90.0, -180f64..=180.0)),
        tokens in proptest::collection::vec(3u16..=u16::MAX, 0..=LONGEST_CAPTION),
    ) {
        let tokens = tokens.into_iter().map(TokenId).collect();
        let position = place.and_then(|(latitude, longitude)| Position::new(latitude, longitude));
        prop_assert_eq!(position.is_some(), place.is_some());
        let packet = Packet { bundle, sequence, time, score, priority, repeat, position, tokens };
        let bytes = packet.encode()?;
        prop_assert!(bytes.len() <= LARGEST_PACKET);
        prop_assert_eq!(Packet::decode(&bytes), Ok(packet));
    }

    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..900)) {
        let _ = Packet::decode(&bytes);
        prop_assert!(frames(&bytes).count() <= bytes.len());
        let mut sealed = bytes;
        sealed.extend(CRC.checksum(&sealed).to_le_bytes());
        let _ = Packet::decode(&sealed);
    }
}
