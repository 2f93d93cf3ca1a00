//! Captions over links that lose, damage and vanish, between the real programs, with kills of both ends.

use anyhow::{Context, Result, ensure};
use cross_crate_tests::{ended, program, signal, succeed};
use cssa_wire::{
    Ask, Checksum, CommandResult, Down, DownPacket, Key, Position, SelectiveAck, Up, UpPacket, Verification, digest,
};
use edge::store::{Caption, ChangeKind, Outcome, RETIRED, Store};
use ground::archive::Archive;
use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Captions that wait at the beginning.
const QUEUED: u32 = 10_000;

fn text(n: u32) -> String {
    format!("a bridge over river number {n} .")
}

/// Captions in the queue of a state folder.
fn queue(state: &Path, count: u32) -> Result<()> {
    let store = Store::open(state, u64::MAX)?;
    for n in 0..count {
        let position = Position::new(48.2 + f64::from(n % 100) * 1e-3, 16.37 + f64::from(n / 100) * 1e-3);
        let priority = u8::from(n % 50 == 0);
        store.settle(
            store.change(ChangeKind::Captioned),
            None,
            &Outcome::Queued(Caption {
                time: 1_763_928_000 + n,
                priority,
                position,
                text: text(n),
                ..Caption::default()
            }),
        )?;
    }
    Ok(())
}

/// A configuration whose source has nothing: the program sends what waits, and ends.
fn configure(folder: &Path, link: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(folder.join("none"))?;
    let (state, none, path) = (folder.join("state"), folder.join("none"), folder.join("edge.toml"));
    let source = format!("[source]\nkind = \"folder\"\npath = {none:?}\nwatch = false\n");
    std::fs::write(&path, format!("state = {state:?}\nqueue = 1000000\n{source}[link]\n{link}"))?;
    Ok(path)
}

fn spawn(name: &str, arguments: &[&str]) -> Result<Child> {
    Ok(program(name)?.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?)
}

fn kill(child: &mut Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[test]
fn ten_thousand_captions_arrive_through_anything() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    queue(&folder.path().join("state"), QUEUED)?;
    succeed("ground", ["key", &path("key")])?;
    let (middle, ground) = (fixtures::free_address()?, fixtures::free_address()?);
    let key = path("key");
    let link = format!("to = \"udp:{middle}\"\nkey = {key:?}\nresend_seconds = 0.4\nbytes_per_second = 40000\n");
    let config = configure(folder.path(), &link)?.display().to_string();
    let (listen, to, from, archive) =
        (middle.to_string(), ground.to_string(), format!("udp:{ground}"), path("captions.gpkg"));
    let air = ["--loss", "0.2", "--bit-errors", "1e-4", "--every-seconds", "4", "--pass-seconds", "3"];
    let mut relay = spawn("link-sim", &[&["--listen", &listen, "--to", &to][..], &air].concat())?;
    let receive = ["receive", "--quiet", "--from", &from, "--archive", &archive, "--key", &key];
    let run = ["run", "--config", &config];
    let (mut ground, mut vehicle) = (spawn("ground", &receive)?, spawn("edge", &run)?);
    let (began, mut kills, mut starts) = (Instant::now(), 0, 0);
    loop {
        ensure!(began.elapsed() < Duration::from_secs(240), "after 240 s captions still wait");
        std::thread::sleep(Duration::from_millis(1700));
        if kills < 8 {
            kills += 1;
            let (killed, name, again) =
                if kills % 2 == 0 { (&mut ground, "ground", &receive[..]) } else { (&mut vehicle, "edge", &run[..]) };
            kill(killed)?;
            *killed = spawn(name, again)?;
        }
        // It ends by itself when nothing waits, or when nothing got through for long.
        if vehicle.try_wait()?.is_some() {
            let status: serde_json::Value =
                serde_json::from_slice(&std::fs::read(folder.path().join("state/status.json"))?)?;
            if status["waiting"] == 0 {
                break;
            }
            starts += 1;
            ensure!(starts < 10, "{status}");
            vehicle = spawn("edge", &run)?;
        }
    }
    signal(&ground, "-TERM")?;
    let count: serde_json::Value = serde_json::from_str(ended(&mut ground)?.lines().last().context("nothing said")?)?;
    signal(&relay, "-TERM")?;
    let relayed: serde_json::Value = serde_json::from_str(&ended(&mut relay)?)?;
    let (down, arrived) =
        (relayed["down"].as_u64().context("down")?, relayed["down_arrived"].as_u64().context("arrived")?);
    assert!(arrived * 100 < down * 85, "the link lost too little: {relayed}");
    assert!(count["damaged"].as_u64() > Some(0), "{count}");
    let found = Archive::open(Path::new(&archive))?.captions(None)?;
    let numbers: BTreeSet<u32> = found.iter().map(|caption| caption.sequence).collect();
    assert_eq!((found.len(), numbers.len()), (QUEUED as usize, QUEUED as usize), "{count} {relayed}");
    for caption in &found {
        assert_eq!(caption.caption, text(caption.sequence));
    }
    assert_eq!(Store::open(&folder.path().join("state"), u64::MAX)?.counters()?[RETIRED], u64::from(QUEUED));
    Ok(())
}

