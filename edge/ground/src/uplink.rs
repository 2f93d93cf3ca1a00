//! What the ground says to a vehicle: what has arrived, and commands.

use super::archive::Archive;
use super::error::{Error, Result};
use super::keys::Keys;
use super::message::Taken;
use cssa_wire::{Checksum, Command, Key, SelectiveAck, Up, UpPacket, digest};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What arrived within this time is acknowledged again, in case an acknowledgement was lost.
const RECENT: Duration = Duration::from_secs(60);
/// Packets of a sender that are acknowledged again at most, and senders that are remembered.
const MAX_PACKETS: usize = 8;
const MAX_SENDERS: usize = 256;
/// Counters that are set aside at once, so that not every acknowledgement has to be written down.
const RESERVE: u32 = 100;

/// A command that has no answer after so long is sent again, so many times in all: longer than a self-test takes.
const AGAIN: Duration = Duration::from_secs(5);
const MAX_TIMES: u32 = 24;

/// Who speaks to vehicles: stations count by themselves, and a vehicle takes each number once.
#[derive(Clone, Debug)]
pub struct Station {
    /// Its number.
    pub number: u8,
    /// The keys that it shares with its vehicles.
    pub keys: Keys,
    /// Checksum of packets.
    pub checksum: Checksum,
}

/// The way up to the vehicles that have one of its keys.
#[derive(Debug)]
pub struct Uplink {
    station: Station,
    /// The next packet's counter, and the first one that is not set aside.
    counter: u32,
    reserved: u32,
    /// What came lately, by sender and vehicle.
    recent: BTreeMap<(String, u16), VecDeque<Arrived>>,
    /// The keys that vehicles used last; one without a number is known by its address.
    used: BTreeMap<(String, u16), Key>,
    /// Commands that have not gone out yet, and those that wait for an answer.
    commands: Vec<Command>,
    waiting: Vec<Commanded>,
}

/// A command on its way.
#[derive(Debug)]
struct Commanded {
    /// Whom the packet that it went with came from.
    to: String,
    vehicle: u16,
    counter: u32,
    packet: Vec<u8>,
    sent: Instant,
    times: u32,
}

/// What is to be done about a command that nobody has answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send it once more: the same packet, so that it is done once.
    Again(Vec<u8>),
    /// It went out often enough.
    GivenUp(Unanswered),
}

/// A command that nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "command {counter} has no answer from vehicle {vehicle}, sent {times} times: it may have another key, or an earlier program"
)]
pub struct Unanswered {
    /// Its number.
    pub counter: u32,
    /// The vehicle; 0: it has no number.
    pub vehicle: u16,
    /// How often it was sent.
    pub times: u32,
}

/// A packet.
#[derive(Debug)]
struct Arrived {
    at: Instant,
    captions: Vec<SelectiveAck>,
}

impl Uplink {
    /// An uplink whose first answer has `commands` beside the acknowledgement; each is for that vehicle, and goes out until it answers.
    #[must_use]
    pub fn new(station: Station, commands: Vec<Command>) -> Self {
        Self {
            station,
            counter: 0,
            reserved: 0,
            recent: BTreeMap::new(),
            used: BTreeMap::new(),
            commands,
            waiting: Vec::new(),
        }
    }

    /// A packet with a right code of authentication came: what goes up to its vehicle is under the same key.
    pub(super) fn heard(&mut self, sender: &str, vehicle: u16, key: &Key) {
        let whose = whose(sender, vehicle);
        if self.used.get(&whose) == Some(key) {
            return;
        }
        if self.used.len() >= MAX_SENDERS {
            self.used.clear();
        }
        if self.used.insert(whose, key.clone()).is_some() {
            let which = if key == self.station.keys.first() { "the first" } else { "an earlier" };
            tracing::info!("{sender}: vehicle {vehicle} uses {which} --key from now on");
        }
    }

