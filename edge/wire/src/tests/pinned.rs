//! Values and their exact bytes: the order of every enum, the sizes that the design promises, the schema.

use crate::*;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use cssa::trust::Reason;
use postcard_schema::Schema;
use postcard_schema::schema::owned::OwnedNamedType;
use serde::Serialize;

fn bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).unwrap_or_default()
}

#[test]
fn down_has_its_numbers() {
    let part = PicturePart { ask: 1, part: 0, parts: 1, crc: Some(300), bytes: &[9] };
    let answer = Answer { station: 2, counter: 3, result: CommandResult::Done, value: &[7] };
    assert_eq!(bytes(&Down::Captions(&[5, 6])), [0, 2, 5, 6]);
    assert_eq!(bytes(&Down::Housekeeping(Housekeeping::default())), [&[1; 1][..], &[0; 16]].concat());
    assert_eq!(bytes(&Down::PicturePart(part)), [2, 1, 0, 1, 1, 0xac, 2, 1, 9]);
    assert_eq!(bytes(&Down::Answer(answer)), [3, 2, 3, 0, 1, 7]);
    assert_eq!(bytes(&Down::Report(Report::of_run(1, Reason::Foggy, 128, 2))), [4, 1, 7, 0x80, 1, 2]);
    assert_eq!(bytes(&Down::Footprints(&[5, 6])), [5, 2, 5, 6]);
    let corners = [[1, -1], [2, 3], [-4, 5], [-6, -7]].map(|[north, east]| Corner { north, east });
    let footprint = Footprint { number: 3, accuracy: 300, step: 71, corners };
    assert_eq!(bytes(&footprint), [3, 0xac, 2, 71, 1, 255, 2, 3, 252, 5, 250, 249]);
}

#[test]
fn results_have_their_numbers() {
    assert_eq!(bytes(&CommandResult::Done), [0]);
    assert_eq!(bytes(&CommandResult::Refused(UNSUPPORTED)), [1, 1]);
    assert_eq!(bytes(&CommandResult::NotKept), [2]);
}

#[test]
fn reasons_have_their_numbers() {
    let numbers = Reason::ALL.map(|reason| Report::of_run(0, reason, 0, 1)).map(|report| bytes(&report)[1]);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(
        Reason::ALL.map(Reason::name).join(" "),
        "unfamiliar blank dark overexposed defocused smeared noisy foggy"
    );
}

#[test]
fn up_has_its_numbers() {
    let ask = Ask { ask: 1, caption: 2, pixels: 64, crop: Some([1, 2, 3, 4]) };
    assert_eq!(bytes(&Up::Acknowledge(SelectiveAck::of([(5, 9)]))), [0, 1, 5, 1, 1, 9]);
    assert_eq!(bytes(&Up::Ask(ask)), [1, 1, 2, 64, 1, 1, 2, 3, 4]);
    assert_eq!(bytes(&Up::Command(Command::Pause)), [2, 5]);
    assert_eq!(bytes(&Up::Missing(MissingParts::of(1, [0, 1, 7]))), [3, 1, 2, 0, 2, 7, 1]);
}

#[test]
fn commands_have_their_numbers() {
    let word = WatchWord { word: "ship".to_owned(), priority: 2 };
    let delta = DeltaPart { id: 1, part: 2, parts: 4, crc: None, bytes: vec![9] };
    assert_eq!(bytes(&Command::SetThreshold { thousandths: 128 }), [0, 0x80, 1]);
    assert_eq!(bytes(&Command::SetWatchWords(vec![word])), [1, 1, 4, b's', b'h', b'i', b'p', 2]);
    assert_eq!(bytes(&Command::SetNovelty { metres: 100, minutes: 30 }), [2, 100, 30]);
    assert_eq!(bytes(&Command::SetRate { bytes_per_second: 5 }), [3, 5]);
    assert_eq!(bytes(&Command::SetBudget { bytes_per_hour: 6 }), [4, 6]);
    assert_eq!(bytes(&Command::Pause), [5]);
    assert_eq!(bytes(&Command::Resume), [6]);
    assert_eq!(bytes(&Command::SelfTest), [7]);
    assert_eq!(bytes(&Command::SwitchSlot { slot: 2 }), [8, 2]);
    assert_eq!(bytes(&Command::StatusNow), [9]);
    assert_eq!(bytes(&Command::DeltaPart(delta)), [10, 1, 2, 4, 0, 1, 9]);
    assert_eq!(bytes(&Command::ForgetPictures), [11]);
    assert_eq!(bytes(&Command::NewKeyPart { part: 0, parts: 1, bytes: vec![7] }), [12, 0, 1, 1, 7]);
}

