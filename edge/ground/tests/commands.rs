//! Commands from `ground command` to a vehicle and back: each under one number, whatever is lost and whoever is killed.

use anyhow::{Context, Result, ensure};
use cssa::trust::Reason;
use cssa_wire::{
    Answer, Checksum, Command, CommandResult, Down, DownPacket, FAILED, Housekeeping, Key, Report, UNSUPPORTED, Up,
    UpPacket, WINDOW, WatchWord, Window,
};
use ground::archive::{Archive, ArchivedCommand, Provenance};
use ground::receive::{Authentication, Receiver, Reception};
use ground::uplink::{Due, Station, Uplink};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const CHECKSUM: Checksum = Checksum::Crc32;

fn key() -> Key {
    Key::new([5; 32])
}

fn receiver(archive: &Path, number: u8) -> Result<Receiver> {
    let reception =
        Reception { checksum: CHECKSUM, authentication: Authentication::Required(key().into()), vehicle: 0 };
    let uplink = Uplink::new(Station { number, keys: key().into(), checksum: CHECKSUM });
    Ok(Receiver::new(vec![fixtures::bundle()], Archive::open(archive)?, reception, Some(uplink))?)
}

/// A vehicle that takes each number once, and answers whatever comes again as the first time.
#[derive(Default)]
struct Vehicle {
    number: u16,
    window: Window,
    sequence: u16,
    done: Vec<Command>,
    answers: BTreeMap<u32, (CommandResult, Vec<u8>)>,
}

impl Vehicle {
    fn new(number: u16) -> Self {
        Self { number, ..Self::default() }
    }

    fn down(&self, body: Down<'_>) -> Result<Vec<u8>> {
        Ok(DownPacket { vehicle: self.number, bundle: 7, body }.encode(Some(&key()), CHECKSUM)?)
    }

    fn status(&mut self) -> Result<Vec<u8>> {
        self.sequence += 1;
        self.down(Down::Housekeeping(Housekeeping { sequence: self.sequence, ..Housekeeping::default() }))
    }

    fn take(&mut self, packet: &[u8], result: CommandResult, value: &[u8]) -> Result<Vec<u8>> {
        let UpPacket { station, counter, body, .. } = UpPacket::decode(packet, self.number, &key(), CHECKSUM)?;
        let Up::Command(command) = body else { anyhow::bail!("{body:?} is no command") };
        if self.window.take(counter) {
            self.done.push(command);
            self.answers.insert(counter, (result, value.to_vec()));
        }
        let (result, value) = self.answers.get(&counter).context("an answer")?;
        self.down(Down::Answer(Answer { station, counter, result: *result, value }))
    }
}

fn heard(receiver: &mut Receiver, sender: &str, packet: &[u8]) -> Result<()> {
    heard_at(receiver, sender, packet, 0)
}

/// A packet comes `seconds` from now.
fn heard_at(receiver: &mut Receiver, sender: &str, packet: &[u8], seconds: u64) -> Result<()> {
    let now = Instant::now() + Duration::from_secs(seconds);
    receiver.take_at(sender, packet, now)?.map(drop).map_err(|lost| anyhow::anyhow!("{lost}"))
}

/// The packets that are to go out `seconds` from now.
fn sent(receiver: &mut Receiver, to: &str, seconds: u64) -> Result<Vec<Vec<u8>>> {
    let due = receiver.due(to, Instant::now() + Duration::from_secs(seconds))?;
    due.into_iter()
        .map(|due| match due {
            Due::Send(packet) => Ok(packet),
            Due::GivenUp(unanswered) => Err(unanswered.into()),
        })
        .collect()
}

fn states(archive: &Archive) -> Result<Vec<(String, Option<String>)>> {
    let mut commands = archive.commands(99)?;
    commands.reverse();
    Ok(commands.into_iter().map(|ArchivedCommand { state, reason, .. }| (state, reason)).collect())
}

fn all() -> [Command; 10] {
    let word = |word: &str, priority| WatchWord { word: word.into(), priority };
    [
        Command::SetThreshold { thousandths: 600 },
        Command::SetWatchWords(vec![word("ship", 3), word("oil tank", 1)]),
        Command::SetNovelty { metres: 100, minutes: 30 },
        Command::SetRate { bytes_per_second: 1200 },
        Command::SetBudget { bytes_per_hour: 50_000 },
        Command::Pause,
        Command::Resume,
        Command::SelfTest,
        Command::SwitchSlot { slot: 2 },
        Command::StatusNow,
    ]
}