    /// What to send to the sender of a packet that has been kept: one acknowledgement, of this packet and then of those before it. A report
    /// has no captions, and its acknowledgement says that somebody listens. To a vehicle that uses an earlier key goes an empty one under
    /// the first key, too: if it has that, it changes to it.
    pub(super) fn answers(&mut self, sender: &str, taken: &Taken, archive: &mut Archive) -> Result<Vec<Vec<u8>>> {
        let (vehicle, captions) = match taken {
            Taken::Captions(packet) => (packet.vehicle, packet.captions.as_slice()),
            Taken::Message(message) if message.report.is_some() => (message.vehicle, [].as_slice()),
            Taken::Message(message) => {
                let of_ours = |waiting: &Commanded| {
                    waiting.vehicle == message.vehicle
                        && message.answers == Some((self.station.number, waiting.counter))
                };
                self.waiting.retain(|waiting| !of_ours(waiting));
                return Ok(Vec::new());
            }
        };
        // A vehicle that has a number is known by it, whatever its address is now.
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.vehicle == vehicle && vehicle > 0) {
            waiting.to = sender.to_owned();
        }
        let from = (sender.to_owned(), vehicle);
        if self.recent.len() >= MAX_SENDERS && !self.recent.contains_key(&from) {
            self.recent.clear();
        }
        let recent = self.recent.entry(from).or_default();
        recent.retain(|old| old.at.elapsed() < RECENT);
        recent.truncate(MAX_PACKETS - 1);
        let digests = captions.iter().map(|c| (c.sequence, digest(c.sequence, c.time, &c.text)));
        let arrived = Arrived { at: Instant::now(), captions: SelectiveAck::of(digests) };
        // One that came before is not named twice.
        recent.retain(|old| old.captions != arrived.captions);
        if !arrived.captions.is_empty() {
            recent.push_front(arrived);
        }
        let all = recent.iter().flat_map(|arrived| arrived.captions.iter().cloned());
        let acknowledgement = Up::acknowledge(all);
        let key = self.used.get(&whose(sender, vehicle)).unwrap_or(self.station.keys.first()).clone();
        let mut packets = vec![self.packet(vehicle, acknowledgement, &key, archive)?.1];
        let first = self.station.keys.first().clone();
        if key != first {
            packets.push(self.packet(vehicle, Up::acknowledge([]), &first, archive)?.1);
        }
        for command in std::mem::take(&mut self.commands) {
            let (counter, packet) = self.packet(vehicle, Up::Command(command), &key, archive)?;
            packets.push(packet.clone());
            let (to, sent) = (sender.to_owned(), Instant::now());
            self.waiting.push(Commanded { to, vehicle, counter, packet, sent, times: 1 });
        }
        Ok(packets)
    }

    /// What is to be done at `now` about commands that `to` has not answered.
    pub(super) fn due(&mut self, to: &str, now: Instant) -> Vec<Due> {
        let mut all = Vec::new();
        self.waiting.retain_mut(|waiting| {
            if waiting.to != to || now.saturating_duration_since(waiting.sent) < AGAIN {
                return true;
            }
            let Commanded { vehicle, counter, times, .. } = *waiting;
            if times >= MAX_TIMES {
                all.push(Due::GivenUp(Unanswered { counter, vehicle, times }));
                return false;
            }
            (waiting.sent, waiting.times) = (now, times + 1);
            all.push(Due::Again(waiting.packet.clone()));
            true
        });
        all
    }

    /// Commands that wait for an answer.
    pub(super) fn unanswered(&self) -> Vec<Unanswered> {
        let of = |&Commanded { counter, vehicle, times, .. }: &Commanded| Unanswered { counter, vehicle, times };
        self.waiting.iter().map(of).collect()
    }

    /// A packet up under a key, and its counter.
    fn packet(&mut self, vehicle: u16, body: Up, key: &Key, archive: &mut Archive) -> Result<(u32, Vec<u8>)> {
        let (station, counter) = (self.station.number, self.count(archive)?);
        let up = UpPacket { vehicle, station, counter, body };
        Ok((counter, up.encode(key, self.station.checksum)?))
    }

    /// A counter that never was: one more than the last, and no less than the clock's seconds, so that a station whose archive is gone
    /// goes on where its clock is. The vehicle's own clock has no part in it.
    fn count(&mut self, archive: &mut Archive) -> Result<u32> {
        let spent = || Error::StationSpent(self.station.number);
        if self.reserved == 0 {
            self.counter = archive.counter(self.station.number)?;
        }
        let counter = self.counter.max(cssa::clock::now());
        let next = counter.checked_add(1).ok_or_else(spent)?;
        if counter >= self.reserved {
            let reserved = counter.saturating_add(RESERVE);
            archive.reserve_counters(self.station.number, reserved)?;
            self.reserved = reserved;
        }
        self.counter = next;
        Ok(counter)
    }
}

