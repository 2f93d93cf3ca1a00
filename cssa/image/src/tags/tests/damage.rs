//! Damaged blocks of Exif: a position is lost, and never another one.

use super::*;
use proptest::prelude::*;

/// A change of a block's structure: what says where values lie, of which type and how many they are, never a value itself.
#[derive(Clone, Debug)]
enum Damage {
    Truncated(usize),
    ByteOrder,
    Field { entry: usize, at: usize, byte: usize, value: u8 },
    Offset { entry: usize, by: i64 },
    Count { entry: usize, count: u32 },
    Kind { entry: usize, kind: u16 },
    Pointer { by: i64 },
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0usize..400).prop_map(Damage::Truncated),
        Just(Damage::ByteOrder),
        (0usize..20, 0usize..2, 0usize..4, any::<u8>()).prop_map(|(entry, at, byte, value)| Damage::Field {
            entry,
            at,
            byte,
            value
        }),
        (0usize..20, -200i64..200).prop_map(|(entry, by)| Damage::Offset { entry, by }),
        (0usize..20, prop_oneof![0u32..40, any::<u32>()]).prop_map(|(entry, count)| Damage::Count { entry, count }),
        (0usize..20, prop_oneof![0u16..20, any::<u16>()]).prop_map(|(entry, kind)| Damage::Kind { entry, kind }),
        (-200i64..200).prop_map(|by| Damage::Pointer { by }),
    ]
}

/// The block of a healthy file, and where its entries stand.
fn block(name: &str) -> Result<(Vec<u8>, Vec<usize>)> {
    let file = case(name)?;
    let begin = file.windows(6).position(|bytes| bytes == b"Exif\0\0").context("no Exif")? + 6;
    let length = usize::from(u16::from_be_bytes([file[begin - 8], file[begin - 7]])) - 8;
    let block = file[begin..begin + length].to_vec();
    let number = |at: usize, width: usize| {
        let bytes = block[at..at + width].iter();
        let append = |sum: usize, byte: &u8| sum << 8 | usize::from(*byte);
        if block[0] == b'M' { bytes.fold(0, append) } else { bytes.rev().fold(0, append) }
    };
    let mut entries = Vec::new();
    let mut waiting = vec![number(4, 4)];
    while let Some(at) = waiting.pop() {
        for entry in (0..number(at, 2)).map(|n| at + 2 + 12 * n) {
            if [0x8825, 0x8769].contains(&number(entry, 2)) {
                waiting.push(number(entry + 8, 4));
            }
            entries.push(entry);
        }
    }
    Ok((block, entries))
}

fn apply(block: &mut Vec<u8>, entries: &[usize], damage: &Damage) {
    let big = block[0] == b'M';
    let put = |block: &mut Vec<u8>, at: usize, bytes: &[u8]| {
        if let Some(place) = block.get_mut(at..at + bytes.len()) {
            let ordered: Vec<u8> = if big { bytes.iter().rev().copied().collect() } else { bytes.to_vec() };
            place.copy_from_slice(&ordered);
        }
    };
    let offset = |block: &[u8], at: usize| match block.get(at..at + 4).map(TryInto::try_into) {
        Some(Ok(bytes)) if big => i64::from(u32::from_be_bytes(bytes)),
        Some(Ok(bytes)) => i64::from(u32::from_le_bytes(bytes)),
        _ => 0,
    };
    let width = |kind: u8| [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4].get(usize::from(kind)).copied().unwrap_or(0);
    let nth = |n: &usize| entries[n % entries.len()];
    // The offset of values that stand apart is structure; a value in its place is not.
    let is_apart = |block: &[u8], at: usize| {
        let (kind, count) = if big { (block[at + 3], block[at + 7]) } else { (block[at + 2], block[at + 4]) };
        width(kind) * usize::from(count) > 4 || kind == 13 || offset(block, at + 8) == i64::from(38)
    };
    match damage {
        Damage::Truncated(length) => block.truncate(*length),
        Damage::ByteOrder => {
            let other = if big { b"II" } else { b"MM" };
            block[..2].copy_from_slice(other);
        }
        // A type or a count.
        Damage::Field { entry, at, byte, value } => {
            let place = nth(entry) + [2, 4][*at] + if *at == 0 { byte % 2 } else { *byte };
            block[place] = *value;
        }
        Damage::Offset { entry, by } => {
            let at = nth(entry);
            if is_apart(block, at) {
                let moved = (offset(block, at + 8) + by).max(0) as u32;
                put(block, at + 8, &moved.to_le_bytes());
            }
        }
        Damage::Count { entry, count } => put(block, nth(entry) + 4, &count.to_le_bytes()),
        Damage::Kind { entry, kind } => put(block, nth(entry) + 2, &kind.to_le_bytes()),
        Damage::Pointer { by } => {
            let moved = (offset(block, 4) + by).max(0) as u32;
            put(block, 4, &moved.to_le_bytes());
        }
    }
}

