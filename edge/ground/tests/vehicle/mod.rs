//! Vehicles that send to `ground receive` over UDP until they are acknowledged, and `ground receive` itself.

use anyhow::{Context, Result, ensure};
use cssa::bundle::Language;
use cssa_wire::{
    Answer, Caption, CaptionPacket, Checksum, CommandResult, Down, DownPacket, Key, Position, Up, UpPacket,
};
use ground::Place;
use ground::archive::Archive;
use serde_json::Value;
use std::io::Read;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CHECKSUM: Checksum = Checksum::Crc32;
/// So long something is waited for that comes at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A vehicle with its key.
pub(crate) struct Vehicle {
    pub(crate) number: u16,
    pub(crate) key: Key,
    socket: UdpSocket,
}

impl Vehicle {
    pub(crate) fn new(number: u16, byte: u8) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(300)))?;
        Ok(Self { number, key: Key::new([byte; 32]), socket })
    }

    pub(crate) fn captions(&self, language: &Language, sequences: std::ops::Range<u32>) -> CaptionPacket {
        let caption = |sequence| Caption {
            sequence,
            time: 1_763_928_000 + sequence,
            position: Position::new(48.0 + f64::from(self.number) / 100.0, 16.0 + f64::from(sequence) / 1000.0),
            text: format!("a bridge over river number {sequence}"),
            ..Caption::default()
        };
        let captions = sequences.map(caption).collect();
        CaptionPacket { vehicle: self.number, bundle: language.id, decimals: 5, captions }
    }

    /// Sends captions to a port.
    pub(crate) fn send(&self, language: &Language, sequences: std::ops::Range<u32>, port: u16) -> Result<()> {
        let packet = self.captions(language, sequences).encode(&language.model, Some(&self.key), CHECKSUM)?;
        self.socket.send_to(&packet, ("127.0.0.1", port))?;
        Ok(())
    }

    /// What comes up, if anything does, and from which port; it is under this vehicle's key.
    pub(crate) fn hear(&self) -> Result<Option<(UpPacket, u16)>> {
        let mut buffer = [0; 256];
        match self.socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                Ok(Some((UpPacket::decode(&buffer[..length], self.number, &self.key, CHECKSUM)?, from.port())))
            }
            Err(_) => Ok(None),
        }
    }

    /// Sends captions to a port again and again until they are acknowledged, from there.
    pub(crate) fn deliver(&self, language: &Language, sequences: std::ops::Range<u32>, port: u16) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.send(language, sequences.clone(), port)?;
            while let Some((packet, from)) = self.hear()? {
                let Up::Acknowledge(arrived) = &packet.body else { continue };
                let mut numbers = arrived.iter().flat_map(cssa_wire::SelectiveAck::numbers);
                if from == port && numbers.any(|number| number == sequences.start) {
                    return Ok(());
                }
            }
        }
        anyhow::bail!("vehicle {}: {sequences:?} is not acknowledged", self.number)
    }

    /// The next command, answered, and the port that it came from. Captions say meanwhile that the vehicle is there.
    pub(crate) fn obey(&self, language: &Language, port: u16) -> Result<(UpPacket, u16)> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            self.send(language, 0..1, port)?;
            while let Some((packet, from)) = self.hear()? {
                if matches!(packet.body, Up::Command(_)) {
                    let UpPacket { station, counter, .. } = packet;
                    let answer = Answer { station, counter, result: CommandResult::Done, value: &[] };
                    let answer = DownPacket { vehicle: self.number, bundle: 7, body: Down::Answer(answer) };
                    self.socket.send_to(&answer.encode(Some(&self.key), CHECKSUM)?, ("127.0.0.1", from))?;
                    return Ok((packet, from));
                }
            }
        }
        anyhow::bail!("vehicle {}: no command comes", self.number)
    }
}

/// Waits until all commands of an archive have an outcome; gives the states, the newest first.
pub(crate) fn outcomes(archive: &Place) -> Result<Vec<String>> {
    let began = Instant::now();
    loop {
        let commands = Archive::read_at(archive)?.commands(99)?;
        let states: Vec<String> = commands.into_iter().map(|command| command.state).collect();
        if began.elapsed() > PATIENCE || !states.iter().any(|state| ["waiting", "sent"].contains(&state.as_str())) {
            return Ok(states);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A file with a vehicle's key.
pub(crate) fn key_file(folder: &Path, byte: u8) -> Result<PathBuf> {
    let path = folder.join(format!("{byte}.key"));
    std::fs::write(&path, format!("{byte:02x}").repeat(32))?;
    Ok(path)
}

/// A `ground receive` that runs.
pub(crate) struct Ground(Child);

impl Ground {
    pub(crate) fn receive(archive: &str, ports: &[u16], more: &[String]) -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ground"));
        command.args(["receive", "--quiet", "--archive", archive, "--bundle"]).arg(fixtures::bundle()).args(more);
        for port in ports {
            command.args(["--from", &format!("udp:127.0.0.1:{port}")]);
        }
        Ok(Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?))
    }

    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        ensure!(Command::new("kill").arg(name).arg(self.0.id().to_string()).status()?.success());
        Ok(())
    }

    /// Ends it; its counts, and what it logged.
    pub(crate) fn end(mut self) -> Result<(Value, String)> {
        self.signal("-TERM")?;
        let (mut counts, mut log) = (String::new(), String::new());
        self.0.stdout.take().context("its output")?.read_to_string(&mut counts)?;
        self.0.stderr.take().context("its log")?.read_to_string(&mut log)?;
        ensure!(self.0.wait()?.success(), "{log}");
        Ok((serde_json::from_str(&counts)?, log))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
