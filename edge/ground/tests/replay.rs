//! Packets that somebody recorded and sends again, in a vehicle's name and with its code of authentication.

use anyhow::{Context, Result};
use cssa::bundle::Language;
use cssa::trust::Reason;
use cssa_wire::{
    Caption, CaptionPacket, Checksum, Command, Down, DownPacket, Housekeeping, Key, PicturePart, Report, Up, UpPacket,
};
use ground::archive::Archive;
use ground::keys::Keys;
use ground::receive::{Authentication, Receiver, Reception};
use ground::uplink::{Due, Station, Uplink};
use std::time::{Duration, Instant};

const CHECKSUM: Checksum = Checksum::Crc32;

fn status(sequence: u16, key: &Key) -> Result<Vec<u8>> {
    // As many seconds as pass between them here.
    let uptime = 100 + u32::from(sequence);
    let body = Down::Housekeeping(Housekeeping { sequence, period: 60, uptime, ..Housekeeping::default() });
    Ok(DownPacket { vehicle: 12, bundle: 7, body }.encode(Some(key), CHECKSUM)?)
}

fn captions(language: &Language, sequence: u32, key: &Key) -> Result<Vec<u8>> {
    let caption = Caption { sequence, time: 1_763_928_000, text: "a bridge over a river".into(), ..Caption::default() };
    let packet = CaptionPacket { vehicle: 12, bundle: language.id, decimals: 5, captions: vec![caption] };
    Ok(packet.encode(&language.model, Some(key), CHECKSUM)?)
}

/// A dead vehicle stays silent, and what goes up goes to where it was, under the key that it had.
#[test]
fn a_recording_neither_wakes_a_vehicle_nor_leads_its_commands_away() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, language) = (folder.path().join("captions.gpkg"), Language::read(&fixtures::bundle())?);
    let (new, old) = (Key::new([7; 32]), Key::new([8; 32]));
    let keys = Keys::of([new.clone(), old.clone()]).context("keys")?;
    let reception =
        Reception { checksum: CHECKSUM, authentication: Authentication::Required(keys.clone()), vehicle: 0 };
    let uplink = Uplink::new(Station { number: 1, keys, checksum: CHECKSUM });
    let mut receiver = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception, Some(uplink))?;
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let recorded = [status(8, &old)?, captions(&language, 3, &old)?];
    for (n, packet) in recorded.iter().enumerate() {
        receiver.take_at("uav", packet, at(n as u64))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
    }
    receiver.take_at("uav", &status(9, &new)?, at(10))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
    Archive::open(&path)?.give_command(12, &Command::Pause)?;
    // While it is there: commands go to it under its new key.
    let replay = |receiver: &mut Receiver, seconds| -> Result<()> {
        for packet in recorded.iter().chain([&status(5, &old)?]) {
            let taken =
                receiver.take_at("elsewhere", packet, at(seconds))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
            // Perhaps it is the vehicle's, whose acknowledgement was lost; it is answered under its own key.
            for answer in receiver.answers("elsewhere", &taken)? {
                let opened =
                    UpPacket::decode(&answer, 12, &old, CHECKSUM).or(UpPacket::decode(&answer, 12, &new, CHECKSUM));
                assert!(matches!(opened?.body, Up::Acknowledge(_)));
            }
        }
        assert_eq!(receiver.due("elsewhere", at(seconds))?, [], "nothing leads a command away");
        Ok(())
    };
    replay(&mut receiver, 20)?;
    let Some(Due::Send(command)) = receiver.due("uav", at(20))?.into_iter().next() else { anyhow::bail!("no command") };
    assert_eq!(UpPacket::decode(&command, 12, &new, CHECKSUM)?.body, Up::Command(Command::Pause));
    // When it has been silent for long.
    assert_eq!(receiver.missed(at(200)), ["vehicle 12: not heard for 3 min, housekeeping was due every 60 s"]);
    for seconds in [210, 220, 900] {
        replay(&mut receiver, seconds)?;
        assert_eq!(receiver.due("uav", at(seconds))?, [], "it is out of reach");
        assert_eq!(receiver.missed(at(seconds + 400)), Vec::<String>::new(), "said once, since it was not heard again");
    }
    // It is itself again.
    receiver.take_at("uav", &status(10, &new)?, at(1000))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
    assert_eq!(receiver.due("uav", at(1000))?.len(), 1);
    assert_eq!(receiver.missed(at(1400)).len(), 1);
    Ok(())
}