#[test]
fn packets_are_what_postcard_makes_of_their_fields() -> Result<(), WireError> {
    let (key, report) = (Key::new([7; KEY]), Report::of_run(1, Reason::Dark, 2, 3));
    let packet = DownPacket { vehicle: 300, bundle: 0xbeef, body: Down::Report(report) };
    let plain = packet.encode(None, Checksum::Crc32)?;
    assert_eq!(plain[..plain.len() - 4], [3, 0xac, 2, 0xef, 0xbe, 4, 1, 2, 2, 3, 0]);
    let sealed = packet.encode(Some(&key), Checksum::Crc16)?;
    let content = &sealed[..sealed.len() - 2];
    let fields: DownFields<'_> = postcard::from_bytes(content).map_err(|_| WireError::Malformed)?;
    assert_eq!((fields.version, fields.mac.is_some(), bytes(&fields)), (131, true, content.to_vec()));
    let body = Up::Command(Command::Pause);
    let up = UpPacket { vehicle: 300, station: 1, counter: 200, body }.encode(&key, Checksum::Crc16)?;
    let content = &up[..up.len() - 2];
    let fields: UpFields = postcard::from_bytes(content).map_err(|_| WireError::Malformed)?;
    assert_eq!((fields.version, bytes(&fields)), (195, content.to_vec()));
    assert_eq!(content[..8], [195, 0xac, 2, 1, 0xc8, 1, 2, 5]);
    Ok(())
}

/// After a day with a frame every five seconds and a packet every five minutes; and the largest there can be.
#[test]
fn housekeeping_takes_a_few_bytes() -> Result<(), WireError> {
    let dropped = DroppedFrames { image: 12, policy: 13_000, link: 0, machine: 268 };
    let after_a_day = Housekeeping {
        sequence: 288,
        period: 300,
        uptime: 86_400,
        frames: 17_280,
        queued: 4000,
        dropped,
        fault: 3,
        fault_count: 2,
        slot: 1,
        celsius: 61,
        free_disk: 20,
        millijoules: 1800,
        waiting: 12,
    };
    let most = u16::MAX;
    let largest = Housekeeping {
        sequence: most,
        period: most,
        uptime: u32::MAX,
        frames: most,
        queued: most,
        dropped: DroppedFrames { image: most, policy: most, link: most, machine: most },
        fault: 255,
        fault_count: most,
        slot: 2,
        celsius: -128,
        free_disk: 255,
        millijoules: most,
        waiting: most,
    };
    let length = |vehicle, content, key: Option<&Key>| -> Result<usize, WireError> {
        let body = Down::Housekeeping(content);
        Ok(DownPacket { vehicle, bundle: 0xbeef, body }.encode(key, Checksum::Crc32)?.len())
    };
    let key = Key::new([7; KEY]);
    assert_eq!((length(12, after_a_day, None)?, length(12, after_a_day, Some(&key))?), (36, 40));
    assert_eq!((length(most, largest, None)?, length(most, largest, Some(&key))?), (54, 58));
    Ok(())
}

/// The structs as `postcard_schema` has them. Where this fails and the change is meant, the text is what it says.
#[test]
fn the_schema_in_fixtures_is_that_of_the_structs() -> std::io::Result<()> {
    let types = [
        DownFields::SCHEMA,
        Down::SCHEMA,
        Housekeeping::SCHEMA,
        DroppedFrames::SCHEMA,
        PicturePart::SCHEMA,
        Answer::SCHEMA,
        CommandResult::SCHEMA,
        Report::SCHEMA,
        Footprint::SCHEMA,
        Corner::SCHEMA,
        UpFields::SCHEMA,
        Up::SCHEMA,
        SelectiveAck::SCHEMA,
        Ask::SCHEMA,
        Command::SCHEMA,
        WatchWord::SCHEMA,
        DeltaPart::SCHEMA,
        MissingParts::SCHEMA,
        PartRun::SCHEMA,
    ];
    let lines = types.map(|schema| format!("{}\n", OwnedNamedType::from(schema).to_pseudocode()));
    let kept = std::fs::read_to_string(fixtures::wire().join("schema.txt"))?;
    let kept: String = kept.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(kept, lines.concat(), "fixtures/wire/schema.txt:\n{}", lines.concat());
    Ok(())
}
