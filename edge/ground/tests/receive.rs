//! `ground receive` as a user runs it: what waits for a bundle, one pass from two files, junk in a log, a vehicle that is silent.

use anyhow::{Context, Result, ensure};
use cssa::bundle::Language;
use cssa::trust::Reason;
use cssa_wire::{
    Answer, Caption, CaptionPacket, Checksum, CommandResult, Down, DownPacket, FAILED, Housekeeping, Key, Report, Up,
    UpPacket, push_frame,
};
use ground::archive::{Archive, Origin, Undecoded};
use ground::keys::Keys;
use ground::receive::{Authentication, ReceiveError, Receiver, Reception};
use ground::uplink::{Station, Uplink};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn captions(language: &Language, vehicle: u16, sequences: std::ops::Range<u32>) -> CaptionPacket {
    let caption = |sequence| Caption {
        sequence,
        time: 1_763_928_000 + sequence,
        text: format!("a bridge over river number {sequence}"),
        ..Caption::default()
    };
    CaptionPacket { vehicle, bundle: language.id, decimals: 5, captions: sequences.map(caption).collect() }
}

/// Runs `ground receive` to the end of a file.
fn run(file: &Path, archive: &Path, more: &[&str]) -> Result<Output> {
    let mut ground = Command::new(env!("CARGO_BIN_EXE_ground"));
    ground.args(["receive", "--quiet", "--from", &format!("file:{}", file.display()), "--archive"]).arg(archive);
    Ok(ground.arg("--bundle").arg(fixtures::bundle()).args(more).output()?)
}

/// As [`run`], where something is taken; the counts, and what it logged.
fn receive(file: &Path, archive: &Path, more: &[&str]) -> Result<(Value, String)> {
    let output = run(file, archive, more)?;
    let told = String::from_utf8(output.stderr)?;
    ensure!(output.status.success(), "{told}");
    Ok((serde_json::from_slice(&output.stdout)?, told))
}

/// Packets that wait are decoded with the checksum that they came with, whatever a later start asks for; what is none of its bundle is
/// named and dropped, and nothing else.
#[test]
fn what_waits_is_decoded_with_its_own_checksum() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let (bundles, language) = (folder.path().join("bundles"), Language::read(&fixtures::bundle())?);
    std::fs::create_dir(&bundles)?;
    let reception = |checksum| Reception { checksum, authentication: Authentication::Off, vehicle: 0 };
    // Another bundle is here, so that these wait.
    let mut early = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception(Checksum::Crc16), None)?;
    let other = Language { id: language.id ^ 1, ..language.clone() };
    for sequences in [0..3, 3..5] {
        let packet = captions(&other, 12, sequences).encode(&other.model, None, Checksum::Crc16)?;
        ensure!(early.take("uav", &packet)?.is_err(), "its bundle is not here");
    }
    let body = Down::Captions(&[0xff; 3]);
    let junk = DownPacket { vehicle: 12, bundle: other.id, body }.encode(None, Checksum::Crc16)?;
    ensure!(early.take("uav", &junk)?.is_err(), "its bundle is not here");
    assert_eq!(early.count.undecoded, 3);
    drop(early);
    // The same packets as if they had named the bundle that is here; a start with the other checksum learns it.
    let archive = rename_bundle(&path, &other, &language)?;
    let late = Receiver::new(vec![fixtures::bundle()], archive, reception(Checksum::Crc32), None)?;
    assert_eq!((late.count.captions, late.count.damaged), (5, 1));
    assert!(late.archive().missing_bundles()?.is_empty());
    Ok(())
}

/// The archive's waiting packets, made anew for another bundle.
fn rename_bundle(path: &Path, from: &Language, to: &Language) -> Result<Archive> {
    let mut archive = Archive::open(path)?;
    let waiting = archive.undecoded(from.id, 99)?;
    archive.forget_undecoded(&waiting.iter().map(|(row, _)| *row).collect::<Vec<_>>())?;
    for (_, mut waiting) in waiting {
        let packet = DownPacket::decode(&waiting.packet, cssa_wire::Verification::Off, waiting.checksum)?;
        let packet = DownPacket { bundle: to.id, ..packet }.encode(None, waiting.checksum)?;
        (waiting.packet, waiting.bundle) = (packet, to.id);
        archive.keep_undecoded(&waiting)?;
    }
    Ok(archive)
}