/// What never reached the ground, and was recorded: it makes no contact, and no other place of one; where its vehicle speaks from, parts of a
/// picture keep it in reach.
#[test]
fn what_was_recorded_and_never_heard_makes_no_contact() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, language) = (folder.path().join("captions.gpkg"), Language::read(&fixtures::bundle())?);
    let key = Key::new([7; 32]);
    let authentication = Authentication::Required(key.clone().into());
    let reception = Reception { checksum: CHECKSUM, authentication, vehicle: 0 };
    let uplink = Uplink::new(Station { number: 1, keys: key.clone().into(), checksum: CHECKSUM });
    let mut receiver = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception, Some(uplink))?;
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let down = |body| DownPacket { vehicle: 12, bundle: 7, body }.encode(Some(&key), CHECKSUM);
    let report = |n| down(Down::Report(Report::of_run(n, Reason::Dark, 1_763_928_000, 40 + u32::from(n))));
    let take = |receiver: &mut Receiver, from: &str, packet: &[u8], seconds| -> Result<()> {
        receiver.take_at(from, packet, at(seconds))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        // So long parts of pictures wait to be kept with others.
        std::thread::sleep(Duration::from_millis(320));
        Ok(receiver.due("nobody", at(seconds)).map(drop)?)
    };
    for (packet, seconds) in [(status(8, &key)?, 0), (captions(&language, 5, &key)?, 1), (report(4)?, 2)] {
        take(&mut receiver, "uav", &packet, seconds)?;
    }
    let mut archive = Archive::open(&path)?;
    archive.ask_picture(archive.caption_row(12, 5)?.context("a caption")?, 160, None)?;
    let Some(Due::Send(asked)) = receiver.due("uav", at(3))?.into_iter().next() else { anyhow::bail!("no request") };
    let Up::Ask(asked) = UpPacket::decode(&asked, 12, &key, CHECKSUM)?.body else { anyhow::bail!("no request") };
    let part =
        |part| down(Down::PicturePart(PicturePart { ask: asked.ask, part, parts: 9, crc: None, bytes: &[7; 9] }));
    take(&mut receiver, "uav", &part(0)?, 50)?;
    archive.give_command(12, &Command::Pause)?;
    let commands = |receiver: &mut Receiver, to, seconds| -> Result<usize> {
        let due = receiver.due(to, at(seconds))?.into_iter();
        let bodies = due.map(|due| match due {
            Due::Send(packet) => Ok(UpPacket::decode(&packet, 12, &key, CHECKSUM)?.body),
            Due::GivenUp(unanswered) => Err(unanswered.into()),
        });
        let bodies = bodies.collect::<Result<Vec<Up>>>()?;
        Ok(bodies.iter().filter(|body| matches!(body, Up::Command(_))).count())
    };
    assert_eq!(commands(&mut receiver, "uav", 100)?, 1, "its picture came 50 s ago");
    // From elsewhere, while it is in reach, and when it is not.
    for (n, seconds) in [(0, 105), (1, 300)] {
        let recorded = [captions(&language, 2 + n, &key)?, report(2 + n as u16)?, part(1 + n as u16)?];
        for packet in &recorded {
            take(&mut receiver, "elsewhere", packet, seconds)?;
            assert_eq!(commands(&mut receiver, "elsewhere", seconds)?, 0);
        }
        assert_eq!(receiver.missed(at(seconds + 1)).len(), n as usize, "it is as silent as before");
        assert_eq!(commands(&mut receiver, "uav", seconds + 3)?, 1 - n as usize);
    }
    // What is later than all is the vehicle's.
    for (packet, from, seconds) in [(captions(&language, 6, &key)?, "relay", 400), (report(5)?, "uav", 500)] {
        take(&mut receiver, from, &packet, seconds)?;
        assert_eq!(commands(&mut receiver, from, seconds)?, 1, "{from}");
    }
    Ok(())
}

