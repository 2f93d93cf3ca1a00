//! Where frames lie on the ground: real files with the tags of a drone, captioned, sent and read again.

use super::{Result, configure, edge, fly, said};
use cssa::bundle::Language;
use cssa_wire::{CaptionPacket, Checksum, Down, DownPacket, FootprintPacket, Verification, frames};
use std::path::{Path, PathBuf};

/// A segment of a JPEG.
fn segment(name: &[u8], body: &[u8]) -> Vec<u8> {
    let length = ((name.len() + body.len() + 2) as u16).to_be_bytes();
    [&[0xFF, 0xE1], &length[..], name, body].concat()
}

/// A rendered scene as a drone at 48.2085° N 16.37° E, 100 m above its start, might have taken it with a lens of 30 mm: of an image of
/// w × w pixels it sees 21.633 / 30 / √2 = 0.5099 half widths for each metre of height to each side.
fn taken(folder: &Path, name: &str, gimbal: &str) -> Result<PathBuf> {
    let scene = std::fs::read(fixtures::scenes().join("images/scene_00001.jpg"))?;
    let entry = |tag: u16, kind: u16, value: u32| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &1u32.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let exif =
        [b"II*\0\x08\0\0\0\x01\0".as_slice(), &entry(0x8769, 4, 26), &[0; 4], &[1, 0], &entry(0xA405, 3, 30), &[0; 4]];
    let packet = format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='r'><rdf:Description drone-dji:GpsLatitude='48.2085' \
         drone-dji:GpsLongitude='16.37' drone-dji:AbsoluteAltitude='+271.00' drone-dji:RelativeAltitude='+100.00' {gimbal}/></rdf:RDF></x:xmpmeta>"
    );
    let exif = segment(b"Exif\0\0", &exif.concat());
    let xmp = segment(b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes());
    let path = folder.join(name);
    std::fs::write(&path, [&scene[..2], &exif, &xmp, &scene[2..]].concat())?;
    Ok(path)
}

const NADIR: &str =
    "drone-dji:GimbalYawDegree='+0.00' drone-dji:GimbalPitchDegree='-90.00' drone-dji:GimbalRollDegree='+0.00'";
const OBLIQUE: &str =
    "drone-dji:GimbalYawDegree='+90.00' drone-dji:GimbalPitchDegree='-45.00' drone-dji:GimbalRollDegree='+0.00'";
const LEVEL: &str =
    "drone-dji:GimbalYawDegree='+90.00' drone-dji:GimbalPitchDegree='-10.00' drone-dji:GimbalRollDegree='+0.00'";
const PARTIAL: &str = "drone-dji:GimbalYawDegree='+90.00' drone-dji:GimbalPitchDegree='-45.00'";

/// Metres to the north and east of the drone.
fn metres(latitude: f64, longitude: f64) -> (f64, f64) {
    ((latitude - 48.2085) * 111_194.3, (longitude - 16.37) * 74_324.1)
}

fn is_near(found: (f64, f64), north: f64, east: f64, metres: f64) -> bool {
    (found.0 - north).hypot(found.1 - east) <= metres
}

/// Corners of the nadir frame: 50.99 m to each side. Of the oblique one: upper corners at 100 tan(45° + 27.02°) = 308.1 m, 229.0 m to
/// each side; lower ones at 32.46 m, 47.75 m to each side.
fn corners_are_right(corners: &[(f64, f64)], is_oblique: bool, metres: f64) -> bool {
    let expected = match is_oblique {
        true => [(147.1, 308.1), (-147.1, 308.1), (-47.75, 32.46), (47.75, 32.46)],
        false => [(50.99, -50.99), (50.99, 50.99), (-50.99, 50.99), (-50.99, -50.99)],
    };
    corners.len() == 4
        && corners.iter().zip(expected).all(|(&found, (north, east))| is_near(found, north, east, metres))
}

