//! From `edge run` over the air to a GeoPackage: everything arrives once, damage is counted, other programs read the result.

#![expect(clippy::print_stderr, reason = "a test says when it is skipped")]

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{ended, program, signal, succeed};
use cssa::bundle::Language;
use cssa::trust::{Confidence, Reason};
use cssa_wire::{
    Caption, CaptionPacket, Checksum, Corner, Down, DownPacket, Footprint, FootprintPacket, Key, Position, Report,
    Verification, push_frame,
};
use ground::archive::{Archive, Undecoded};
use ground::receive::{Authentication, ReceiveError, Receiver, Reception};
use std::path::Path;
use std::process::{Command, Stdio};

fn captions(language: &Language, sequences: std::ops::Range<u32>) -> Result<CaptionPacket> {
    let caption = |sequence| Caption {
        sequence,
        time: 1_763_928_000 + sequence,
        position: Position::new(48.2 + f64::from(sequence) * 1e-3, 16.37),
        confidence: Confidence::from_thousandths(645),
        outside: (sequence == 26).then_some(Reason::Foggy),
        text: format!("a bridge over river number {sequence}"),
        ..Caption::default()
    };
    let captions = sequences.map(caption).collect();
    Ok(CaptionPacket { vehicle: 12, bundle: language.id, decimals: 5, captions })
}

/// 200 m across at 48° north, and 150 m up and down.
fn footprint(number: u32) -> Footprint {
    let corners = [(95, -127), (95, 127), (-95, 127), (-95, -127)].map(|(north, east)| Corner { north, east });
    Footprint { number, accuracy: 12, step: 71, corners }
}

fn packet(language: &Language, sequences: std::ops::Range<u32>) -> Result<Vec<u8>> {
    Ok(captions(language, sequences)?.encode(&language.model, None, Checksum::Crc32)?)
}

fn reception() -> Reception {
    Reception { checksum: Checksum::Crc32, authentication: Authentication::Off, vehicle: 0 }
}

fn receive(stream: &Path, archive: &Path) -> Result<(serde_json::Value, String)> {
    let from = format!("file:{}", stream.display());
    let output = program("ground")?.args(["receive", "--quiet", "--from", &from, "--archive"]).arg(archive).output()?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{told}");
    Ok((serde_json::from_slice(&output.stdout)?, told))
}

