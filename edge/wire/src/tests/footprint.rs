//! Footprints there and back, and what is none.

use super::*;

fn corners(steps: [[i8; 2]; 4]) -> [Corner; 4] {
    steps.map(|[north, east]| Corner { north, east })
}

/// A square of 200 m around a place on the equator, its top to the north: 100 m are 8,983 units.
fn square(number: u32) -> Footprint {
    Footprint { number, accuracy: 12, step: 71, corners: corners([[127, -127], [127, 127], [-127, 127], [-127, -127]]) }
}

fn packet(footprints: Vec<Footprint>) -> FootprintPacket {
    FootprintPacket { vehicle: 12, bundle: 0xbeef, footprints }
}

fn there_and_back(packet: &FootprintPacket) -> Result<FootprintPacket, WireError> {
    let bytes = packet.encode(None, Checksum::Crc32)?;
    FootprintPacket::of(&DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32)?)
}

#[test]
fn a_footprint_takes_eleven_bytes() -> Result<(), WireError> {
    let few = packet((300..364).map(square).collect());
    let length = few.encode(None, Checksum::Crc32)?.len();
    assert_eq!(length, 1 + 1 + 2 + 1 + 2 + 1 + 64 * 11 + 1 + 4, "header, length, a number of two bytes, and 11 each");
    assert_eq!(there_and_back(&few), Ok(few));
    let far = Footprint { number: u32::MAX, accuracy: u16::MAX, step: 500_000, ..square(0) };
    let largest = packet(vec![Footprint { number: 0, ..far }, far]).encode(None, Checksum::Crc32)?.len();
    assert!(largest == 5 + 1 + 15 + 19 + 1 + 4, "15 bytes and, of a far number, four more: {largest}");
    assert!(packet(Vec::new()).encode(None, Checksum::Crc32).is_err());
    assert!(packet((0..65).map(square).collect()).encode(None, Checksum::Crc32).is_err());
    assert!(packet(vec![square(4), square(4)]).encode(None, Checksum::Crc32).is_err());
    assert!(packet(vec![square(4), square(3)]).encode(None, Checksum::Crc32).is_err());
    Ok(())
}