/// The whole pass: captions with a gap, a report, a status.
fn pass(language: &Language, vehicle: u16) -> Result<Vec<u8>> {
    let mut stream = Vec::new();
    for sequences in [0..10, 15..20] {
        let packet = captions(language, vehicle, sequences).encode(&language.model, None, Checksum::Crc32)?;
        push_frame(&mut stream, &packet);
    }
    let report = Down::Report(Report::of_run(3, Reason::Dark, 1_763_928_000, 40));
    for body in [report, Down::Housekeeping(Housekeeping { sequence: 4, ..Housekeeping::default() })] {
        push_frame(&mut stream, &DownPacket { vehicle, bundle: language.id, body }.encode(None, Checksum::Crc32)?);
    }
    Ok(stream)
}

#[test]
fn one_pass_from_two_files_is_archived_once() -> Result<()> {
    let language = Language::read(&fixtures::bundle())?;
    for (vehicle, more) in [(12, &[][..]), (0, &["--vehicle", "12"])] {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name);
        let (stream, archive) = (pass(&language, vehicle)?, path("captions.gpkg"));
        for name in ["pass.bin", "copy.bin"] {
            std::fs::write(path(name), &stream)?;
        }
        let (first, told) = receive(&path("pass.bin"), &archive, more)?;
        assert_eq!((&first["captions"], &first["messages"]), (&15.into(), &2.into()), "{told}");
        let (second, told) = receive(&path("copy.bin"), &archive, more)?;
        assert_eq!((&second["captions"], &second["again"]), (&0.into(), &15.into()), "{told}");
        assert_eq!(second["messages"], 0, "{told}");
        assert_eq!(told.matches("vehicle 12: 10 to 14 are missing").count(), 1, "{told}");
        let archive = Archive::read(&archive)?;
        assert_eq!(archive.origins()?, [Origin::Vehicle(12)]);
        assert_eq!((archive.captions(None)?.len(), archive.reports(9)?.len(), archive.messages(9)?.len()), (15, 1, 1));
    }
    Ok(())
}

#[test]
fn a_datagram_of_sync_markers_is_a_line_of_the_log() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let markers = folder.path().join("markers.bin");
    std::fs::write(&markers, [0x1a, 0xcf, 0xfc, 0x1d].repeat(15_000))?;
    let output = run(&markers, &folder.path().join("captions.gpkg"), &["--framing", "ccsds-rs"])?;
    let (count, told): (Value, _) = (serde_json::from_slice(&output.stdout)?, String::from_utf8(output.stderr)?);
    assert!(!output.status.success() && told.contains("markers.bin: no packet was taken"), "{told}");
    assert!(told.lines().count() <= 25, "{} lines", told.lines().count());
    assert!(told.contains("codeblocks with more errors than can be corrected"), "{told}");
    assert!(count["damaged"].as_u64() > Some(14_000), "{count}");
    Ok(())
}

/// Anybody can leave thousands of gaps, of bundles that nobody has, and of packets that wait for one and are none of it.
#[test]
fn the_end_of_a_reception_is_few_lines() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let language = Language::read(&fixtures::bundle())?;
    let mut stream = Vec::new();
    for n in 0..200 {
        let packet = captions(&language, 12, 3 * n..3 * n + 1).encode(&language.model, None, Checksum::Crc32)?;
        push_frame(&mut stream, &packet);
        let (bundle, vehicle) = (language.id.wrapping_add(1 + n as u16), 12);
        let junk = DownPacket { vehicle, bundle, body: Down::Captions(&[0xff; 3]) }.encode(None, Checksum::Crc32)?;
        push_frame(&mut stream, &junk);
    }
    std::fs::write(path("pass.bin"), stream)?;
    let began = Instant::now();
    let (count, told) = receive(&path("pass.bin"), &path("captions.gpkg"), &[])?;
    assert_eq!((&count["captions"], &count["undecoded"]), (&200.into(), &200.into()), "{told}");
    assert!(told.contains("179 more ranges are missing") && told.contains("180 more bundles are waited for"), "{told}");
    // Twenty more in each ten seconds, which a slow disk takes.
    let most = 70 + 20 * (began.elapsed().as_secs() as usize / 10);
    assert!(told.lines().count() < most, "{} lines", told.lines().count());
    // The bundle comes, and none of what waited is of it.
    let mut archive = Archive::open(&path("captions.gpkg"))?;
    for n in 0..100u16 {
        let body = Down::Captions(&[0xff; 3]);
        let packet = DownPacket { vehicle: n, bundle: language.id, body }.encode(None, Checksum::Crc32)?;
        let (sender, checksum) = ("junk".to_owned(), Checksum::Crc32);
        archive.keep_undecoded(&Undecoded { sender, bundle: language.id, checksum, is_authentic: false, packet })?;
    }
    drop(archive);
    std::fs::write(path("none.bin"), [])?;
    let (count, told) = receive(&path("none.bin"), &path("captions.gpkg"), &[])?;
    assert_eq!(count["damaged"], 100, "{told}");
    assert!(told.contains("99 more packets that waited for bundle") && told.lines().count() < 50, "{told}");
    Ok(())
}