/// Without the key nothing retires: a ground with another one takes nothing, and has nothing to say.
#[test]
fn a_ground_with_another_key_takes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    queue(&folder.path().join("state"), 20)?;
    for name in ["key", "other"] {
        succeed("ground", ["key", &path(name)])?;
    }
    assert!(cross_crate_tests::fail("ground", ["key", &path("key")])?.contains("key"), "a key is not overwritten");
    let ground = fixtures::free_address()?;
    let link = format!("to = \"udp:{ground}\"\nkey = {:?}\nresend_seconds = 0.2\n", path("key"));
    let config = configure(folder.path(), &link)?.display().to_string();
    let (from, archive, other) = (format!("udp:{ground}"), path("captions.gpkg"), path("other"));
    let mut receiving =
        spawn("ground", &["receive", "--quiet", "--from", &from, "--archive", &archive, "--key", &other])?;
    std::thread::sleep(Duration::from_millis(500));
    let status: serde_json::Value = serde_json::from_str(&succeed("edge", ["run", "--config", &config])?)?;
    signal(&receiving, "-TERM")?;
    let count: serde_json::Value =
        serde_json::from_str(ended(&mut receiving)?.lines().last().context("nothing said")?)?;
    assert_eq!(status["waiting"], 20, "{status}");
    assert!(count["refused"].as_u64() > Some(2), "{count}");
    assert_eq!(
        (&count["captions"], &count["answers"], &count["damaged"]),
        (&0.into(), &0.into(), &0.into()),
        "{count}"
    );
    assert!(status["counters"].get(RETIRED).is_none_or(|count| count == 0), "{status}");
    Ok(())
}

/// What the vehicle does not do yet has an answer, under the key and with the vehicle's number; acknowledgements end it.
#[test]
fn a_request_is_answered() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    queue(&folder.path().join("state"), 1)?;
    succeed("ground", ["key", &path("key")])?;
    let key = Key::from_hexadecimal(&std::fs::read_to_string(path("key"))?).context("a key")?;
    let ground = UdpSocket::bind("127.0.0.1:0")?;
    ground.set_read_timeout(Some(Duration::from_secs(20)))?;
    let link = format!(
        "to = \"udp:{}\"\nkey = {:?}\nvehicle = 300\nresend_seconds = 0.5\n",
        ground.local_addr()?,
        path("key")
    );
    let config = configure(folder.path(), &link)?.display().to_string();
    let mut vehicle = spawn("edge", &["run", "--config", &config])?;
    let checksum = Checksum::Crc32;
    let up = |counter, body| UpPacket { vehicle: 300, station: 9, counter, body }.encode(&key, checksum);
    let (mut buffer, mut answers) = ([0; 4096], Vec::new());
    while answers.is_empty() {
        let (length, from) = ground.recv_from(&mut buffer)?;
        let packet = DownPacket::decode(&buffer[..length], Verification::Required(&key), checksum)?;
        assert_eq!(packet.vehicle, 300);
        match packet.body {
            // Each with the same number: only the first is taken.
            Down::Captions(_) => {
                ground.send_to(&up(1, Up::Ask(Ask { ask: 1, caption: 0, pixels: 128, crop: None }))?, from)?;
            }
            Down::Answer(answer) => {
                answers.push((answer.station, answer.counter, answer.result));
                let arrived = SelectiveAck::of([(0, digest(0, 1_763_928_000, &text(0)))]);
                ground.send_to(&up(2, Up::acknowledge(arrived))?, from)?;
            }
            other => anyhow::bail!("{other:?}"),
        }
    }
    assert_eq!(answers, [(9, 1, CommandResult::NotKept)]);
    let status: serde_json::Value = serde_json::from_str(&ended(&mut vehicle)?)?;
    assert_eq!((&status["waiting"], &status["counters"][RETIRED]), (&0.into(), &1.into()), "{status}");
    Ok(())
}

/// Space packets and codeblocks in a file, with damage that only the code can mend.
#[test]
fn codeblocks_mend_what_was_damaged() -> Result<()> {
    for framing in ["ccsds", "ccsds-rs"] {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        queue(&folder.path().join("state"), 200)?;
        let link = format!("to = \"file:{}\"\nframing = \"{framing}\"\napid = 301\n", path("pass.bin"));
        let config = configure(folder.path(), &link)?.display().to_string();
        succeed("edge", ["run", "--config", &config])?;
        let mut bytes = std::fs::read(path("pass.bin"))?;
        // A wrong byte in each 700: one to every second or third packet.
        bytes.iter_mut().skip(50).step_by(700).for_each(|byte| *byte ^= 0x5a);
        std::fs::write(path("pass.bin"), bytes)?;
        let (from, archive) = (format!("file:{}", path("pass.bin")), path("captions.gpkg"));
        let common =
            ["receive", "--quiet", "--framing", framing, "--apid", "301", "--from", &from, "--archive", &archive];
        let count: serde_json::Value = serde_json::from_str(&succeed("ground", common)?)?;
        let captions = count["captions"].as_u64().context("captions")?;
        if framing == "ccsds" {
            assert!((60..180).contains(&captions), "{count}");
            assert!(count["missing"].as_u64() >= Some(2) && count["damaged"].as_u64() >= Some(2), "{count}");
        } else {
            assert_eq!((captions, &count["missing"], &count["damaged"]), (200, &0.into(), &0.into()), "{count}");
        }
    }
    Ok(())
}
