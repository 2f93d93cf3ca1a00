//! One `ground receive` for several vehicles: a port and a key each.

mod vehicle;

use anyhow::{Result, ensure};
use cssa::bundle::Language;
use cssa_wire::{Checksum, Command, Key, Up, push_frame};
use fixtures::free_address;
use ground::archive::{Archive, Origin};
use std::net::UdpSocket;
use std::process::Command as Program;
use vehicle::{Ground, Vehicle, key_file, outcomes};

/// Each vehicle is acknowledged and commanded where it was heard last and under its own key, and is nobody else under that; a port that
/// another program has stops no other.
#[test]
fn several_vehicles_have_a_port_and_a_key_each() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, language) = (folder.path().join("captions.gpkg"), Language::read(&fixtures::bundle())?);
    let taken = UdpSocket::bind("127.0.0.1:0")?;
    let ports = [taken.local_addr()?.port(), free_address()?.port(), free_address()?.port(), free_address()?.port()];
    let mut keys = Vec::new();
    for (owner, byte) in [("12=", 1), ("13=", 2), ("", 3)] {
        keys.extend(["--key".to_owned(), format!("{owner}{}", key_file(folder.path(), byte)?.display())]);
    }
    let archive = path.display().to_string();
    let ground = Ground::receive(&archive, &ports, &keys)?;
    let fleet = [Vehicle::new(12, 1)?, Vehicle::new(13, 2)?, Vehicle::new(14, 3)?];
    std::thread::scope(|scope| {
        let deliver = |(vehicle, port): (&Vehicle, &u16)| -> Result<()> {
            (0..3).try_for_each(|n| vehicle.deliver(&language, 10 * n..10 * n + 5, *port))
        };
        let all: Vec<_> = fleet.iter().zip(&ports[1..]).map(|one| scope.spawn(move || deliver(one))).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a vehicle panicked"))?)
    })?;
    // Another's key, one that nobody has, and that of the others where there is an own one.
    for (number, byte) in [(13, 1), (14, 2), (12, 9), (12, 3)] {
        let false_one = Vehicle::new(number, byte)?;
        false_one.send(&language, 500..501, ports[1])?;
        ensure!(false_one.hear()?.is_none(), "vehicle {number} under key {byte} is answered");
    }
    // Vehicle 13 comes over another's port now.
    fleet[1].deliver(&language, 30..31, ports[3])?;
    for (number, action) in [("12", "pause"), ("13", "resume")] {
        let mut command = Program::new(env!("CARGO_BIN_EXE_ground"));
        let output = command.args(["command", "--archive", &archive, "--vehicle", number, action]).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for (vehicle, port, command) in [(&fleet[0], ports[1], Command::Pause), (&fleet[1], ports[3], Command::Resume)] {
        let (packet, from) = vehicle.obey(&language, port)?;
        assert_eq!((packet.body, from), (Up::Command(command), port));
    }
    assert_eq!(outcomes(&path.as_path().into())?, ["done", "done"]);
    let (counts, log) = ground.end()?;
    assert_eq!(
        (&counts["refused"], &counts["other_key"], &counts["no_key"]),
        (&4.into(), &3.into(), &0.into()),
        "{log}"
    );
    assert_eq!(counts["captions"], 46, "{counts}");
    assert!(log.contains("names vehicle 13, and is under the key of vehicle 12"), "{log}");
    let said = format!("{}: ", ports[0]);
    assert_eq!(log.lines().filter(|line| line.contains(&said)).count(), 1, "once: {log}");
    let archive = Archive::read(&path)?;
    assert_eq!(archive.origins()?, [12, 13, 14].map(Origin::Vehicle));
    for number in [12, 14] {
        assert_eq!(archive.gaps(&Origin::Vehicle(number))?, [(5, 9), (15, 19)]);
    }
    Ok(())
}

/// Files end, and so does the reception when all have.
#[test]
fn several_files_are_received_at_once_to_their_ends() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, language) = (folder.path().join("captions.gpkg"), Language::read(&fixtures::bundle())?);
    let mut ground = Program::new(env!("CARGO_BIN_EXE_ground"));
    ground.args(["receive", "--quiet", "--archive"]).arg(&path).arg("--bundle").arg(fixtures::bundle());
    for number in [12, 13] {
        let (mut stream, file) = (Vec::new(), folder.path().join(format!("{number}.bin")));
        let packet = Vehicle::new(number, 0)?.captions(&language, 0..50);
        push_frame(&mut stream, &packet.encode(&language.model, None, Checksum::Crc32)?);
        std::fs::write(&file, stream)?;
        ground.arg("--from").arg(format!("file:{}", file.display()));
    }
    let output = ground.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout)?["captions"], 100);
    Ok(())
}

