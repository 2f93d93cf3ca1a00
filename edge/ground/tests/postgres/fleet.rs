//! `ground` with an archive in PostgreSQL: a fleet's, two receivers', one whose server is away for a while.

use crate::cluster::{Cluster, PASSWORD};
use crate::vehicle::{Ground, PATIENCE, Vehicle, key_file, outcomes};
use anyhow::{Context, Result, ensure};
use cssa::bundle::Language;
use cssa_wire::{Command, Up};
use fixtures::free_address;
use ground::Place;
use ground::archive::Archive;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command as Program, Stdio};
use std::time::{Duration, Instant};

fn keys(folder: &Path) -> Result<Vec<String>> {
    let key = |number: u8| Ok(["--key".to_owned(), format!("{number}={}", key_file(folder, number)?.display())]);
    Ok([12, 13, 14].into_iter().map(key).collect::<Result<Vec<_>>>()?.concat())
}

fn fleet() -> Result<Vec<Vehicle>> {
    [12, 13, 14].into_iter().map(|number| Vehicle::new(number.into(), number)).collect()
}

/// Each vehicle delivers at its port, all at once.
fn deliver(fleet: &[Vehicle], language: &Language, ports: &[u16], packets: std::ops::Range<u32>) -> Result<()> {
    let deliver = |(vehicle, port): (&Vehicle, &u16)| -> Result<()> {
        packets.clone().try_for_each(|n| vehicle.deliver(language, 10 * n..10 * n + 5, *port))
    };
    let deliver = &deliver;
    std::thread::scope(|scope| {
        let all: Vec<_> = fleet.iter().zip(ports).map(|one| scope.spawn(move || deliver(one))).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a vehicle panicked"))?)
    })
}

fn succeed(arguments: &[&str]) -> Result<String> {
    let output = Program::new(env!("CARGO_BIN_EXE_ground")).args(arguments).output()?;
    let log = String::from_utf8(output.stderr)?;
    ensure!(output.status.success() && !log.contains(PASSWORD), "{arguments:?}: {log}");
    Ok(String::from_utf8(output.stdout)?)
}

/// What `ground export` writes, without when it came.
fn exported(archive: &str, folder: &Path, more: &[&str]) -> Result<String> {
    let out = folder.join("export.csv");
    let out = out.to_str().context("a path")?;
    succeed(&[&["export", "--archive", archive, "--format", "csv", "--out", out], more].concat())?;
    let mut lines: Vec<String> = Vec::new();
    for line in std::fs::read_to_string(out)?.lines() {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.remove(cells.len() - 2);
        lines.push(cells.join(","));
    }
    lines.sort();
    Ok(lines.join("\n"))
}