/// Every second packet is lost, and every third answer: each command is done once, in the order in which they were given.
#[test]
fn commands_are_done_once_and_in_order_and_their_outcomes_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let (mut receiver, mut vehicle) = (receiver(&path, 1)?, Vehicle::new(12));
    let mut archive = Archive::open(&path)?;
    for command in all() {
        archive.give_command(12, &command)?;
    }
    assert_eq!(sent(&mut receiver, "uav", 0)?.len(), 0, "who was not heard is told nothing");
    let (mut packets, mut answers) = (0, 0);
    let mut by_counter = BTreeMap::new();
    for n in 0..60 {
        heard_at(&mut receiver, "uav", &vehicle.status()?, 6 * n)?;
        let going = sent(&mut receiver, "uav", 6 * n)?;
        ensure!(going.len() <= 1, "one at a time");
        assert_eq!(sent(&mut receiver, "uav", 6 * n + 4)?.len(), 0, "its answer may be on its way");
        for packet in going {
            let counter = UpPacket::decode(&packet, 12, &key(), CHECKSUM)?.counter;
            assert_eq!(by_counter.entry(counter).or_insert_with(|| packet.clone()), &packet, "the same bytes");
            packets += 1;
            if packets % 2 == 0 {
                continue;
            }
            let (result, value): (_, &[u8]) = match vehicle.done.len() {
                1 => (CommandResult::Refused(FAILED), b"no caption can have \"oil tank\""),
                2 => (CommandResult::Refused(UNSUPPORTED), b""),
                3 => (CommandResult::NotKept, b""),
                7 => (CommandResult::Done, b"41 words"),
                _ => (CommandResult::Done, b""),
            };
            let answer = vehicle.take(&packet, result, value)?;
            answers += 1;
            if answers % 3 != 0 {
                heard_at(&mut receiver, "uav", &answer, 6 * n)?;
            }
        }
    }
    assert_eq!(vehicle.done, all());
    assert_eq!(by_counter.len(), 10, "one number each");
    let said = |state: &str, reason: Option<&str>| (state.to_owned(), reason.map(str::to_owned));
    let mut expected = vec![said("done", None); 10];
    expected[1] = said("refused", Some("no caption can have \"oil tank\""));
    expected[2] = said("refused", Some("this program does not do that"));
    expected[3] = said("not kept", None);
    expected[7] = said("done", Some("41 words"));
    assert_eq!(states(&archive)?, expected);
    let kept = &archive.commands(1)?[0];
    assert!(kept.station == Some(1) && kept.counter.is_some() && kept.answered.is_some(), "{kept:?}");
    Ok(())
}

/// A kill between sending and answer: the next start sends the same bytes, also where it is another station's.
#[test]
fn a_command_that_went_out_keeps_its_packet_over_a_kill() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut vehicle = Vehicle::new(12);
    let mut packets = Vec::new();
    for (n, station) in [1, 1, 2].into_iter().enumerate() {
        let mut receiver = receiver(&path, station)?;
        if n == 0 {
            Archive::open(&path)?.give_command(12, &Command::Pause)?;
        }
        assert_eq!(sent(&mut receiver, "uav", 0)?.len(), 0, "it has not been heard since the start");
        heard(&mut receiver, "uav", &vehicle.status()?)?;
        packets.extend(sent(&mut receiver, "uav", 0)?);
    }
    assert!(packets.len() == 3 && packets.iter().all(|packet| *packet == packets[0]), "{packets:?}");
    // Its answer names the station that took it, and comes to the other.
    let mut receiver = receiver(&path, 2)?;
    for packet in &packets {
        heard(&mut receiver, "uav", &vehicle.take(packet, CommandResult::Done, b"")?)?;
    }
    assert_eq!(vehicle.done, [Command::Pause]);
    assert_eq!(sent(&mut receiver, "uav", 6)?.len(), 0);
    let kept = &receiver.archive().commands(1)?[0];
    assert_eq!((kept.state.as_str(), kept.station), ("done", Some(1)));
    Ok(())
}