/// By what a vehicle is known.
fn whose(sender: &str, vehicle: u16) -> (String, u16) {
    (if vehicle > 0 { String::new() } else { sender.to_owned() }, vehicle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use anyhow::Result;
    use cssa::trust::Reason;
    use cssa_wire::{Answer, Caption, CaptionPacket, CommandResult, Down, DownPacket, Report};

    fn key() -> Key {
        Key::new([9; 32])
    }

    fn station(number: u8) -> Station {
        Station { number, keys: key().into(), checksum: Checksum::Crc32 }
    }

    fn packet(numbers: &[(u32, u32)]) -> Taken {
        let caption =
            |&(sequence, time): &(u32, u32)| Caption { sequence, time, text: "a river".into(), ..Caption::default() };
        let captions = numbers.iter().map(caption).collect();
        Taken::Captions(CaptionPacket { vehicle: 12, bundle: 1, decimals: 5, captions })
    }

    #[test]
    fn a_report_is_answered_and_an_answer_is_not() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let mut uplink = Uplink::new(station(1), Vec::new());
        let mut numbers = |body| -> Result<Vec<Vec<u32>>> {
            let Some(message) = Message::of(&DownPacket { vehicle: 12, bundle: 1, body }) else {
                return Ok(Vec::new());
            };
            let mut said = Vec::new();
            for bytes in uplink.answers("uav", &Taken::Message(message), &mut archive)? {
                let packet = UpPacket::decode(&bytes, 12, &key(), Checksum::Crc32)?;
                let Up::Acknowledge(arrivals) = &packet.body else { anyhow::bail!("{packet:?}") };
                said.push(arrivals.iter().flat_map(SelectiveAck::numbers).collect());
            }
            Ok(said)
        };
        assert_eq!(numbers(Down::Report(Report::of_run(4, Reason::Dark, 1_763_928_000, 17)))?, [Vec::<u32>::new()]);
        let answer = Answer { station: 1, counter: 9, result: CommandResult::NotKept, value: &[] };
        assert!(numbers(Down::Answer(answer))?.is_empty(), "two programs do not talk for ever");
        Ok(())
    }

    #[test]
    fn a_command_goes_out_again_with_its_number_until_it_is_answered() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let mut uplink = Uplink::new(station(1), vec![Command::SelfTest]);
        let sent = uplink.answers("uav", &packet(&[(4, 100)]), &mut archive)?;
        let command = sent.last().cloned().unwrap_or_default();
        let number = UpPacket::decode(&command, 12, &key(), Checksum::Crc32)?.counter;
        let start = Instant::now();
        assert_eq!(uplink.due("uav", start), [], "its answer may be on its way");
        assert_eq!(uplink.due("uav", start + AGAIN), [Due::Again(command.clone())]);
        assert_eq!(uplink.due("other", start + 9 * AGAIN), [], "whom the port does not reach");
        let mut answer = |vehicle, station, counter| -> Result<()> {
            let body = Down::Answer(Answer { station, counter, result: CommandResult::Done, value: &[] });
            let message = Message::of(&DownPacket { vehicle, bundle: 1, body });
            let taken = message.map(Taken::Message).ok_or_else(|| anyhow::anyhow!("no message"))?;
            Ok(uplink.answers("uav", &taken, &mut archive).map(drop)?)
        };
        for (vehicle, station, counter) in [(13, 1, number), (12, 2, number), (12, 1, number + 1)] {
            answer(vehicle, station, counter)?;
        }
        answer(12, 1, number)?;
        assert_eq!(uplink.due("uav", start + 9 * AGAIN), []);
        // One that is never answered is given up, and said.
        let mut uplink = Uplink::new(station(1), vec![Command::SelfTest]);
        uplink.answers("uav", &packet(&[(4, 100)]), &mut archive)?;
        let all: Vec<Due> = (1..99).flat_map(|n| uplink.due("uav", start + (n + 1) * AGAIN)).collect();
        assert_eq!(all.len(), MAX_TIMES as usize);
        let Some(Due::GivenUp(unanswered)) = all.last() else { anyhow::bail!("{all:?}") };
        assert_eq!((unanswered.vehicle, unanswered.times), (12, MAX_TIMES));
        Ok(())
    }

    #[test]
    fn what_arrived_is_acknowledged_again_and_counters_never_repeat() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let opened = |answers: &[Vec<u8>]| -> Result<(Vec<u32>, Vec<u32>)> {
            let (mut counters, mut numbers) = (Vec::new(), Vec::new());
            for bytes in answers {
                let packet = UpPacket::decode(bytes, 12, &key(), Checksum::Crc32)?;
                counters.push(packet.counter);
                if let Up::Acknowledge(arrivals) = &packet.body {
                    numbers.extend(arrivals.iter().flat_map(SelectiveAck::numbers));
                }
            }
            Ok((counters, numbers))
        };
        let mut archive = Archive::open(&path)?;
        let mut uplink = Uplink::new(station(1), vec![Command::SelfTest]);
        let first = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        let second = opened(&uplink.answers("uav", &packet(&[(9, 103)]), &mut archive)?)?;
        let again = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        assert_eq!((first.1, second.1, again.1), (vec![4, 5], vec![9, 4, 5], vec![4, 5, 9]));
        assert_eq!((first.0.len(), second.0.len()), (2, 1), "a command goes with the first");
        let other = opened(&uplink.answers("other", &packet(&[(1, 1)]), &mut archive)?)?;
        assert_eq!(other.1, [1]);
        drop((archive, uplink));
        let (mut archive, mut uplink) = (Archive::open(&path)?, Uplink::new(station(1), vec![]));
        let late = opened(&uplink.answers("uav", &packet(&[(6, 1)]), &mut archive)?)?;
        let all = [first.0, second.0, again.0, other.0, late.0].concat();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        for n in 0..2000 {
            let answers = uplink.answers(&format!("sender {n}"), &packet(&[(n, 1)]), &mut archive)?;
            assert!(answers.len() == 1 && uplink.recent.len() <= MAX_SENDERS);
        }
        Ok(())
    }

    /// While a vehicle's key is being changed: what goes up is under the key that it used last, and says under the first that this is there.
    #[test]
    fn answers_are_under_the_key_that_the_vehicle_used() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let (new, old) = (Key::new([7; 32]), Key::new([8; 32]));
        let keys = Keys::of([new.clone(), old.clone()]).ok_or_else(|| anyhow::anyhow!("no keys"))?;
        let mut uplink = Uplink::new(Station { keys, ..station(1) }, Vec::new());
        let mut answers = |uplink: &mut Uplink| uplink.answers("uav", &packet(&[(4, 100)]), &mut archive);
        let numbers = |bytes: &[u8], key: &Key| -> Result<usize> {
            match UpPacket::decode(bytes, 12, key, Checksum::Crc32)?.body {
                Up::Acknowledge(arrivals) => Ok(arrivals.iter().flat_map(SelectiveAck::numbers).count()),
                other => anyhow::bail!("{other:?}"),
            }
        };
        uplink.heard("uav", 12, &old);
        let sent = answers(&mut uplink)?;
        assert_eq!((sent.len(), numbers(&sent[0], &old)?, numbers(&sent[1], &new)?), (2, 1, 0));
        assert!(numbers(&sent[0], &new).is_err() && numbers(&sent[1], &old).is_err());
        // Whatever its address is.
        uplink.heard("relay", 12, &new);
        let sent = answers(&mut uplink)?;
        assert_eq!((sent.len(), numbers(&sent[0], &new)?), (1, 1));
        Ok(())
    }
}