/// What the map's page gets.
fn mapped(archive: &str, at: &str) -> Result<serde_json::Value> {
    let mut map = Program::new(env!("CARGO_BIN_EXE_ground"))
        .args(["map", "--listen", "127.0.0.1:0", "--archive", archive])
        .stdout(Stdio::piped())
        .spawn()?;
    let asked = || -> Result<serde_json::Value> {
        let mut line = String::new();
        BufReader::new(map.stdout.take().context("its output")?).read_line(&mut line)?;
        let (place, token) = line.trim().trim_start_matches("http://").split_once('/').context("a URL")?;
        ensure!(token.len() == 33, "it takes commands: {line}");
        let mut stream = TcpStream::connect(place)?;
        write!(stream, "GET {at} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(serde_json::from_str(body)?)
    };
    let mut asked = asked;
    let said = asked();
    Program::new("kill").args(["-TERM", &map.id().to_string()]).status()?;
    let ended = map.wait()?;
    let said = said?;
    ensure!(ended.success(), "ground map failed at its end");
    Ok(said)
}

/// Three vehicles at once, over three ports, with three keys: a GeoPackage and PostGIS have the same.
#[test]
fn a_fleet_is_the_same_in_both_archives() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let (folder, language) = (tempfile::tempdir()?, Language::read(&fixtures::bundle())?);
    cluster.create("fleet")?;
    let archives = [folder.path().join("captions.gpkg").display().to_string(), cluster.url("fleet")];
    let mut all = Vec::new();
    for archive in &archives {
        let ports = [free_address()?.port(), free_address()?.port(), free_address()?.port()];
        let (ground, fleet) = (Ground::receive(archive, &ports, &keys(folder.path())?)?, fleet()?);
        deliver(&fleet, &language, &ports, 0..4)?;
        let given = succeed(&["command", "--archive", archive, "--vehicle", "13", "pause"])?;
        ensure!(given.starts_with("command 1 for vehicle 13 waits"), "{given}");
        let (packet, from) = fleet[1].obey(&language, ports[1])?;
        assert_eq!((packet.body, from), (Up::Command(Command::Pause), ports[1]));
        assert_eq!(outcomes(&Place::from(OsString::from(archive)))?, ["done"]);
        let (counts, log) = ground.end()?;
        assert_eq!((&counts["captions"], &counts["refused"]), (&60.into(), &0.into()), "{log}");
        ensure!(!log.contains(PASSWORD), "{log}");
        assert!(log.contains("vehicle 14: 15 to 19 are missing"), "{log}");
        let listed = succeed(&["command", "--archive", archive, "--list"])?;
        ensure!(listed.contains("vehicle 13 pause") && listed.trim_end().ends_with(": done"), "{listed}");
        let mut captions = mapped(archive, "/captions")?["captions"].take();
        let captions = captions.as_array_mut().context("captions")?;
        // When it came, and in which order.
        captions.iter_mut().for_each(|caption| (caption["received"], caption["row"]) = ("".into(), 0.into()));
        captions.sort_by_key(|caption| (caption["vehicle"].as_u64(), caption["sequence"].as_u64()));
        let vehicles = mapped(archive, "/vehicles")?["vehicles"].as_array().map(Vec::len);
        let words = exported(archive, folder.path(), &["--words", "number 31"])?;
        assert_eq!(words.lines().count(), 4, "{words}");
        all.push((exported(archive, folder.path(), &[])?, words, captions.clone(), vehicles));
    }
    assert_eq!(all[0].0.lines().count(), 61);
    assert_eq!(all[0], all[1]);
    by_gdal(&cluster)
}

/// GDAL opens the layer as it opens that of a GeoPackage.
fn by_gdal(cluster: &Cluster) -> Result<()> {
    let source = cluster.url("fleet").replace("postgres://", "postgresql://");
    let Ok(listed) = Program::new("ogrinfo").args(["-so", &source, "captions"]).output() else { return Ok(()) };
    let listed = String::from_utf8(listed.stdout)? + &String::from_utf8(listed.stderr)?;
    for expected in ["Geometry: Point", "Feature Count: 60", "WGS 84", "time: DateTime"] {
        ensure!(listed.contains(expected), "{expected} is not in {listed}");
    }
    Ok(())
}

