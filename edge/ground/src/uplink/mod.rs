//! What the ground says to a vehicle: what has arrived, and commands.

mod commands;
mod counters;
mod pictures;
mod progress;

pub use commands::{Due, Unanswered};
pub(crate) use counters::disbelieved;

use super::archive::Archive;
use super::error::Result;
use super::keys::Keys;
use super::message::Taken;
use cssa_wire::{Checksum, Key, SelectiveAck, Up, UpPacket, digest};
use progress::Pictures;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What arrived within this time is acknowledged again, in case an acknowledgement was lost; who was heard within it is in reach.
const RECENT: Duration = Duration::from_secs(60);
/// Who is heard again after so long begins another contact.
const GAP: Duration = Duration::from_secs(3);
/// Packets of a sender that are acknowledged again at most, and senders that are remembered.
const MAX_PACKETS: usize = 8;
const MAX_SENDERS: usize = 256;
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
    recent: BTreeMap<Whose, VecDeque<Arrived>>,
    /// Vehicles that were heard; one without a number is known by its address.
    contacts: BTreeMap<Whose, Contact>,
    /// The key of each one's last packet, under which that is acknowledged.
    spoken: BTreeMap<Whose, Key>,
    pictures: Pictures,
}

/// By what a vehicle is known: its number, or its address where it has none.
type Whose = (String, u16);

/// Where a vehicle is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct At {
    /// The port here.
    pub(crate) port: usize,
    /// Whom that port reaches, with all that tells it from others of its address.
    pub(crate) peer: String,
}

/// A vehicle that was heard.
#[derive(Debug)]
struct Contact {
    /// The key that it used last.
    key: Key,
    /// Where its last packet came from, and when.
    at: At,
    heard: Instant,
    /// Since when it has been heard without a gap.
    began: Instant,
    attempt: Option<Attempt>,
}

/// The last command that went out to a vehicle.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    /// Its row in the archive.
    id: i64,
    sent: Instant,
    times: u32,
    /// How often the vehicle was heard after it went out.
    in_vain: u32,
}

/// A packet.
#[derive(Debug)]
struct Arrived {
    at: Instant,
    captions: Vec<SelectiveAck>,
}

impl Uplink {
    /// An uplink of a station.
    #[must_use]
    pub fn new(station: Station) -> Self {
        let (recent, contacts, spoken) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { station, counter: 0, reserved: 0, recent, contacts, spoken, pictures: Pictures::default() }
    }

    /// A packet with a right code of authentication came, perhaps again: it is acknowledged under the same key.
    pub(super) fn spoke(&mut self, sender: &str, vehicle: u16, key: &Key) {
        let whose = whose(sender, vehicle);
        if self.spoken.len() >= MAX_SENDERS && !self.spoken.contains_key(&whose) {
            self.spoken.clear();
        }
        self.spoken.insert(whose, key.clone());
    }

    /// A packet with a right code of authentication brought something new: commands go to its vehicle where it came from, under the same
    /// key, whatever its port and its address were before.
    pub(super) fn heard(&mut self, at: &At, sender: &str, vehicle: u16, key: &Key, now: Instant) {
        let whose = whose(sender, vehicle);
        if self.contacts.len() >= MAX_SENDERS && !self.contacts.contains_key(&whose) {
            self.contacts.clear();
        }
        let (attempt, began) = match self.contacts.get(&whose) {
            None => (None, now),
            Some(before) => {
                if before.key != *key {
                    let which =
                        if Some(key) == self.station.keys.first_of(vehicle) { "the first" } else { "an earlier" };
                    tracing::info!("{sender}: vehicle {vehicle} uses {which} --key from now on");
                }
                let is_anew = now.saturating_duration_since(before.heard) > GAP;
                (before.attempt, if is_anew { now } else { before.began })
            }
        };
        self.contacts.insert(whose, Contact { key: key.clone(), at: at.clone(), heard: now, began, attempt });
    }