/// A number that is 1,024 behind is not taken any more: what would take the vehicle's window on waits for the command.
#[test]
fn no_acknowledgement_makes_a_command_too_old() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut vehicle = Vehicle::new(12);
    let mut first = receiver(&path, 1)?;
    Archive::open(&path)?.give_command(12, &Command::Pause)?;
    heard(&mut first, "uav", &vehicle.status()?)?;
    let command = sent(&mut first, "uav", 0)?;
    let report = |of: &Vehicle| of.down(Down::Report(Report::of_run(1, Reason::Dark, 1_763_928_000, 40)));
    let acknowledged = |receiver: &mut Receiver, of: &Vehicle| -> Result<Vec<Vec<u8>>> {
        let taken = receiver.take("uav", &report(of)?)?.map_err(|lost| anyhow::anyhow!("{lost}"))?;
        Ok(receiver.answers("uav", &taken)?)
    };
    assert_eq!(acknowledged(&mut first, &vehicle)?.len(), 1, "its number is near");
    // Others are acknowledged meanwhile.
    let other = Vehicle::new(13);
    for _ in 0..WINDOW {
        assert_eq!(acknowledged(&mut first, &other)?.len(), 1);
    }
    assert_eq!(acknowledged(&mut first, &vehicle)?.len(), 0);
    drop(first);
    let mut second = receiver(&path, 1)?;
    heard(&mut second, "uav", &vehicle.status()?)?;
    assert_eq!(acknowledged(&mut second, &vehicle)?.len(), 0);
    assert_eq!(sent(&mut second, "uav", 0)?, command);
    heard(&mut second, "uav", &vehicle.take(&command[0], CommandResult::Done, b"")?)?;
    assert_eq!((acknowledged(&mut second, &vehicle)?.len(), vehicle.done), (1, vec![Command::Pause]));
    Ok(())
}

#[test]
fn a_command_goes_to_its_vehicle_only_while_that_is_in_reach() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut receiver = receiver(&path, 1)?;
    let (mut seven, mut eight) = (Vehicle::new(7), Vehicle::new(8));
    let mut archive = Archive::open(&path)?;
    archive.give_command(7, &Command::Pause)?;
    heard(&mut receiver, "uav", &eight.status()?)?;
    assert_eq!(sent(&mut receiver, "uav", 0)?.len(), 0, "vehicle 8 is not meant");
    // Somebody without the key says that he is vehicle 7.
    let body = Down::Housekeeping(Housekeeping::default());
    let junk = DownPacket { vehicle: 7, bundle: 7, body }.encode(Some(&Key::new([6; 32])), CHECKSUM)?;
    ensure!(receiver.take("uav", &junk)?.is_err(), "its key is wrong");
    assert_eq!(sent(&mut receiver, "uav", 0)?.len(), 0);
    heard(&mut receiver, "relay", &seven.status()?)?;
    assert_eq!(sent(&mut receiver, "uav", 0)?.len(), 0, "the port reaches another");
    assert_eq!(sent(&mut receiver, "relay", 61)?.len(), 0, "a minute after it was heard");
    let packets = sent(&mut receiver, "relay", 59)?;
    ensure!(eight.take(&packets[0], CommandResult::Done, b"").is_err(), "it is vehicle 7's");
    // Of vehicles without a number it stays with the one that it went to, which is known by its address.
    archive.give_command(0, &Command::Resume)?;
    let mut unnumbered = Vehicle::new(0);
    for address in ["first", "second"] {
        heard(&mut receiver, address, &unnumbered.status()?)?;
    }
    assert_eq!(sent(&mut receiver, "first", 0)?.len(), 1);
    assert_eq!(sent(&mut receiver, "second", 0)?.len(), 0);
    assert_eq!(sent(&mut receiver, "first", 6)?.len(), 1);
    Ok(())
}