#[test]
fn a_damaged_stream_is_kept_searched_and_exported() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let language = Language::read(&fixtures::bundle())?;
    let mut stream = b"garbage before the first packet".to_vec();
    stream.push(0);
    for part in [0..10, 10..20, 25..30, 10..20] {
        push_frame(&mut stream, &packet(&language, part)?);
    }
    // What the images of captions 3, 5 and of 40, which never comes, show of the ground; and of 3 again.
    for numbers in [&[3, 5, 40][..], &[3]] {
        let packet = FootprintPacket {
            vehicle: 12,
            bundle: language.id,
            footprints: numbers.iter().map(|&number| footprint(number)).collect(),
        };
        push_frame(&mut stream, &packet.encode(None, Checksum::Crc32)?);
    }
    let mut damaged = Vec::new();
    push_frame(&mut damaged, &packet(&language, 20..25)?);
    damaged[9] ^= 0x40;
    stream.extend(&damaged);
    let other = Language { id: language.id ^ 1, ..language.clone() };
    push_frame(&mut stream, &packet(&other, 0..2)?);
    // A receiver that is cut off in the middle of a packet, and noise as long as no packet is.
    stream.extend(std::iter::repeat_n(7u8, 50_000));
    stream.push(0);
    push_frame(&mut stream, &packet(&language, 30..31)?);
    std::fs::write(path("pass.bin"), &stream)?;
    let archive = path("captions.gpkg");
    let (count, told) = receive(&path("pass.bin"), &archive)?;
    assert_eq!(
        (&count["captions"], &count["again"], &count["undecoded"]),
        (&26.into(), &10.into(), &1.into()),
        "{count}"
    );
    assert!(count["damaged"].as_u64() >= Some(3), "{count}");
    assert!(told.contains("vehicle 12: 20 to 24 are missing"), "{told}");
    assert!(told.contains(&format!("1 packets wait for bundle {:04x}", other.id)), "{told}");
    assert_eq!((&count["footprints"], &count["footprints_lost"]), (&2.into(), &1.into()), "{count}");
    let (again, _) = receive(&path("pass.bin"), &archive)?;
    assert_eq!((&again["captions"], &again["again"]), (&0.into(), &36.into()), "{again}");
    waiting_packets_are_decoded(folder.path(), &other)?;
    let export = |format: &str, out: &str, words: &[&str]| -> Result<String> {
        let out = path(out);
        let mut edge = program("ground")?;
        edge.args(["export", "--format", format, "--archive"]).arg(&archive).arg("--out").arg(&out).args(words);
        ensure!(edge.output()?.status.success());
        Ok(std::fs::read_to_string(out)?)
    };
    let json: serde_json::Value = serde_json::from_str(&export("geojson", "all.json", &[])?)?;
    assert_eq!(json["features"].as_array().map(Vec::len), Some(26));
    assert_eq!(json["features"][3]["geometry"]["coordinates"], serde_json::json!([16.37, 48.203]));
    let properties = |n: usize| &json["features"][n]["properties"];
    assert_eq!((&properties(3)["vehicle"], &properties(3)["confidence"]), (&12.into(), &0.645.into()));
    assert!(properties(3).get("outside").is_none() && properties(21)["outside"] == "foggy", "{}", properties(21));
    let polygons: serde_json::Value =
        serde_json::from_str(&export("geojson", "polygons.json", &["--layer", "footprints"])?)?;
    let polygon = &polygons["features"][0];
    assert_eq!(
        (polygons["features"].as_array().map(Vec::len), &polygon["geometry"]["type"]),
        (Some(2), &"Polygon".into())
    );
    assert_eq!((&polygon["properties"]["sequence"], &polygon["properties"]["accuracy"]), (&3.into(), &12.0.into()));
    // 127 · 71 · 10⁻⁷ / cos 48.203° = 0.0013529°, 95 · 71 · 10⁻⁷ = 0.0006745°, and the first corner again.
    let ring = polygon["geometry"]["coordinates"][0].as_array().context("a ring")?;
    let corner = |n: usize| (ring[n][0].as_f64().unwrap_or(0.0) - 16.37, ring[n][1].as_f64().unwrap_or(0.0) - 48.203);
    let near = |(east, north): (f64, f64), right: (f64, f64)| (east - right.0).hypot(north - right.1) < 1e-6;
    assert!(near(corner(0), (-0.001_352_9, 0.000_674_5)) && near(corner(2), (0.001_352_9, -0.000_674_5)), "{ring:?}");
    assert!(ring.len() == 5 && ring[0] == ring[4], "{ring:?}");
    assert_eq!(export("csv", "some.csv", &["--words", "number 17"])?.lines().count(), 2);
    by_gdal(&archive)
}

/// A packet that came before its bundle is decoded once the bundle is named.
fn waiting_packets_are_decoded(folder: &Path, other: &Language) -> Result<()> {
    let path = folder.join("early.gpkg");
    let language = Language::read(&fixtures::bundle())?;
    let waiting = Undecoded {
        sender: "uav".into(),
        bundle: language.id,
        checksum: Checksum::Crc32,
        is_authentic: false,
        packet: packet(&language, 3..5)?,
    };
    Archive::open(&path)?.keep_undecoded(&waiting)?;
    let mut late = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception(), None)?;
    assert_eq!((late.count.captions, late.archive().missing_bundles()?.len()), (2, 0));
    assert_eq!(late.take("uav", &packet(other, 3..5)?)?, Err(ReceiveError::Bundle(other.id)));
    assert_eq!(late.archive().missing_bundles()?.len(), 1);
    // What waits was taken when nobody asked for a key.
    let path = folder.join("keyed.gpkg");
    Archive::open(&path)?.keep_undecoded(&waiting)?;
    let keyed = Reception { authentication: Authentication::Required(Key::new([1; 32]).into()), ..reception() };
    let late = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, keyed, None)?;
    assert_eq!((late.count.captions, late.count.refused), (2, 0));
    Ok(())
}

