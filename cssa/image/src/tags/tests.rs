//! Files as cameras write them, and damaged ones.

use super::*;
use anyhow::{Context, Result, ensure};
use std::path::Path;

mod aim;
mod damage;

/// 2024-05-06T10:11:12Z.
const TIME: u32 = 1_714_990_272;
/// A computer's clock in 2026.
const NOW: u32 = 1_795_000_000;

/// Latitude and longitude.
type Degrees = Option<(f64, f64)>;
/// A file, its place and time, and a word of each of its problems.
type Case = (&'static str, Degrees, Option<u32>, &'static [&'static str]);

fn case(name: &str) -> Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/exif").join(name);
    std::fs::read(&path).with_context(|| path.display().to_string())
}

/// The place, the time, and what is said of the rest.
fn said(name: &str) -> Result<(Degrees, Option<u32>, Vec<String>)> {
    let bytes = case(name)?;
    let tags = read_at(Cursor::new(&bytes), NOW);
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let place = tags.place((0.0, 0.0)).map(|place| (rounded(place.latitude), rounded(place.longitude)));
    Ok((place, tags.time, tags.problems((0.0, 0.0)).iter().map(ToString::to_string).collect()))
}

#[test]
fn every_case_says_what_is_right() -> Result<()> {
    let here = Some((48.2085, 16.37));
    let noon = Some(TIME - 10 * 3600 - 11 * 60 - 12 + 12 * 3600);
    let cases: &[Case] = &[
        ("e01_normal.jpg", here, Some(TIME), &[]),
        ("e02_zero_zero.jpg", None, Some(TIME), &["no fix: 0, 0"]),
        ("e03_seconds_0_over_0.jpg", None, Some(TIME), &["GPSLatitude is 48/1 12/1 0/0"]),
        ("e04_no_ref.jpg", None, Some(TIME), &["GPSLatitudeRef is not there"]),
        ("e05_status_void_old_coords.jpg", None, Some(TIME), &["GPSStatus is V"]),
        ("e06_decimal_minutes.jpg", here, Some(TIME), &[]),
        ("e07_degrees_only_rational.jpg", Some((48.2085, 16.3667)), Some(TIME), &[]),
        ("e08_lower_ref.jpg", Some((-48.2085, -16.37)), Some(TIME), &[]),
        ("e09_word_ref.jpg", Some((-48.2085, -16.37)), Some(TIME), &[]),
        ("e10_ref_nul.jpg", None, Some(TIME), &["GPSLatitudeRef is \"\""]),
        ("e11_minutes_60.jpg", Some((49.0, 16.37)), Some(TIME), &[]),
        ("e12_datestamp_dashes.jpg", here, Some(TIME), &[]),
        ("e13_date_zero.jpg", here, None, &["GPSDateStamp is \"0000:00:00\""]),
        ("e14_time_24h.jpg", here, None, &["GPSTimeStamp is 24/1"]),
        ("e15_no_gps_dto_blank.jpg", None, None, &["DateTimeOriginal"]),
        ("e16_no_gps_dto_0000.jpg", None, None, &["DateTimeOriginal"]),
        ("e17_dto_subsec_tz.jpg", None, noon.map(|time| time - 7200), &[]),
        ("e18_dto_dashes.jpg", None, noon, &[]),
        ("e19_datetime_only_0th.jpg", None, noon, &[]),
        ("e20_gps_week_rollover_2004.jpg", here, None, &["GPSDateStamp is 2004-09-20"]),
        ("e21_fraction_huge_denominators.jpg", here, Some(TIME), &[]),
        ("e22_only_two_values.jpg", None, Some(TIME), &["GPSLatitude is of type 5 and 16 bytes"]),
        ("e30_handmade_ok.jpg", here, None, &[]),
        ("e31_ifd0_next_points_outside.jpg", here, None, &[]),
        ("e33_unknown_type_0_entry_in_ifd0.jpg", here, None, &[]),
        ("e34_entry_value_offset_outside.jpg", here, None, &[]),
        ("e35_imagedescription_offset_outside.jpg", here, None, &[]),
        ("e36_gps_srational.jpg", here, None, &[]),
        ("e37_bigendian.jpg", here, None, &[]),
        ("e38_unsorted_duplicate_gps_entries.jpg", here, None, &[]),
        ("e39_ref_count1_no_nul.jpg", here, None, &[]),
        ("e40_gps_only_in_xmp.jpg", here, None, &[]),
        ("e41_xmp_before_exif.jpg", here, Some(TIME), &[]),
        (
            "e42_exif_truncated_segment_last_bytes.jpg",
            None,
            None,
            &["GPSTimeStamp is at bytes", "GPSDateStamp is at bytes"],
        ),
        ("e44_altitude_below_sea.jpg", here, Some(TIME), &[]),
        ("e45_altitude_0_over_0.jpg", here, Some(TIME), &[]),
        ("e46_zero_zero_status_V.jpg", None, Some(TIME), &["GPSStatus is V"]),
        ("e47_gps_pointer_type13_ifd.jpg", here, None, &[]),
        ("e50.png", here, Some(TIME), &[]),
        ("e51.tif", here, Some(TIME), &[]),
    ];
    let mut wrong = Vec::new();
    for &(name, place, time, problems) in cases {
        let found = said(name)?;
        let explained = found.2.len() == problems.len() && found.2.iter().zip(problems).all(|(a, b)| a.contains(b));
        if (found.0, found.1) != (place, time) || !explained {
            wrong.push(format!("{name}: {found:?}, expected {place:?}, {time:?}, {problems:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/exif");
    ensure!(std::fs::read_dir(folder)?.count() == cases.len(), "a case that is not listed");
    Ok(())
}

/// A file with other bytes in place of some, as many as there were.
fn changed(name: &str, from: &str, to: &str) -> Result<Tags> {
    ensure!(from.len() == to.len(), "{from} {to}");
    let mut bytes = case(name)?;
    let at: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    ensure!(!at.is_empty(), "{name} has no {from}");
    for at in at {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    Ok(read_at(Cursor::new(bytes), NOW))
}

fn words(tags: &Tags) -> Vec<String> {
    tags.problems((0.0, 0.0)).iter().map(ToString::to_string).collect()
}

#[test]
fn zones_of_cameras_are_applied() -> Result<()> {
    let noon = TIME - 10 * 3600 - 11 * 60 - 12 + 12 * 3600;
    for (zone, ahead) in
        [("+0200\0", 7200), ("+02\0\0\0", 7200), ("-03:30", -12_600), ("Z\0\0\0\0\0", 0), ("   :  ", 0)]
    {
        let tags = changed("e17_dto_subsec_tz.jpg", "+02:00", zone)?;
        assert_eq!(tags.time.map(i64::from), Some(i64::from(noon) - ahead), "{zone}");
        assert!(words(&tags).is_empty(), "{zone}: {:?}", words(&tags));
        assert_eq!(tags.is_zoneless, zone.trim() == ":", "{zone}");
    }
    let odd = changed("e17_dto_subsec_tz.jpg", "+02:00", "MESZ\0\0")?;
    assert_eq!(odd.time, Some(noon));
    assert!(words(&odd)[0].starts_with("OffsetTimeOriginal is \"MESZ\""), "{:?}", words(&odd));
    Ok(())
}

/// Some cameras write the zone of their last change alone, which is that of the image where they changed nothing else.
#[test]
fn the_zone_of_a_change_is_the_images_where_it_was_then() {
    /// A TIFF with a time of change and, in its Exif directory, the image's own and the zone of the change.
    fn with(changed: &str, zone: &str) -> Vec<u8> {
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let exif = 8 + 2 + 2 * 12 + 4;
        let texts = exif + 2 + 2 * 12 + 4;
        let first = [entry(0x0132, 2, 20, texts), entry(0x8769, 4, 1, exif)].concat();
        let second = [entry(0x9003, 2, 20, texts + 20), entry(0x9010, 2, 7, texts + 40)].concat();
        let head =
            [b"II*\0".as_slice(), &8u32.to_le_bytes(), &[2, 0], &first, &[0; 4], &[2, 0], &second, &[0; 4]].concat();
        [head, format!("{changed}\x002024:05:06 12:00:00\0{zone}\0").into_bytes()].concat()
    }
    let noon = TIME - 10 * 3600 - 11 * 60 - 12 + 12 * 3600;
    for (changed, zone, ahead, said) in [
        ("2024:05:06 12:00:00", "+02:00", Some(7200), None),
        ("2024:05:07 09:00:00", "+02:00", None, Some("OffsetTime is the zone of a later change")),
        ("2024:05:06 12:00:00", "   :  ", None, None),
        ("2024:05:06 12:00:00", "MESZ  ", None, Some("OffsetTime is \"MESZ\"")),
    ] {
        let tags = read_at(Cursor::new(with(changed, zone)), NOW);
        assert_eq!(
            (tags.time, tags.is_zoneless),
            (Some(noon - ahead.unwrap_or(0)), ahead.is_none()),
            "{changed} {zone}"
        );
        let words = words(&tags);
        let is_said = said.is_none_or(|said| words.iter().any(|word| word.starts_with(said)));
        assert!(is_said && words.iter().any(|word| word.starts_with("Offset")) == said.is_some(), "{words:?}");
    }
}

#[test]
fn clocks_that_cannot_be_right_are_named() -> Result<()> {
    for (name, tag) in [("e17_dto_subsec_tz.jpg", "DateTimeOriginal"), ("e12_datestamp_dashes.jpg", "GPSDateStamp")] {
        let year = if tag == "GPSDateStamp" { "2024-05-06" } else { "2024:05:06" };
        for other in ["1970", "2000", "2019", "2027", "2098"] {
            let tags = changed(name, year, &year.replace("2024", other))?;
            let words = words(&tags);
            assert_eq!(tags.time, None, "{name} {other}");
            assert!(words.len() == 1 && words[0].starts_with(&format!("{tag} is {other}-05-06")), "{words:?}");
        }
    }
    // A receiver that is not believed gives way to the camera's clock, and is named.
    let (receiver, camera) = (case("e01_normal.jpg")?, case("e17_dto_subsec_tz.jpg")?);
    let xmp = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='r'><rdf:Description exif:DateTimeOriginal='1999-05-06T10:11:12Z' \
               exif:GPSLatitude='48,12.51N' exif:GPSLongitude='16,22.2E'/></rdf:RDF></x:xmpmeta>";
    let tags = read_at(Cursor::new(with_xmp(&camera, xmp)), NOW);
    assert!(tags.time.is_some() && tags.place((0.0, 0.0)).is_some());
    // Before the computer's clock was set, only what is before 2020 is known to be wrong.
    let future = read_at(Cursor::new(&receiver), 100);
    assert_eq!(future.time, Some(TIME));
    assert_eq!(read_at(Cursor::new(&receiver), TIME - 86_401).time, None);
    assert_eq!(read_at(Cursor::new(&receiver), TIME - 86_400).time, Some(TIME));
    Ok(())
}

/// A JPEG with a packet of XMP in front of its other segments.
fn with_xmp(jpeg: &[u8], packet: &str) -> Vec<u8> {
    let body = [b"http://ns.adobe.com/xap/1.0/\0".as_slice(), packet.as_bytes()].concat();
    let length = (body.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &body, &jpeg[2..]].concat()
}

#[test]
fn a_void_status_is_one_for_all_tags() -> Result<()> {
    let healthy = case("e01_normal.jpg")?;
    for (status, is_void) in [("V", true), ("v", true), ("Measurement Void", true), ("A", false), ("", false)] {
        let packet = format!(
            "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='r'><rdf:Description exif:GPSStatus='{status}'/>\
             </rdf:RDF></x:xmpmeta>"
        );
        let tags = read_at(Cursor::new(with_xmp(&healthy, &packet)), NOW);
        assert_eq!(tags.place((0.0, 0.0)).is_none(), is_void, "{status}");
        assert_eq!(tags.refuse_place((0.0, 0.0)), is_void, "{status}");
        let expected: &[&str] = if is_void { &["no fix: XMP's GPSStatus is V"] } else { &[] };
        assert_eq!(words(&tags), expected, "{status}");
    }
    Ok(())
}

#[test]
fn a_file_has_the_tags_of_its_bytes() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/cases/exif");
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let (held, read) = (read(&std::fs::read(&path)?), read_file(&path));
        assert_eq!((held.place((0.0, 0.0)), held.time), (read.place((0.0, 0.0)), read.time), "{}", path.display());
        assert_eq!(words(&held), words(&read), "{}", path.display());
    }
    assert!(words(&read_file(Path::new("/dev/zero"))).is_empty());
    Ok(())
}

fn xmp_place(description: &str) -> Option<(f64, f64)> {
    let packet = format!(
        "<?xpacket begin='\u{feff}'?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='r'>{description}</rdf:RDF>\
         </x:xmpmeta><?xpacket end='w'?>"
    );
    xmp::read(packet.as_bytes(), NOW).place.ok().map(|place| (place.latitude, place.longitude))
}

#[test]
fn xmp_is_read_as_attributes_and_as_elements() {
    let near = |found: Option<(f64, f64)>, right: (f64, f64)| {
        found.is_some_and(|found| (found.0 - right.0).abs() < 1e-9 && (found.1 - right.1).abs() < 1e-9)
    };
    let attributes = |text: &str| xmp_place(&format!("<rdf:Description {text}/>"));
    let exif = |north: &str, east: &str| attributes(&format!("exif:GPSLatitude='{north}' exif:GPSLongitude='{east}'"));
    let here = (48.2085, 16.37);
    assert!(near(exif("48,12.51N", "16,22.2E"), here));
    assert!(near(exif("48,12,30.6N", "16,22,12E"), here));
    assert!(near(exif("48/1,12/1,3060/100N", "16/1,22/1,12/1E"), here));
    assert!(near(exif("48,12.51S", "16,22.2W"), (-48.2085, -16.37)));
    assert!(near(attributes("drone-dji:GpsLatitude='+48.2085' drone-dji:GpsLongtitude='+16.37'"), here));
    assert!(near(attributes("drone-dji:GpsLatitude='-48.2085' drone-dji:GpsLongitude='16.37'"), (-48.2085, 16.37)));
    let elements = "<rdf:Description><exif:GPSLatitude>48,12.51N</exif:GPSLatitude>\
                    <exif:GPSLongitude>16,22.2E</exif:GPSLongitude></rdf:Description>";
    assert!(near(xmp_place(elements), here));
    for odd in [("48,12.51", "16,22.2E"), ("48,61N", "16,22.2E"), ("48.5,12N", "16,22.2E"), ("NaN", "16,22.2E")] {
        assert_eq!(exif(odd.0, odd.1), None, "{odd:?}");
    }
    assert_eq!(attributes("drone-dji:GpsLatitude='+0.0' drone-dji:GpsLongitude='+0.0'"), None);
    assert_eq!(attributes("drone-dji:GpsLatitude='999' drone-dji:GpsLongitude='999'"), None);
    assert_eq!(attributes("exif:GPSStatus='V' exif:GPSLatitude='48,12.51N' exif:GPSLongitude='16,22.2E'"), None);
    let shown = "<rdf:Description><Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li exif:GPSLatitude='48,12.51N' \
                 exif:GPSLongitude='16,22.2E'/></rdf:Bag></Iptc4xmpExt:LocationShown></rdf:Description>";
    assert_eq!(xmp_place(shown), None, "the place that is shown is not the camera's");
}

#[test]
fn nothing_is_read_from_nothing() {
    for bytes in
        [&b""[..], b"II*\0garbage", b"\xff\xd8\xff\xe1\0\x08Exif\0\0", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xffeXIf"]
    {
        let tags = read(bytes);
        assert!(tags.place((0.0, 0.0)).is_none() && tags.time.is_none());
    }
}