/// A start knows from the archive who should be heard, and says it once.
#[test]
fn a_vehicle_that_should_have_been_heard_is_named_also_after_a_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let mut first = receiver(&path, 1)?;
    let vehicle = Vehicle::new(12);
    let body = Down::Housekeeping(Housekeeping { period: 60, ..Housekeeping::default() });
    heard(&mut first, "uav", &vehicle.down(body)?)?;
    let line = "vehicle 12: not heard for 3 min, housekeeping was due every 60 s";
    let later = Instant::now() + Duration::from_secs(181);
    assert_eq!((first.missed(later), first.missed(later)), (vec![line.to_owned()], vec![]));
    drop(first);
    let mut second = receiver(&path, 1)?;
    assert_eq!(second.missed(Instant::now() + Duration::from_secs(120)), Vec::<String>::new());
    assert_eq!(second.missed(later), [line]);
    Ok(())
}

/// Runs `ground command`; what it printed, or what it said was wrong.
fn ground(archive: &Path, arguments: &[&str]) -> Result<Result<String, String>> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_ground"));
    let output = command.args(["command", "--archive"]).arg(archive).args(arguments).output()?;
    let (told, wrong) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    Ok(if output.status.success() { Ok(told) } else { Err(wrong) })
}

/// A delta's parts go up in order, and what is urgent does not wait for them; a switch of slots, which may be to their bundle, does.
#[test]
fn a_delta_is_given_in_parts_and_what_is_urgent_goes_first() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (path, file) = (folder.path().join("captions.gpkg"), folder.path().join("a.delta"));
    let mut receiver = receiver(&path, 1)?;
    let earlier = cssa::bundle::contents(&fixtures::bundle())?;
    let unchanged = |_: &str, _: &[u8], _: &[u8]| cssa::bundle::Change::default();
    cssa::bundle::Delta::between(&earlier, &earlier, unchanged).write(&file)?;
    let delta = std::fs::read(&file)?;
    let parts = delta.len().div_ceil(80);
    let delta_of = |file: &Path| ground(&path, &["--vehicle", "12", "delta", &file.display().to_string()]);
    let told = delta_of(&file)?.map_err(anyhow::Error::msg)?;
    ensure!(told.starts_with(&format!("commands 1 to {parts} for vehicle 12 wait")), "{told}");
    ensure!(told.contains("once something is heard of that vehicle"), "{told}");
    let error = delta_of(&fixtures::bundle().join("manifest.toml"))?.err().context("no delta")?;
    ensure!(error.contains("manifest.toml"), "{error}");
    let (mut vehicle, mut archive) = (Vehicle::new(12), Archive::open(&path)?);
    archive.give_command(12, &Command::SwitchSlot { slot: 2 })?;
    for n in 0..parts as u64 + 2 {
        if n == 3 {
            archive.give_command(12, &Command::Pause)?;
        }
        heard_at(&mut receiver, "uav", &vehicle.status()?, 6 * n)?;
        for packet in sent(&mut receiver, "uav", 6 * n)? {
            let answer = vehicle.take(&packet, CommandResult::Done, b"")?;
            heard_at(&mut receiver, "uav", &answer, 6 * n)?;
        }
    }
    assert_eq!((vehicle.done.remove(3), vehicle.done.pop()), (Command::Pause, Some(Command::SwitchSlot { slot: 2 })));
    let bytes = vehicle.done.iter().map(|done| match done {
        Command::DeltaPart(part) => Ok(part.bytes.as_slice()),
        other => Err(anyhow::anyhow!("{other:?}")),
    });
    assert_eq!(bytes.collect::<Result<Vec<_>>>()?.concat(), delta);
    let listed = ground(&path, &["--list"])?.map_err(anyhow::Error::msg)?;
    ensure!(listed.contains(&format!(", part 2 of {parts} given ")) && listed.lines().count() == parts + 2, "{listed}");
    // What has not gone out can be taken back, and nothing else.
    let given = delta_of(&file)?.map_err(anyhow::Error::msg)?;
    ensure!(given.contains(&format!("commands {} to ", parts + 3)), "{given}");
    heard_at(&mut receiver, "uav", &vehicle.status()?, 9000)?;
    assert_eq!(sent(&mut receiver, "uav", 9000)?.len(), 1);
    let withdraw = |of: &str| ground(&path, &["--vehicle", of, "--withdraw", "1-9000"]);
    ensure!(withdraw("13")?.is_err_and(|error| error.contains("no command there waits")), "of another vehicle");
    let told = withdraw("12")?.map_err(anyhow::Error::msg)?;
    assert_eq!(told.trim(), format!("{} commands are withdrawn", parts - 1));
    let all = archive.commands(999)?;
    let count = |state: &str| all.iter().filter(|command| command.state == state).count();
    assert_eq!((count("done"), count("sent"), count("withdrawn")), (parts + 2, 1, parts - 1));
    // What would not all find room is not begun.
    let fill = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3998)
         INSERT INTO commands (vehicle, command, made) SELECT 12, '\"Pause\"', '' FROM n";
    rusqlite::Connection::open(&path)?.execute_batch(fill)?;
    let error = delta_of(&file)?.err().context("no room")?;
    ensure!(error.contains("expected 1 at most that wait"), "{error}");
    Ok(())
}