/// What a vehicle says of a command.
fn answer(asked: &UpPacket, result: CommandResult, value: &[u8], key: Option<&Key>) -> Result<Vec<u8>> {
    let body = Down::Answer(Answer { station: asked.station, counter: asked.counter, result, value });
    Ok(DownPacket { vehicle: asked.vehicle, bundle: 7, body }.encode(key, Checksum::Crc32)?)
}

/// The command goes out again, the same one, while the vehicle is silent; its answer ends that, is shown and archived.
#[test]
fn a_self_test_is_asked_for_until_it_is_answered() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (language, key) = (Language::read(&fixtures::bundle())?, Key::new([5; 32]));
    std::fs::write(path("key"), format!("{}\n", "05".repeat(32)))?;
    let to = fixtures::free_address()?;
    let mut ground = Command::new(env!("CARGO_BIN_EXE_ground"))
        .args(["receive", "--from", &format!("udp:{to}"), "--accept-unauthenticated", "--archive"])
        .arg(path("captions.gpkg"))
        .arg("--key")
        .arg(path("key"))
        .arg("--bundle")
        .arg(fixtures::bundle())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let vehicle = UdpSocket::bind("127.0.0.1:0")?;
    vehicle.set_read_timeout(Some(Duration::from_secs(20)))?;
    while !path("captions.gpkg").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    let command = |arguments: &[&str]| -> Result<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ground"));
        let output = command.args(["command", "--archive"]).arg(path("captions.gpkg")).args(arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    command(&["--vehicle", "12", "self-test"])?;
    vehicle.send_to(&captions(&language, 12, 0..1).encode(&language.model, Some(&key), Checksum::Crc32)?, to)?;
    let (mut buffer, mut commands) = ([0; 256], Vec::new());
    while commands.len() < 2 {
        let (length, _) = vehicle.recv_from(&mut buffer)?;
        let packet = UpPacket::decode(&buffer[..length], 12, &key, Checksum::Crc32)?;
        if packet.body == Up::Command(cssa_wire::Command::SelfTest) {
            commands.push((packet.station, packet.counter));
            // Anybody's, which ends nothing.
            vehicle.send_to(&answer(&packet, CommandResult::Done, b"", None)?, to)?;
        }
    }
    assert_eq!(commands[0], commands[1], "the same command");
    let (station, counter) = commands[0];
    let asked = UpPacket { vehicle: 12, station, counter, body: Up::Command(cssa_wire::Command::SelfTest) };
    vehicle.send_to(&answer(&asked, CommandResult::Refused(FAILED), b"other words", Some(&key))?, to)?;
    let lines = BufReader::new(ground.stdout.take().context("its output")?).lines();
    let shown = lines.map_while(Result::ok).find(|line| line.contains("answer to number") && !line.ends_with("done"));
    assert!(shown.as_ref().is_some_and(|line| line.ends_with("tried, and it failed: other words")), "{shown:?}");
    vehicle.set_read_timeout(Some(Duration::from_secs(7)))?;
    assert!(vehicle.recv_from(&mut buffer).is_err(), "it is not asked for again");
    ground.kill()?;
    ground.wait()?;
    let kept = Archive::read(&path("captions.gpkg"))?.messages(9)?;
    assert_eq!((kept.len(), kept[0].kind.as_str(), kept[0].vehicle), (2, "answer", 12));
    assert!(kept[0].content.contains("other words"), "{}", kept[0].content);
    let listed = command(&["--list"])?;
    assert!(
        listed.starts_with("1 vehicle 12 self-test given ") && listed.ends_with(": refused: other words\n"),
        "{listed}"
    );
    Ok(())
}