/// Two receivers of one station take the same packets at once, and send: each caption is there once, and no number goes up twice.
#[test]
fn two_receivers_share_an_archive() -> Result<()> {
    let Some(cluster) = Cluster::start()? else { return Ok(()) };
    let (folder, language) = (tempfile::tempdir()?, Language::read(&fixtures::bundle())?);
    let (place, archive) = (cluster.create("fleet")?, cluster.url("fleet"));
    let (keys, ports) = (keys(folder.path())?, [free_address()?.port(), free_address()?.port()]);
    // Both make the tables.
    let grounds = [Ground::receive(&archive, &ports[..1], &keys)?, Ground::receive(&archive, &ports[1..], &keys)?];
    let fleet = fleet()?;
    for (vehicle, port) in fleet.iter().zip([ports[0], ports[1], ports[0]]) {
        vehicle.deliver(&language, 0..5, port)?;
    }
    let mut writing = Archive::open_at(&place)?;
    for command in [Command::Pause, Command::Resume, Command::SelfTest] {
        writing.give_command(12, &command)?;
    }
    let (mut counters, mut commands, mut uses) = (BTreeSet::new(), Vec::new(), Vec::new());
    for n in 1..60 {
        for port in ports {
            fleet[0].send(&language, 5 * n..5 * n + 5, port)?;
        }
        while let Some((packet, _)) = fleet[0].hear()? {
            match &packet.body {
                Up::Command(command) => commands.push((packet.counter, command.clone())),
                _ => uses.push(packet.counter),
            }
            if uses.len() as u32 >= 2 * n {
                break;
            }
        }
        if n % 20 == 0 {
            // One of them is answered as late as a slow vehicle does.
            std::thread::sleep(Duration::from_secs(5));
        }
    }
    assert!(uses.len() > 100, "{}", uses.len());
    assert!(uses.iter().all(|counter| counters.insert(*counter)), "a number went up twice: {uses:?}");
    // Of the one command that has no answer the same packet goes out by whichever hears its vehicle: a vehicle does it once.
    assert!(!commands.is_empty() && commands.iter().all(|command| *command == commands[0]), "{commands:?}");
    assert!(!counters.contains(&commands[0].0));
    let mut counts = Vec::new();
    for ground in grounds {
        counts.push(ground.end()?.0);
    }
    let total = |name: &str| counts.iter().filter_map(|count| count[name].as_u64()).sum::<u64>();
    let reading = Archive::read_at(&place)?;
    assert_eq!((total("captions"), total("failures")), (310, 0), "{counts:?}");
    assert_eq!(reading.captions(None)?.len(), 310);
    assert!(total("again") >= 295, "{counts:?}");
    let states: Vec<String> = reading.commands(9)?.into_iter().map(|command| command.state).collect();
    assert_eq!(states, ["waiting", "waiting", "sent"], "one at a time");
    Ok(())
}

/// The server is away for a while: nothing that was acknowledged is lost, nothing is acknowledged that is not there, and it is said once.
#[test]
fn a_server_that_is_away_is_waited_for() -> Result<()> {
    let Some(mut cluster) = Cluster::start()? else { return Ok(()) };
    let (folder, language) = (tempfile::tempdir()?, Language::read(&fixtures::bundle())?);
    let (place, archive): (Place, String) = (cluster.create("fleet")?, cluster.url("fleet"));
    let ports = [free_address()?.port(), free_address()?.port()];
    let ground = Ground::receive(&archive, &ports, &keys(folder.path())?)?;
    let fleet = fleet()?;
    deliver(&fleet[..2], &language, &ports, 0..2)?;
    cluster.stop()?;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        for (vehicle, port) in fleet.iter().zip(ports) {
            vehicle.send(&language, 20..25, port)?;
            ensure!(vehicle.hear()?.is_none(), "what is nowhere kept is acknowledged");
        }
    }
    cluster.run()?;
    let began = Instant::now();
    deliver(&fleet[..2], &language, &ports, 2..4)?;
    ensure!(began.elapsed() < PATIENCE);
    // A second time, while a connection is in use.
    cluster.stop()?;
    cluster.run()?;
    deliver(&fleet[..2], &language, &ports, 4..5)?;
    let (counts, log) = ground.end()?;
    assert!(counts["failures"].as_u64() > Some(1), "{counts}");
    let said = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert!(said("ground: postgres://cssa@127.0.0.1") <= 2 && said("the archive works again") <= 2, "{log}");
    assert!(said("the archive works again") >= 1 && !log.contains(PASSWORD), "{log}");
    let kept = Archive::read_at(&place)?.captions(None)?;
    let kept: Vec<(u16, u32)> = kept.iter().map(|caption| (caption.vehicle, caption.sequence)).collect();
    let of = |vehicle| (0..5).flat_map(move |n| (10 * n..10 * n + 5).map(move |sequence| (vehicle, sequence)));
    let expected: BTreeSet<(u16, u32)> = of(12).chain(of(13)).collect();
    assert_eq!((kept.len(), kept.into_iter().collect::<BTreeSet<_>>()), (50, expected));
    Ok(())
}