    /// Whether a vehicle was heard within the last minute at a place, under a key.
    pub(super) fn is_in_reach(&self, at: &At, sender: &str, vehicle: u16, key: &Key, now: Instant) -> bool {
        let contact = self.contacts.get(&whose(sender, vehicle));
        contact.is_some_and(|contact| {
            let is_recent = now.saturating_duration_since(contact.heard) <= RECENT;
            is_recent && (&contact.at, &contact.key) == (at, key)
        })
    }

    /// What to send to the sender of a packet that has been kept: one acknowledgement, of this packet and then of those before it. A report
    /// has no captions, and its acknowledgement says that somebody listens. To a vehicle that uses an earlier key goes an empty one under
    /// the first key, too, and to its housekeeping nothing else.
    pub(super) fn answers(&mut self, sender: &str, taken: &Taken, archive: &mut Archive) -> Result<Vec<Vec<u8>>> {
        let (vehicle, captions) = match taken {
            Taken::Captions(packet) => (packet.vehicle, packet.captions.as_slice()),
            Taken::Message(message) if message.report.is_some() => (message.vehicle, [].as_slice()),
            Taken::Message(message) if message.housekeeping.is_some() => {
                return Ok(self.under_first_key(sender, message.vehicle, archive)?.into_iter().collect());
            }
            Taken::Message(_) => return Ok(Vec::new()),
        };
        // One that has no key here is told nothing.
        let Some(first) = self.station.keys.first_of(vehicle).cloned() else { return Ok(Vec::new()) };
        if self.holds_back(vehicle, sender, archive)? {
            return Ok(Vec::new());
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
        let key = self.spoken.get(&whose(sender, vehicle)).unwrap_or(&first).clone();
        let mut packets = vec![self.packet(vehicle, acknowledgement, &key, archive)?.1];
        packets.extend(self.under_first_key(sender, vehicle, archive)?);
        Ok(packets)
    }

    /// To a vehicle that uses an earlier key an empty acknowledgement under the first one: if it has that, it changes to it.
    fn under_first_key(&mut self, sender: &str, vehicle: u16, archive: &mut Archive) -> Result<Option<Vec<u8>>> {
        let Some(first) = self.station.keys.first_of(vehicle).cloned() else { return Ok(None) };
        let uses_another = self.spoken.get(&whose(sender, vehicle)).is_some_and(|key| *key != first);
        if !uses_another || self.holds_back(vehicle, sender, archive)? {
            return Ok(None);
        }
        Ok(Some(self.packet(vehicle, Up::acknowledge([]), &first, archive)?.1))
    }

    /// A packet up under a key, and its counter.
    fn packet(&mut self, vehicle: u16, body: Up, key: &Key, archive: &mut Archive) -> Result<(u32, Vec<u8>)> {
        let (station, counter) = (self.station.number, self.count(archive)?);
        let up = UpPacket { vehicle, station, counter, body };
        Ok((counter, up.encode(key, self.station.checksum)?))
    }
}

/// The address by which a vehicle without a number is known; for one that has a number it is any.
fn address_of<'a>(whose: &'a Whose, any: &'a str) -> &'a str {
    if whose.1 > 0 { any } else { &whose.0 }
}

/// By what a vehicle is known.
fn whose(sender: &str, vehicle: u16) -> Whose {
    (if vehicle > 0 { String::new() } else { sender.to_owned() }, vehicle)
}

#[cfg(test)]
mod tests {
    use super::counters::RESERVE;
    use super::*;
    use crate::error::Error;
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
        let mut uplink = Uplink::new(station(1));
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
        let mut uplink = Uplink::new(station(1));
        let first = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        let second = opened(&uplink.answers("uav", &packet(&[(9, 103)]), &mut archive)?)?;
        let again = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        assert_eq!((first.1, second.1, again.1), (vec![4, 5], vec![9, 4, 5], vec![4, 5, 9]));
        let other = opened(&uplink.answers("other", &packet(&[(1, 1)]), &mut archive)?)?;
        assert_eq!(other.1, [1]);
        drop((archive, uplink));
        let (mut archive, mut uplink) = (Archive::open(&path)?, Uplink::new(station(1)));
        let late = opened(&uplink.answers("uav", &packet(&[(6, 1)]), &mut archive)?)?;
        let all = [first.0, second.0, again.0, other.0, late.0].concat();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        for n in 0..2000 {
            let answers = uplink.answers(&format!("sender {n}"), &packet(&[(n, 1)]), &mut archive)?;
            assert!(answers.len() == 1 && uplink.recent.len() <= MAX_SENDERS);
        }
        Ok(())
    }