/// Where no port works there is nothing to wait for.
#[test]
fn ports_that_all_fail_at_the_start_end_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let taken = UdpSocket::bind("127.0.0.1:0")?;
    let from = format!("udp:{}", taken.local_addr()?);
    let mut ground = Program::new(env!("CARGO_BIN_EXE_ground"));
    ground.args(["receive", "--from", &from, "--from", "serial:/dev/cssa-none:9600", "--archive"]);
    let output = ground.arg(folder.path().join("captions.gpkg")).arg("--bundle").arg(fixtures::bundle()).output()?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(!output.status.success() && said.contains("error: "), "{said}");
    Ok(())
}

/// From the command to the log that says it is over: the new key is in the archive and on the link only as the old one wraps it.
#[test]
fn a_vehicle_gets_a_new_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, language) = (folder.path().join("captions.gpkg"), Language::read(&fixtures::bundle())?);
    let (archive, port) = (path.display().to_string(), free_address()?.port());
    let [old, new] = [key_file(folder.path(), 1)?, key_file(folder.path(), 2)?].map(|path| path.display().to_string());
    let command = |arguments: &[&str]| -> Result<(bool, String)> {
        let mut command = Program::new(env!("CARGO_BIN_EXE_ground"));
        let output = command.args(["command", "--archive", &archive, "--vehicle", "12"]).args(arguments).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    };
    let of = |path: &str| ["--key".to_owned(), format!("12={path}")];
    let ground = Ground::receive(&archive, &[port], &of(&old))?;
    let [vehicle, changed] = [Vehicle::new(12, 1)?, Vehicle::new(12, 2)?];
    vehicle.deliver(&language, 0..3, port)?;
    let (own, others, manifest) = (format!("12={old}"), format!("13={old}"), fixtures::bundle().join("manifest.toml"));
    let next = format!("12={new}");
    for (typed, expected) in [
        (&["new-key", &new][..], "--key"),
        (&["new-key", &new, "--key", &others], "expected one key of vehicle 12"),
        (&["new-key", &new, "--key", &next, "--key", &own], "expected one key of vehicle 12"),
        (&["new-key", &old, "--key", &own], "expected another one"),
        (&["new-key", &manifest.display().to_string(), "--key", &own], "manifest.toml"),
    ] {
        let (is_given, said) = command(typed)?;
        ensure!(!is_given && said.contains(expected), "{typed:?}: {said}");
    }
    let (is_given, said) = command(&["new-key", &new, "--key", &own])?;
    ensure!(is_given && said.starts_with("command 1 for vehicle 12 waits"), "{said}");
    let (packet, _) = vehicle.obey(&language, port)?;
    let Up::Command(Command::NewKeyPart { part: 0, parts: 1, bytes }) = &packet.body else {
        anyhow::bail!("{packet:?}")
    };
    assert_eq!(vehicle.key.unwrap_new(bytes, 12)?, Key::new([2; 32]));
    assert_eq!(outcomes(&path.as_path().into())?, ["done"]);
    let (_, listed) = command(&["--list"])?;
    ensure!(listed.contains(" new-key given ") && listed.trim_end().ends_with(": done"), "{listed}");
    let (_, listed) = command(&["--list", "--json"])?;
    ensure!(listed.contains("NewKeyPart") && !listed.contains("2,2,2"), "{listed}");
    ground.end()?;
    // Both at once, the new one first: the vehicle is heard under the old one, and then under the new one.
    let ground = Ground::receive(&archive, &[port], &[of(&new), of(&old)].concat())?;
    while changed.hear()?.is_none() {
        vehicle.send(&language, 3..4, port)?;
        changed.send(&language, 4..5, port)?;
    }
    changed.deliver(&language, 5..6, port)?;
    let (counts, log) = ground.end()?;
    ensure!(counts["refused"] == 0 && log.contains("vehicle 12 uses the first --key from now on"), "{counts} {log}");
    Ok(())
}