#[test]
fn what_is_no_quadrangle_is_refused_by_name() {
    let wrong = |change: fn(&mut Footprint)| {
        let mut footprint = square(7);
        change(&mut footprint);
        // As somebody else might write it, with a right checksum.
        let content = postcard::to_allocvec(&footprint).unwrap_or_default();
        let fields = DownFields { version: 3, vehicle: 0, bundle: [0; 2], body: Down::Footprints(&content), mac: None };
        let mut bytes = postcard::to_allocvec(&fields).unwrap_or_default();
        Checksum::Crc32.seal(&mut bytes);
        match DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32).map(|_| ()) {
            Err(WireError::Field { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(wrong(|footprint| footprint.accuracy = 0), "accuracy");
    assert_eq!(wrong(|footprint| footprint.step = 0), "a footprint's step");
    assert_eq!(wrong(|footprint| footprint.step = 500_001), "a footprint's step");
    assert_eq!(wrong(|footprint| footprint.corners[0].north = -128), "steps to the furthest corner");
    assert_eq!(
        wrong(|footprint| footprint.corners = corners([[1, -1], [1, 1], [-1, 1], [-1, -1]])),
        "steps to the furthest corner"
    );
    let turns = "corners that turn right";
    assert_eq!(wrong(|footprint| footprint.corners.swap(0, 1)), turns, "crossing");
    assert_eq!(wrong(|footprint| footprint.corners.reverse()), turns, "seen from below");
    assert_eq!(wrong(|footprint| footprint.corners[0] = Corner { north: -100, east: 100 }), turns, "not convex");
    assert_eq!(wrong(|footprint| footprint.corners[0] = footprint.corners[1]), turns, "a triangle");
    assert_eq!(wrong(|footprint| footprint.corners = corners([[127, 0]; 4])), turns, "a point");
}

#[test]
fn corners_come_back_where_they_were() -> Result<(), &'static str> {
    let place = |latitude, longitude| Position::new(latitude, longitude).ok_or("a place");
    let centre = place(60.0, 179.9999)?;
    let corners =
        [place(60.001, 179.998)?, place(60.001, -179.998)?, place(59.999, -179.998)?, place(59.999, 179.998)?];
    let found = Footprint::new(5, 11.2, centre, corners).ok_or("a footprint")?;
    // 0.0021° of longitude at 60° are half of it in steps: 10,500 units, 127 steps of 83; 10,000 of latitude are 120.
    assert_eq!((found.accuracy, found.step), (12, 83));
    assert_eq!(found.corners, super::footprint::corners([[120, -114], [120, 127], [-120, 127], [-120, -114]]));
    let back = found.places(centre).ok_or("places")?;
    let near = |(a, b): (Position, Position)| {
        let ((north, east), (right_north, right_east)) = (a.degrees(), b.degrees());
        (north - right_north).abs() < 0.4 / 100.0 * 0.002 && (east - right_east).abs() < 0.4 / 100.0 * 0.004
    };
    assert!(back.into_iter().zip(corners).all(near), "{back:?}");
    // Metres at a pole are no degrees, and a line is no footprint.
    assert_eq!(Footprint::new(5, 1.0, place(89.5, 0.0)?, corners), None);
    let line = [place(60.001, 179.0)?, place(60.001, 179.0)?, place(60.0, 179.0)?, place(60.0, 179.0)?];
    assert_eq!(Footprint::new(5, 1.0, centre, line), None);
    assert_eq!(Footprint { step: 500_000, ..square(1) }.places(place(85.0, 0.0)?), None, "over the pole");
    Ok(())
}

proptest! {
    #[test]
    fn any_body_is_refused_or_comes_back(content in proptest::collection::vec(any::<u8>(), 0..200), head in 0usize..3) {
        // Behind some that are right.
        let mut body = Vec::new();
        for number in 0..head as u32 {
            body.extend(postcard::to_allocvec(&square(number.min(1))).unwrap_or_default());
        }
        body.extend(content);
        let fields = DownFields { version: 3, vehicle: 0, bundle: [0; 2], body: Down::Footprints(&body), mac: None };
        let mut bytes = postcard::to_allocvec(&fields).unwrap_or_default();
        Checksum::Crc32.seal(&mut bytes);
        if let Ok(packet) = DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32) {
            let found = FootprintPacket::of(&packet)?;
            prop_assert!((1..=MAX_FOOTPRINTS).contains(&found.footprints.len()));
            prop_assert_eq!(found.encode(None, Checksum::Crc32), Ok(bytes));
        }
    }

    /// To a 254th of the way to the furthest corner, and a unit.
    #[test]
    fn every_footprint_is_near_itself(
        latitude in -80.0..80.0f64,
        longitude in -180.0..180.0f64,
        sides in (1e-5..0.5f64, 1e-5..0.5f64),
    ) {
        let (north, east) = sides;
        let wrap = |degrees: f64| (degrees + 540.0).rem_euclid(360.0) - 180.0;
        let corners = [(north, -east), (north, east), (-north, east), (-north, -east)];
        let place = |(n, e): (f64, f64)| Position::new(latitude + n, wrap(longitude + e));
        let all: Vec<Position> = corners.into_iter().filter_map(place).collect();
        let (Some(centre), Ok(all)) = (Position::new(latitude, longitude), <[Position; 4]>::try_from(all)) else {
            return Err(TestCaseError::reject("no place"));
        };
        let scale = latitude.to_radians().cos();
        let furthest = north.max(east * scale);
        if let Some(places) = Footprint::new(1, 3.0, centre, all).and_then(|footprint| footprint.places(centre)) {
            for (a, b) in places.into_iter().zip(all) {
                let ((n, e), (m, f)) = (a.degrees(), b.degrees());
                prop_assert!((n - m).abs() <= furthest / 254.0 + 3e-7, "{n} {m}");
                prop_assert!(wrap(e - f).abs() * scale <= furthest / 254.0 + 3e-7, "{e} {f}");
            }
        } else {
            prop_assert!(north.min(east * scale) < furthest / 100.0, "only a line is none");
        }
    }
}
