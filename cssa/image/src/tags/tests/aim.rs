//! How a camera was held: JPEG and TIFF files with the XMP of drones, and damaged ones.

use super::*;
use proptest::prelude::*;

/// As DJI's cameras write it.
const DJI: &str = "drone-dji:AbsoluteAltitude=\"+271.50\" drone-dji:RelativeAltitude=\"+100.10\" drone-dji:GimbalRollDegree=\"+0.00\" \
                   drone-dji:GimbalYawDegree=\"-142.30\" drone-dji:GimbalPitchDegree=\"-89.90\"";
/// As Pix4D's specification has it.
const PIX4D: &str = "xmlns:Camera='http://pix4d.com/camera/1.0/' Camera:Yaw='12.5' Camera:Pitch='1.5' Camera:Roll='-2' \
                     Camera:AboveGroundAltitude='80.25'";

fn packet(attributes: &str) -> String {
    format!(
        "<?xpacket begin='\u{feff}' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' {attributes}/></rdf:RDF>\
         </x:xmpmeta><?xpacket end='w'?>"
    )
}

/// A JPEG with a place, and such attributes in XMP.
fn jpeg(attributes: &str) -> Result<Vec<u8>> {
    Ok(with_xmp(&case("e01_normal.jpg")?, &packet(attributes)))
}

/// A TIFF whose directory has the packet (tag 700), a focal length, and an altitude of 250.5 m.
fn tiff(attributes: &str) -> Vec<u8> {
    let packet = packet(attributes);
    let entry = |tag: u16, kind: u16, count: u32, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let directory =
        |entries: &[Vec<u8>]| [&(entries.len() as u16).to_le_bytes()[..], &entries.concat(), &[0; 4]].concat();
    let (exif, gps) = (8 + 2 + 3 * 12 + 4, 8 + 2 + 3 * 12 + 4 + 2 + 12 + 4);
    let metres = gps + 2 + 2 * 12 + 4;
    let text = metres + 8;
    let first = [entry(700, 1, packet.len() as u32, text), entry(0x8769, 4, 1, exif), entry(0x8825, 4, 1, gps)];
    let second = directory(&[entry(0xA405, 3, 1, 24)]);
    let third = directory(&[entry(5, 1, 1, 0), entry(6, 5, 1, metres)]);
    let rational = [501u32.to_le_bytes(), 2u32.to_le_bytes()].concat();
    [b"II*\0".as_slice(), &8u32.to_le_bytes(), &directory(&first), &second, &third, &rational, packet.as_bytes()]
        .concat()
}

fn aim(bytes: &[u8]) -> Aim {
    read_at(Cursor::new(bytes), NOW).aim
}