#[test]
fn every_command_is_given_as_it_is_typed_and_what_is_wrong_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("captions.gpkg");
    let error = ground(&path, &["pause"])?.err().context("an error")?;
    ensure!(error.contains("no such file") && !path.exists(), "{error}");
    let mut archive = Archive::open(&path)?;
    let error = ground(&path, &["pause"])?.err().context("an error")?;
    ensure!(error.contains("name one with --vehicle"), "{error}");
    for typed in [
        &["threshold", "0.6"][..],
        &["watch", "ship=3", "oil tank=1"],
        &["novelty", "100", "30"],
        &["rate", "1200"],
        &["budget", "50000"],
        &["pause"],
        &["resume"],
        &["self-test"],
        &["slot", "b"],
        &["status"],
        &["watch"],
    ] {
        let given = ground(&path, &[&["--vehicle", "12"], typed].concat())?;
        ensure!(given.is_ok(), "{typed:?}: {given:?}");
    }
    let given = archive.commands(99)?.into_iter().map(|given| serde_json::from_value(given.command));
    let mut given = given.collect::<Result<Vec<Command>, _>>()?;
    given.reverse();
    assert_eq!(given, [&all()[..], &[Command::SetWatchWords(Vec::new())]].concat());
    for (typed, said) in [
        (&["threshold", "1.5"][..], "expected a confidence from 0 to 1"),
        (&["threshold", "NaN"], "expected a confidence from 0 to 1"),
        (&["watch", "ship"], "expected WORD=PRIORITY"),
        (&["watch", "ship=4"], "priority is 4, expected 1 to 3"),
        (&["watch", "=1"], "a watch-word in bytes is 0, expected 1 to 64"),
        (&["novelty", "20001", "1"], "metres is 20001, expected 0 to 20000"),
        (&["rate", "100000001"], "rate is 100000001, expected 0 to 100000000"),
        (&["budget", "1000000001"], "budget is 1000000001, expected 0 to 1000000000"),
        (&["slot", "c"], "expected a or b"),
        (&[], "expected --list or what a vehicle is to do"),
    ] {
        let error = ground(&path, &[&["--vehicle", "12"], typed].concat())?.err().context("an error")?;
        ensure!(error.contains(said), "{typed:?}: {error}");
    }
    assert_eq!(archive.commands(99)?.len(), 11, "nothing of what was wrong");
    let listed = ground(&path, &["--list"])?.map_err(anyhow::Error::msg)?;
    ensure!(listed.lines().count() == 11 && listed.contains(r#"watch "ship"=3 "oil tank"=1 given "#), "{listed}");
    let json = ground(&path, &["--list", "--json"])?.map_err(anyhow::Error::msg)?;
    let last: serde_json::Value = serde_json::from_str(json.lines().nth(1).context("a line")?)?;
    assert_eq!(
        (&last["command"], &last["state"], &last["vehicle"]),
        (&"StatusNow".into(), &"waiting".into(), &12.into())
    );
    // The only vehicle of an archive need not be named.
    let body = Down::Housekeeping(Housekeeping::default());
    let status = DownPacket { vehicle: 7, bundle: 7, body };
    archive.keep_message("uav", &ground::Message::of(&status).context("a message")?, b"status", Provenance::Anybody)?;
    ensure!(ground(&path, &["pause"])?.is_ok_and(|told| told.contains("for vehicle 7")), "vehicle 7");
    Ok(())
}