/// While a vehicle's key is being changed its packets are taken under either key, and answered under the one that they have; under a third
/// one they are not, and what is answered under one key is nothing under the other.
#[test]
fn packets_of_either_key_are_taken_and_no_others() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let language = Language::read(&fixtures::bundle())?;
    let [new, old, third] = [7, 8, 9].map(|byte| Key::new([byte; 32]));
    let (checksum, keys) = (Checksum::Crc32, Keys::of([new.clone(), old.clone()]).context("two keys")?);
    let reception = Reception { checksum, authentication: Authentication::Required(keys.clone()), vehicle: 0 };
    let uplink = Uplink::new(Station { number: 1, keys, checksum });
    let archive = Archive::open(&folder.path().join("captions.gpkg"))?;
    let mut receiver = Receiver::new(vec![fixtures::bundle()], archive, reception, Some(uplink))?;
    let packet = captions(&language, 12, 0..2);
    let mut numbers = Vec::new();
    for (key, answers) in [(&old, vec![&old, &new]), (&new, vec![&new]), (&old, vec![&old, &new])] {
        let bytes = packet.encode(&language.model, Some(key), checksum)?;
        let taken = receiver.take("uav", &bytes)?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        let sent = receiver.answers("uav", &taken)?;
        assert_eq!(sent.len(), answers.len());
        for (bytes, key) in sent.iter().zip(answers) {
            numbers.push(UpPacket::decode(bytes, 12, key, checksum)?.counter);
            let other = if *key == new { &old } else { &new };
            assert!(UpPacket::decode(bytes, 12, other, checksum).is_err());
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert_eq!((receiver.count.captions, receiver.count.again), (2, 4));
    for key in [Some(&third), None] {
        let refused = receiver.take("uav", &packet.encode(&language.model, key, checksum)?)?;
        assert!(matches!(refused, Err(ReceiveError::Packet(_))), "{refused:?}");
    }
    assert_eq!(receiver.count.refused, 2);
    Ok(())
}

/// An archive that 42b033e wrote (`edge/tests/upgrade`): it is read as it is, and goes on with every row.
#[test]
fn the_archive_of_an_earlier_program_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, table) = (folder.path().join("captions.gpkg"), folder.path().join("captions.csv"));
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade/captions.gpkg");
    std::fs::copy(&written, &path)?;
    let output = Command::new(env!("CARGO_BIN_EXE_ground"))
        .args(["export", "--format", "csv", "--archive"])
        .arg(&path)
        .arg("--out")
        .arg(&table)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(std::fs::read(&path)? == std::fs::read(&written)?, "reading has written");
    let expected = [
        (0, 0, "many boats are docked at the harbor"),
        (1, 0, "two airplanes are parked on the apron"),
        (2, 1, "six buildings and green trees can be seen in the picture"),
    ];
    let told = std::fs::read_to_string(&table)?;
    for (number, priority, words) in expected {
        let line = format!(
            "127.0.0.1,0,{number},2026-11-28T21:28:36.000Z,{words},,,{priority},ccb4,,,2026-11-28T21:28:36.000Z,"
        );
        assert!(told.lines().any(|told| told == line), "{told}\nexpected {line}");
    }
    for again in 1..3 {
        let mut archive = Archive::open(&path)?;
        let found = archive.captions(None)?;
        let said = |n: usize| (found[n].sequence, found[n].priority, found[n].caption.as_str());
        assert_eq!((0..found.len()).map(said).collect::<Vec<_>>(), expected);
        assert_eq!(archive.captions(Some("boats harbor"))?.len(), 1, "the words are found");
        // What it waited for has not come.
        let waiting = archive.undecoded(0xccb5, 9)?;
        assert_eq!((waiting.len(), waiting[0].1.packet.len(), waiting[0].1.checksum), (1, 18, Checksum::Crc32));
        // A caption that comes once more is known, from the vehicle as it was.
        let caption = Caption { sequence: 0, time: 1_795_901_316, text: expected[0].2.into(), ..Caption::default() };
        let packet = CaptionPacket { vehicle: 0, bundle: 0xccb4, decimals: 5, captions: vec![caption] };
        assert_eq!(archive.keep("127.0.0.1", &packet)?.again, 1);
        assert_eq!(archive.times_received("127.0.0.1", 0)?, 1 + again);
    }
    Ok(())
}

/// Whoever reads a recording in a script learns from the exit code that nothing was in it.
#[test]
fn a_recording_of_which_nothing_is_taken_is_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (file, archive) = (folder.path().join("pass.bin"), folder.path().join("captions.gpkg"));
    for content in [&b""[..], b"no packet at all"] {
        std::fs::write(&file, content)?;
        let said = receive(&file, &archive, &[]).expect_err("nothing came").to_string();
        assert!(said.contains("pass.bin: no packet was taken, expected what link.to"), "{said}");
    }
    let said = receive(&file, &archive, &["--vehicle", "0"]).expect_err("0 is no number").to_string();
    assert!(said.contains("0 is not in 1..=65535"), "{said}");
    Ok(())
}