fn problem(aim: &Aim) -> String {
    aim.problem.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_drones_jpeg_says_where_it_looked() -> Result<()> {
    let found = aim(&jpeg(DJI)?);
    let attitude = Attitude { yaw: -142.3, pitch: -89.9, roll: 0.0, along: Along::Forward };
    assert_eq!((found.attitude, found.height), (Some(attitude), Some(Height::AboveStart(100.1))));
    assert_eq!(problem(&found), "");
    let parrot =
        "drone-parrot:CameraYawDegree='350' drone-parrot:CameraPitchDegree='-45' drone-parrot:CameraRollDegree='1.5'";
    let attitude = Attitude { yaw: 350.0, pitch: -45.0, roll: 1.5, along: Along::Forward };
    assert_eq!(aim(&jpeg(parrot)?).attitude, Some(attitude));
    assert_eq!(aim(&case("e01_normal.jpg")?).attitude, None);
    Ok(())
}

#[test]
fn a_tiff_says_where_it_looked_how_wide_and_how_high() {
    let found = aim(&tiff(PIX4D));
    let attitude = Attitude { yaw: 12.5, pitch: 1.5, roll: -2.0, along: Along::Down };
    assert_eq!((found.attitude, found.height), (Some(attitude), Some(Height::AboveGround(80.25))));
    assert_eq!((found.film_focal_length, found.altitude), (Some(24.0), Some(250.5)));
    // As elements.
    let elements = "/><rdf:Description xmlns:Camera='http://pix4d.com/camera/1.0/'><Camera:Yaw>12.5</Camera:Yaw>\
                    <Camera:Pitch>1.5</Camera:Pitch><Camera:Roll>-2</Camera:Roll></rdf:Description><rdf:Description";
    assert_eq!(aim(&tiff(elements)).attitude, Some(attitude));
}

/// Of a set that lost one nobody knows what the others were.
#[test]
fn a_part_of_an_attitude_is_none() -> Result<()> {
    for (from, to) in [
        ("drone-dji:GimbalRollDegree=\"+0.00\"", ""),
        ("drone-dji:RelativeAltitude=\"+100.10\"", ""),
        ("drone-dji:AbsoluteAltitude=\"+271.50\"", ""),
        ("GimbalYawDegree", "GimbalYawDegred"),
        ("-142.30", "-142.3o"),
        ("-142.30", "nan"),
        ("-142.30", "1e2"),
        ("-142.30", "-1420.30"),
        ("-142.30", ""),
        ("-89.90", "-189.90"),
        ("-89.90", "-89.90\" drone-dji:GimbalPitchDegree=\"-80.00"),
    ] {
        let found = aim(&jpeg(&DJI.replace(from, to))?);
        assert_eq!(found.attitude, None, "{to}");
        assert!(!problem(&found).is_empty(), "{to}");
    }
    // Said twice, and the same.
    let twice = format!("{DJI}/><rdf:Description {DJI}");
    assert!(aim(&jpeg(&twice)?).attitude.is_some());
    let other = format!("{DJI}/><rdf:Description {}", DJI.replace("-89.90", "-80.00"));
    assert_eq!(aim(&jpeg(&other)?).attitude, None);
    // senseFly's means another thing by the same names.
    let sensefly = PIX4D.replace("pix4d.com/camera", "ns.sensefly.com/Camera");
    assert!(problem(&aim(&jpeg(&sensefly)?)).contains("unknown namespace"));
    Ok(())
}

#[test]
fn hostile_packets_say_nothing() -> Result<()> {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let many = "x:y='1' ".repeat(100_000);
    let entity = "<!DOCTYPE a [<!ENTITY b \"-90\">]>";
    let named = DJI.replace("-89.90", "&b;");
    let doubled = packet(DJI).replace("<x:xmpmeta", &format!("{entity}<x:xmpmeta")).replace("-89.90", "&b;");
    for bytes in
        [deep.as_bytes(), many.as_bytes(), packet(&named).as_bytes(), doubled.as_bytes(), &vec![b'<'; 1 << 20], &[0; 9]]
    {
        assert_eq!(xmp::read(bytes, NOW).aim.attitude, None);
    }
    let nested =
        packet(&format!("/><rdf:Description><a:b><rdf:Description {DJI}/></a:b></rdf:Description><rdf:Description"));
    assert_eq!(xmp::read(nested.as_bytes(), NOW).aim.attitude, None, "of something else in the file");
    // What is shown of a billion laughs takes no memory: entities are never taken in.
    assert!(aim(&jpeg(DJI)?).attitude.is_some());
    Ok(())
}

#[test]
fn a_zoomed_image_has_no_focal_length() {
    let with = |zoom: [u32; 2]| {
        let entry = |tag: u16, kind: u16, count: u32, value: u32| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value.to_le_bytes()].concat()
        };
        let exif = 8 + 2 + 12 + 4;
        let zoomed = exif + 2 + 4 * 12 + 4;
        let size = [entry(0xA002, 4, 1, 4000), entry(0xA003, 3, 1, 3000)].concat();
        let entries = [size, entry(0xA404, 5, 1, zoomed), entry(0xA405, 3, 1, 24)].concat();
        let rational = zoom.map(u32::to_le_bytes).concat();
        [
            b"II*\0".as_slice(),
            &8u32.to_le_bytes(),
            &[1, 0],
            &entry(0x8769, 4, 1, exif),
            &[0; 4],
            &[4, 0],
            &entries,
            &[0; 4],
            &rational,
        ]
        .concat()
    };
    assert_eq!([[1, 1], [0, 1], [100, 100]].map(|zoom| aim(&with(zoom)).film_focal_length), [Some(24.0); 3]);
    assert_eq!([[2, 1], [101, 100]].map(|zoom| aim(&with(zoom)).film_focal_length), [None; 2]);
    assert_eq!(aim(&with([0, 0])).film_focal_length, Some(24.0), "not used");
    assert_eq!(aim(&with([1, 1])).written_size, Some([4000, 3000]));
}

/// By its shape: one that was made smaller is the whole image still.
#[test]
fn an_image_that_was_cut_is_not_what_the_camera_wrote() {
    let aim = Aim { written_size: Some([4000, 3000]), ..Aim::default() };
    for (size, is_whole) in [
        ((4000.0, 3000.0), true),
        ((1024.0, 768.0), true),
        ((161.0, 121.0), true),
        ((161.0, 120.0), true),
        ((3000.0, 3000.0), false),
        ((4000.0, 2250.0), false),
        ((3000.0, 4000.0), false),
        ((1024.0, 760.0), false),
    ] {
        assert_eq!(aim.is_whole(size), is_whole, "{size:?}");
        assert!(Aim::default().is_whole(size), "nothing is said");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases.max(4_000)))]
    /// A file that is cut off, or of which a piece is lost or written over, loses its attitude; a number alone that was written over cannot
    /// be told from another one: pieces here are longer than any.
    #[test]
    fn damage_loses_an_attitude_and_never_turns_it(
        is_tiff in any::<bool>(),
        begin in 0.0..1.0f64,
        length in 10usize..400,
        kind in 0..3,
        byte in any::<u8>(),
    ) {
        let healthy = if is_tiff { tiff(DJI) } else { jpeg(DJI).map_err(|error| TestCaseError::fail(error.to_string()))? };
        let right = aim(&healthy);
        prop_assert!(right.attitude.is_some());
        let mut damaged = healthy.clone();
        let begin = (begin * healthy.len() as f64) as usize;
        let end = (begin + length).min(healthy.len());
        match kind {
            0 => damaged.truncate(begin),
            1 => drop(damaged.drain(begin..end)),
            _ => damaged[begin..end].fill(byte),
        }
        let found = aim(&damaged);
        prop_assert!(found.attitude.is_none() || found.attitude == right.attitude, "{found:?}");
        prop_assert!(found.height.is_none() || found.height == right.height, "{found:?}");
    }
}
