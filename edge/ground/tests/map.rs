//! `ground map` as a browser asks it: how vehicles are, and commands with and without its token.

use anyhow::{Context, Result, ensure};
use cssa_wire::{Down, DownPacket, FaultKind, Housekeeping};
use ground::Message;
use ground::archive::{Archive, Provenance};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A map that ends with the test.
struct Map {
    program: Child,
    place: String,
    token: String,
}

impl Map {
    fn of(archive: &Path) -> Result<Self> {
        Self::started(Command::new(env!("CARGO_BIN_EXE_ground")), archive)
    }

    fn started(mut map: Command, archive: &Path) -> Result<Self> {
        map.args(["map", "--listen", "127.0.0.1:0", "--archive"]).arg(archive);
        let mut program = map.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(program.stdout.take().context("its output")?).read_line(&mut line)?;
        let (place, token) = line.trim().strip_prefix("http://").and_then(|at| at.split_once('/')).context("a URL")?;
        let (place, token) = (place.to_owned(), token.trim_start_matches('#').to_owned());
        Ok(Self { program, place, token })
    }

    /// The status and the body of an answer.
    fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.place)?;
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.place,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer")?;
        Ok((head.split(' ').nth(1).context("a status")?.parse()?, body.to_owned()))
    }

    fn vehicles(&self) -> Result<Value> {
        let (status, body) = self.ask("GET /vehicles", &[], "")?;
        ensure!(status == 200, "{status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}

fn keep(archive: &mut Archive, housekeeping: Housekeeping) -> Result<()> {
    let packet = DownPacket { vehicle: 12, bundle: 7, body: Down::Housekeeping(housekeeping) };
    let message = Message::of(&packet).context("a message")?;
    archive.keep_message("uav", &message, &housekeeping.sequence.to_le_bytes(), Provenance::Anybody)?;
    Ok(())
}

#[test]
fn vehicles_are_served_with_their_curves() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut archive = Archive::open(&path)?;
    for sequence in 0..3 {
        let (waiting, frames) = (10 - sequence, 7 * sequence);
        let fault = FaultKind::ModelDamage.code();
        let of =
            Housekeeping { sequence, uptime: 60 * u32::from(sequence), waiting, frames, ..Housekeeping::default() };
        keep(&mut archive, Housekeeping { period: 60, slot: 1, celsius: 41, free_disk: 32, fault, ..of })?;
    }
    let map = Map::of(&path)?;
    let answer = map.vehicles()?;
    let vehicle = &answer["vehicles"][0];
    assert_eq!((&vehicle["vehicle"], &vehicle["is_late"]), (&12.into(), &false.into()), "{answer}");
    let status = &vehicle["status"];
    assert_eq!((&status["curve"], &status["growth"]["frames"]), (&serde_json::json!([10, 9, 8]), &14.into()));
    assert_eq!(
        (&status["fault"], &status["slot"], &status["free_disk"]),
        (&"model_damage".into(), &"a".into(), &100.into())
    );
    Ok(())
}

#[test]
fn commands_need_the_token_and_come_from_no_other_page() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let archive = Archive::open(&path)?;
    let map = Map::of(&path)?;
    ensure!(map.token.len() == 32, "a token of 128 bits: {}", map.token);
    let pause = r#"{"vehicle": 12, "action": "pause"}"#;
    let (bearer, own) = (format!("Bearer {}", map.token), format!("http://{}", map.place));
    let wrong = format!("Bearer {}", "0".repeat(32));
    for (request, headers, expected) in [
        ("POST /command", &[][..], 403),
        ("POST /command", &[("Authorization", wrong.as_str())], 403),
        ("POST /command", &[("Authorization", "Bearer ")], 403),
        ("POST /command", &[("Authorization", bearer.as_str()), ("Origin", "http://attacker.example")], 403),
        ("POST /command", &[("Authorization", bearer.as_str()), ("Origin", "null")], 403),
        ("GET /command", &[("Authorization", bearer.as_str()), ("Origin", own.as_str())], 405),
    ] {
        let (status, body) = map.ask(request, headers, pause)?;
        ensure!(status == expected, "{request} {headers:?}: {status} {body}");
    }
    assert!(archive.commands(9)?.is_empty());
    let allowed = [("Authorization", bearer.as_str()), ("Origin", own.as_str())];
    for (body, expected, said) in [
        (pause, 200, "1"),
        (r#"{"vehicle": 12, "action": {"threshold": 600}}"#, 200, "2"),
        (r#"{"vehicle": 12, "action": {"threshold": 1001}}"#, 400, "thousandths is 1001, expected 0 to 1000"),
        (r#"{"vehicle": 12, "action": "new-key"}"#, 422, "unknown variant"),
    ] {
        let (status, told) = map.ask("POST /command", &allowed, body)?;
        ensure!(status == expected && told.contains(said), "{body}: {status} {told}");
    }
    let commands = map.vehicles()?["commands"].clone();
    assert_eq!((&commands[1]["command"], &commands[1]["state"]), (&"Pause".into(), &"waiting".into()), "{commands}");
    assert_eq!(commands.as_array().map(Vec::len), Some(2));
    Ok(())
}

/// A map of an archive that cannot be written shows it, and has no token.
#[test]
fn an_archive_that_cannot_be_written_takes_no_commands() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    drop(Archive::open(&path)?);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444))?;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    let mut map = Command::new(env!("CARGO_BIN_EXE_ground"));
    if std::fs::File::options().append(true).open(&path).is_ok() {
        // Root can write everything, and nobody can not.
        map.uid(65_534);
    }
    let map = Map::started(map, &path)?;
    assert_eq!(map.token, "");
    let pause = r#"{"vehicle": 12, "action": "pause"}"#;
    for token in ["Bearer", "Bearer "] {
        assert_eq!(map.ask("POST /command", &[("Authorization", token)], pause)?.0, 403);
    }
    Ok(())
}