/// The place of a healthy file, and after damages.
fn before_and_after(name: &str, damages: &[Damage]) -> Result<[Result<Place, Problem>; 2]> {
    let (healthy, entries) = block(name)?;
    let mut damaged = healthy.clone();
    for one in damages {
        if damaged.len() == healthy.len() {
            apply(&mut damaged, &entries, one);
        }
    }
    Ok([healthy, damaged].map(|block| exif::read(Cursor::new(block), NOW).place))
}

/// One rational number of the three, from between two others.
#[test]
fn a_coordinate_of_fewer_numbers_is_not_believed() -> Result<()> {
    let damages = [Damage::Count { entry: 11, count: 1 }, Damage::Offset { entry: 4, by: 9 }];
    let [right, found] = before_and_after("e38_unsorted_duplicate_gps_entries.jpg", &damages)?;
    assert!(right.is_ok() && found.is_err(), "{found:?}");
    Ok(())
}

/// The receiver's time is no latitude, whatever became of the entry that it belongs to.
#[test]
fn a_coordinate_that_lies_in_a_damaged_entrys_numbers_is_not_believed() -> Result<()> {
    let (healthy, entries) = block("e01_normal.jpg")?;
    let big = healthy[0] == b'M';
    let number = |at: usize, width: usize| {
        let bytes = healthy[at..at + width].iter().map(|&byte| i64::from(byte));
        if big { bytes.fold(0, |sum, byte| sum << 8 | byte) } else { bytes.rev().fold(0, |sum, byte| sum << 8 | byte) }
    };
    // The last directory that was found is the receiver's where it is the only one with a latitude in rational numbers.
    let entry = |tag: i64| {
        let is_it = |&at: &usize| number(at, 2) == tag && number(at + 2, 2) == 5;
        entries.iter().position(is_it).context("no such entry")
    };
    let (latitude, time) = (entry(2)?, entry(7)?);
    let by = number(entries[time] + 8, 4) - number(entries[latitude] + 8, 4);
    let onto_the_directory = Damage::Offset { entry: time, by: -80 };
    for hidden in [Damage::Kind { entry: time, kind: 1 }, Damage::Count { entry: time, count: 0 }, onto_the_directory] {
        let [right, found] = before_and_after("e01_normal.jpg", &[Damage::Offset { entry: latitude, by }, hidden])?;
        assert!(right.is_ok() && found.is_err(), "{found:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(20_000)))]
    #[test]
    fn damage_loses_a_position_and_never_moves_it(
        name in prop::sample::select(vec![
            "e01_normal.jpg", "e06_decimal_minutes.jpg", "e09_word_ref.jpg", "e30_handmade_ok.jpg",
            "e37_bigendian.jpg", "e44_altitude_below_sea.jpg", "e38_unsorted_duplicate_gps_entries.jpg",
        ]),
        damage in prop::collection::vec(damage(), 1..3),
    ) {
        let [right, found] = before_and_after(name, &damage).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert!(right.is_ok());
        prop_assert!(found.is_err() || found == right, "{found:?}");
    }
}