    /// Of two programs that are one station neither has a number of the other's, however they take turns.
    #[test]
    fn two_programs_of_one_station_share_its_numbers() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let mut programs =
            [(Archive::open(&path)?, Uplink::new(station(1))), (Archive::open(&path)?, Uplink::new(station(1)))];
        let mut counters = std::collections::BTreeSet::new();
        for n in 0..500 {
            let (archive, uplink) = &mut programs[usize::from(n % 7 < 3)];
            for bytes in uplink.answers("uav", &packet(&[(n, 1)]), archive)? {
                let counter = UpPacket::decode(&bytes, 12, &key(), Checksum::Crc32)?.counter;
                assert!(counters.insert(counter), "{n}: {counter} went up before");
            }
        }
        assert_eq!(counters.len(), 500);
        // Its last number is the last.
        let (archive, uplink) = &mut programs[0];
        let mut spent = false;
        while !spent {
            let first = archive.reserve_counters(1, u32::MAX - 150, RESERVE)?.0;
            spent = first == u32::MAX;
        }
        (uplink.counter, uplink.reserved) = (u32::MAX - 1, u32::MAX - 1);
        assert!(matches!(uplink.answers("uav", &packet(&[(9, 1)]), archive), Err(Error::StationSpent(1))));
        let mut late = Uplink::new(station(1));
        assert!(matches!(late.answers("uav", &packet(&[(9, 1)]), archive), Err(Error::StationSpent(1))));
        Ok(())
    }

    /// While a vehicle's key is being changed: what goes up is under the key that it used last, and says under the first that this is there.
    #[test]
    fn answers_are_under_the_key_that_the_vehicle_used() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let (new, old) = (Key::new([7; 32]), Key::new([8; 32]));
        let keys = Keys::of([new.clone(), old.clone()]).ok_or_else(|| anyhow::anyhow!("no keys"))?;
        let mut uplink = Uplink::new(Station { keys, ..station(1) });
        let answers = |uplink: &mut Uplink, archive: &mut Archive| uplink.answers("uav", &packet(&[(4, 100)]), archive);
        let numbers = |bytes: &[u8], key: &Key| -> Result<usize> {
            match UpPacket::decode(bytes, 12, key, Checksum::Crc32)?.body {
                Up::Acknowledge(arrivals) => Ok(arrivals.iter().flat_map(SelectiveAck::numbers).count()),
                other => anyhow::bail!("{other:?}"),
            }
        };
        uplink.spoke("uav", 12, &old);
        let sent = answers(&mut uplink, &mut archive)?;
        assert_eq!((sent.len(), numbers(&sent[0], &old)?, numbers(&sent[1], &new)?), (2, 1, 0));
        assert!(numbers(&sent[0], &new).is_err() && numbers(&sent[1], &old).is_err());
        // A vehicle that has no captions is not silent.
        let status = Down::Housekeeping(cssa_wire::Housekeeping::default());
        let status = Message::of(&DownPacket { vehicle: 12, bundle: 1, body: status }).map(Taken::Message);
        let status = status.ok_or_else(|| anyhow::anyhow!("no message"))?;
        let sent = uplink.answers("uav", &status, &mut archive)?;
        assert_eq!((sent.len(), numbers(&sent[0], &new)?), (1, 0));
        // Whatever its address is.
        uplink.spoke("relay", 12, &new);
        let sent = answers(&mut uplink, &mut archive)?;
        assert_eq!((sent.len(), numbers(&sent[0], &new)?), (1, 1));
        assert_eq!(uplink.answers("uav", &status, &mut archive)?, Vec::<Vec<u8>>::new());
        Ok(())
    }
}