/// GDAL's own tools open the archive.
fn by_gdal(archive: &Path) -> Result<()> {
    let Ok(output) = Command::new("ogrinfo").args(["-ro", "-so"]).arg(archive).arg("captions").output() else {
        eprintln!("skipped: ogrinfo is not here");
        return Ok(());
    };
    let (text, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success(), "{text}{errors}");
    for expected in ["Geometry: Point", "Feature Count: 26", "Extent: (16.37", "caption: String", "time: DateTime"] {
        assert!(text.contains(expected), "{expected} is not in\n{text}{errors}");
    }
    assert!(!errors.contains("Warning") && !errors.contains("ERROR"), "{errors}");
    let output = Command::new("ogrinfo").args(["-ro"]).arg(archive).arg("footprints").output()?;
    let (text, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    for expected in ["Geometry: Polygon", "Feature Count: 2", "accuracy (Real) = 12", "POLYGON ((16.36864"] {
        assert!(text.contains(expected), "{expected} is not in\n{text}{errors}");
    }
    assert!(!errors.contains("Warning") && !errors.contains("ERROR"), "{errors}");
    let sql = "SELECT c.caption FROM footprints f JOIN captions c ON c.fid = f.caption_fid";
    let output = Command::new("ogrinfo").args(["-ro", "-sql", sql]).arg(archive).output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(text.contains("a bridge over river number 5"), "{text}");
    Ok(())
}

#[test]
fn what_is_sent_by_udp_arrives() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let free = fixtures::free_address()?;
    let archive = folder.path().join("captions.gpkg");
    let from = format!("udp:{free}");
    let mut receiving = program("ground")?;
    receiving
        .args(["receive", "--from", &from, "--archive"])
        .arg(&archive)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut receiving = receiving.spawn()?;
    while !archive.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    std::thread::sleep(std::time::Duration::from_millis(300));
    let config = folder.path().join("edge.toml");
    let text = format!(
        "state = {:?}\n[policy]\noutside = \"send\"\n[source]\nkind = \"folder\"\npath = {:?}\nwatch = false\n[link]\nto = \"udp:{free}\"\n",
        folder.path().join("state"),
        fixtures::scenes().join("images"),
    );
    std::fs::write(&config, text)?;
    succeed("edge", [Path::new("run"), Path::new("--config"), &config])?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    signal(&receiving, "-TERM")?;
    let said = ended(&mut receiving)?;
    let count: serde_json::Value = serde_json::from_str(said.lines().last().context("nothing was said")?)?;
    assert_eq!((&count["captions"], &count["damaged"]), (&12.into(), &0.into()), "{said}");
    assert!(said.lines().filter(|line| line.starts_with("127.0.0.1 ")).count() == 12, "{said}");
    Ok(())
}