#[test]
fn caption_says_where_an_image_lies() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let names = [("a.jpg", NADIR), ("b.jpg", OBLIQUE), ("c.jpg", LEVEL), ("d.jpg", PARTIAL)];
    for (name, gimbal) in names {
        taken(folder.path(), name, gimbal)?;
    }
    let output = edge().args(["caption", "--json"]).arg(folder.path()).output()?;
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout)?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<serde_json::Value>, _>>()?;
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or(f64::NAN);
    for (line, is_oblique) in lines.iter().zip([false, true]) {
        let corners = line["footprint"].as_array().ok_or("no footprint")?;
        let corners: Vec<_> = corners.iter().map(|corner| metres(number(&corner[1]), number(&corner[0]))).collect();
        assert!(corners_are_right(&corners, is_oblique, 3.0), "{corners:?}");
        let centre = metres(number(&line["latitude"]), number(&line["longitude"]));
        assert!(is_near(centre, 0.0, if is_oblique { 100.0 } else { 0.0 }, 0.5), "{centre:?}");
        let accuracy = if is_oblique { 33.7 } else { 11.5 };
        assert!((number(&line["accuracy"]) - accuracy).abs() <= 0.11, "{line}");
    }
    for line in &lines[2..] {
        assert!(line.get("footprint").is_none() && line.get("accuracy").is_none(), "{line}");
        assert!(is_near(metres(number(&line["latitude"]), number(&line["longitude"])), 0.0, 0.0, 0.1), "{line}");
    }
    Ok(())
}

#[test]
fn a_run_sends_where_frames_lie_behind_their_captions() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut paths = Vec::new();
    for (name, gimbal) in [("a.jpg", NADIR), ("b.jpg", OBLIQUE), ("c.jpg", LEVEL), ("d.jpg", PARTIAL)] {
        paths.push(taken(folder.path(), name, gimbal)?.display().to_string());
    }
    let names: Vec<&str> = paths.iter().map(String::as_str).collect();
    let run = |state: &str, more: &str| -> Result<(serde_json::Value, Vec<u8>)> {
        let folder = folder.path().join(state);
        std::fs::create_dir(&folder)?;
        let config = configure(&folder, &names, "", &format!("{more}\n[policy]\noutside = \"send\""))?;
        let (status, _) = fly(&config)?;
        Ok((status, std::fs::read(folder.join("packets.bin"))?))
    };
    let (status, stream) = run("with", "footprints = true\n[camera]")?;
    let count = |name: &str| status["counters"][name].as_u64().unwrap_or(0);
    let counted = ["footprints", "footprints_horizon", "footprints_without_attitude"].map(count);
    assert_eq!((count("queued"), counted), (4, [2, 1, 1]), "{status}");
    let language = Language::read(&fixtures::bundle())?;
    let (mut captions, mut footprints) = (Vec::new(), Vec::new());
    for frame in frames(&stream) {
        let bytes = frame.packet?;
        let packet = DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32)?;
        match packet.body {
            Down::Captions(_) => captions.extend(CaptionPacket::of(&packet, &language.model)?.captions),
            Down::Footprints(_) => {
                let found = FootprintPacket::of(&packet)?.footprints;
                assert!(
                    found.iter().all(|found| captions.iter().any(|caption| caption.sequence == found.number)),
                    "before"
                );
                footprints.extend(found);
            }
            _ => {}
        }
    }
    assert_eq!((captions.len(), footprints.len()), (4, 2));
    for footprint in &footprints {
        let caption = captions.iter().find(|caption| caption.sequence == footprint.number).ok_or("no caption")?;
        let centre = caption.position.ok_or("no place")?;
        let corners = footprint.places(centre).ok_or("no corners")?;
        let corners = corners.map(|corner| metres(corner.degrees().0, corner.degrees().1));
        let is_oblique = footprint.accuracy == 34;
        assert!(corners_are_right(&corners, is_oblique, 3.5), "{corners:?}");
        assert!(is_near(
            metres(centre.degrees().0, centre.degrees().1),
            0.0,
            if is_oblique { 100.0 } else { 0.0 },
            1.5
        ));
    }
    // Without [camera] nothing is as if it were there.
    let (status, stream) = run("without", "")?;
    assert!(!status.to_string().contains("footprints"), "{status}");
    for frame in frames(&stream) {
        let bytes = frame.packet?;
        let packet = DownPacket::decode(&bytes, Verification::Off, Checksum::Crc32)?;
        for caption in CaptionPacket::of(&packet, &language.model)?.captions {
            let (north, east) = caption.position.ok_or("no place")?.degrees();
            assert!(is_near(metres(north, east), 0.0, 0.0, 1.0));
        }
    }
    Ok(())
}