/// What another receiver of the archive has kept first is news for this one, too; once.
#[test]
fn receivers_of_one_archive_hear_alike() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, key) = (folder.path().join("captions.gpkg"), Key::new([7; 32]));
    let language = Language::read(&fixtures::bundle())?;
    let receiver = |number| -> Result<Receiver> {
        let authentication = Authentication::Required(key.clone().into());
        let uplink = Uplink::new(Station { number, keys: key.clone().into(), checksum: CHECKSUM });
        let reception = Reception { checksum: CHECKSUM, authentication, vehicle: 0 };
        Ok(Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception, Some(uplink))?)
    };
    let (mut first, mut second, start) = (receiver(1)?, receiver(2)?, Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    Archive::open(&path)?.give_command(12, &Command::Pause)?;
    // What came shortly before a start may have come here.
    for receiver in [&mut first, &mut second] {
        receiver.take_at("uav", &status(7, &key)?, at(0))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
    }
    assert_eq!(second.due("uav", at(1))?, []);
    // What has come is told by what came after it: somebody may have recorded it a moment ago.
    for (older, newer, seconds) in
        [(status(8, &key)?, status(9, &key)?, 100), (captions(&language, 1, &key)?, captions(&language, 2, &key)?, 200)]
    {
        for packet in [&older, &newer] {
            first.take_at("uav", packet, at(seconds))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        }
        for (packet, commands) in [(&older, 0), (&newer, 1)] {
            second.take_at("elsewhere", packet, at(seconds))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
            assert_eq!(second.due("elsewhere", at(seconds))?.len(), commands);
        }
    }
    let all = [status(10, &key)?, captions(&language, 3, &key)?, captions(&language, 4, &key)?, status(11, &key)?];
    for (packet, seconds) in all.iter().zip([300, 400, 500, 600]) {
        for receiver in [&mut first, &mut second] {
            receiver.take_at("uav", packet, at(seconds))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        }
        assert_eq!(second.due("uav", at(seconds + 6))?.len(), 1, "the second one has heard it, too");
        assert_eq!(second.missed(at(seconds + 99)), Vec::<String>::new());
    }
    for packet in &all {
        second.take_at("uav", packet, at(730))?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
    }
    assert_eq!(second.missed(at(740)).len(), 1, "the same again is none");
    Ok(())
}

/// A command that has gone out under a key that its vehicle does not use any more goes out under the other one, with its number.
#[test]
fn a_command_follows_its_vehicles_key() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let (new, old) = (Key::new([7; 32]), Key::new([8; 32]));
    let keys = Keys::of([new.clone(), old.clone()]).context("keys")?;
    let reception =
        Reception { checksum: CHECKSUM, authentication: Authentication::Required(keys.clone()), vehicle: 0 };
    let uplink = Uplink::new(Station { number: 1, keys, checksum: CHECKSUM });
    let mut receiver = Receiver::new(vec![fixtures::bundle()], Archive::open(&path)?, reception, Some(uplink))?;
    Archive::open(&path)?.give_command(12, &Command::Pause)?;
    let mut numbers = Vec::new();
    for (n, key) in [(8, &old), (9, &new), (10, &new)] {
        let now = Instant::now() + Duration::from_secs(6 * u64::from(n));
        receiver.take_at("uav", &status(n, key)?, now)?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        let Some(Due::Send(packet)) = receiver.due("uav", now)?.into_iter().next() else { anyhow::bail!("no command") };
        let packet = UpPacket::decode(&packet, 12, key, CHECKSUM)?;
        assert_eq!(packet.body, Up::Command(Command::Pause));
        numbers.push(packet.counter);
    }
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    Ok(())
}