/// Damaged packets are refused, whatever the damage; and bytes with a right checksum that are no packet never get further than an
/// error.
#[test]
fn ten_million_damaged_packets() -> Result<()> {
    let language = Language::read(&fixtures::bundle())?;
    let whole = [packet(&language, 5..6)?, packet(&language, 7..9)?, packet(&language, 100..110)?];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % below
    };
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let decode =
        |bytes: &[u8]| CaptionPacket::decode(bytes, language.id, &language.model, Verification::Off, Checksum::Crc32);
    let (mut bytes, mut accepted, mut other) = (Vec::new(), 0, 0);
    for n in 0..10_000_000 {
        let original = &whole[n % whole.len()];
        bytes.clone_from(original);
        match random(4) {
            0 => bytes.truncate(random(original.len())),
            1 => bytes.push(random(256) as u8),
            _ => {}
        }
        for _ in 0..=random(4) {
            if !bytes.is_empty() {
                let at = random(bytes.len());
                bytes[at] ^= 1 << random(8);
            }
        }
        if bytes == *original {
            continue;
        }
        accepted += usize::from(decode(&bytes).is_ok());
        if n % 100 == 0 && bytes.len() > 8 {
            let end = bytes.len() - 4;
            let sum = checksum.checksum(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&sum);
            other += usize::from(decode(&bytes).is_ok());
        }
    }
    assert_eq!(accepted, 0, "a damaged packet was taken");
    eprintln!("of 100,000 damaged packets with a right checksum {other} are packets");
    Ok(())
}

/// With a key only what has its code is kept, unless told otherwise; version 2 has none. Reports arrive beside captions.
#[test]
fn a_ground_with_a_key_takes_what_has_its_code() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let language = Language::read(&fixtures::bundle())?;
    succeed("ground", ["key".as_ref(), path("key").as_os_str()])?;
    let key = Key::from_hexadecimal(&std::fs::read_to_string(path("key"))?).context("a key")?;
    let sealed = |sequences, key: Option<&Key>| -> Result<Vec<u8>> {
        Ok(captions(&language, sequences)?.encode(&language.model, key, Checksum::Crc32)?)
    };
    let report = Down::Report(Report::of_run(3, Reason::Dark, 1_763_928_000, 40));
    let report = DownPacket { vehicle: 12, bundle: language.id, body: report }.encode(Some(&key), Checksum::Crc32)?;
    let mut stream = Vec::new();
    let other = Key::new([1; 32]);
    let all = [sealed(0..4, Some(&key))?, sealed(4..5, None)?, sealed(5..6, Some(&other))?, report];
    all.iter().for_each(|packet| push_frame(&mut stream, packet));
    push_frame(&mut stream, &version_2()?);
    std::fs::write(path("pass.bin"), &stream)?;
    let from = format!("file:{}", path("pass.bin").display());
    let receive = |archive: &str, more: &[&str]| -> Result<(serde_json::Value, String)> {
        let mut ground = program("ground")?;
        ground.args(["receive", "--from", &from, "--archive"]).arg(path(archive)).args(more);
        let output = ground.output()?;
        let (said, told) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        ensure!(output.status.success(), "{told}");
        Ok((serde_json::from_str(said.lines().last().context("nothing was said")?)?, said + &told))
    };
    let key = path("key").display().to_string();
    for (archive, more, expected) in [
        ("a.gpkg", &["--key", &key][..], (4, 3)),
        ("b.gpkg", &["--key", &key, "--accept-unauthenticated"], (5, 1)),
        ("c.gpkg", &[], (6, 0)),
    ] {
        let (count, said) = receive(archive, more)?;
        assert_eq!(
            (count["captions"].as_u64(), count["refused"].as_u64()),
            (Some(expected.0), Some(expected.1)),
            "{said}"
        );
        assert!(said.contains("report 3: 40 frames outside since 2025-11-23T20:00:00Z: dark"), "{said}");
        assert_eq!((&count["messages"], Archive::open(&path(archive))?.reports(9)?.len()), (&1.into(), 1));
    }
    Ok(())
}

/// A packet of version 2, of a bundle that is not here.
fn version_2() -> Result<Vec<u8>> {
    let text = std::fs::read_to_string(fixtures::wire().join("packets-version-2.txt"))?;
    let line = text.lines().find(|line| line.starts_with('{')).context("a packet")?;
    let vector: serde_json::Value = serde_json::from_str(line)?;
    let digits = vector["bytes"].as_str().context("bytes")?.as_bytes().chunks_exact(2);
    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
