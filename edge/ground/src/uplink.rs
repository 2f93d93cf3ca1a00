//! What the ground says to a vehicle: what has arrived, and commands.

use super::archive::Archive;
use super::error::Result;
use cssa_wire::Packet;
use cssa_wire::command::{Command, Key, SelectiveAck, digest};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What arrived within this time is acknowledged again, in case an acknowledgement was lost.
const RECENT: Duration = Duration::from_secs(60);
/// Packets of a sender that are acknowledged again at most, and senders that are remembered.
const MAX_PACKETS: usize = 8;
const MAX_SENDERS: usize = 256;
/// Counters that are set aside at once, so that not every acknowledgement has to be written down.
const RESERVE: u64 = 10_000;

/// The way up to the vehicles that have one key.
#[derive(Debug)]
pub struct Uplink {
    key: Key,
    /// The next command's counter, and the first one that is not set aside.
    counter: u64,
    reserved: u64,
    recent: BTreeMap<String, VecDeque<Arrived>>,
    commands: Vec<Command>,
}

/// A packet.
#[derive(Debug)]
struct Arrived {
    at: Instant,
    captions: Vec<SelectiveAck>,
}

impl Uplink {
    /// An uplink whose first answer has `commands` beside the acknowledgement; they go out once.
    #[must_use]
    pub fn new(key: Key, commands: Vec<Command>) -> Self {
        Self { key, counter: 0, reserved: 0, recent: BTreeMap::new(), commands }
    }

    /// What to send to the sender of a packet that has been kept: one acknowledgement, of this packet and then of those before it.
    pub(super) fn answers(&mut self, sender: &str, packet: &Packet, archive: &mut Archive) -> Result<Vec<Vec<u8>>> {
        if self.recent.len() >= MAX_SENDERS && !self.recent.contains_key(sender) {
            self.recent.clear();
        }
        let recent = self.recent.entry(sender.to_owned()).or_default();
        recent.retain(|old| old.at.elapsed() < RECENT);
        recent.truncate(MAX_PACKETS - 1);
        let digests = packet.captions.iter().map(|c| (c.sequence, digest(c.sequence, c.time, &c.text)));
        let arrived = Arrived { at: Instant::now(), captions: SelectiveAck::of(digests) };
        // One that came before is not named twice.
        recent.retain(|old| old.captions != arrived.captions);
        recent.push_front(arrived);
        let all = recent.iter().flat_map(|arrived| arrived.captions.iter().cloned());
        let mut answers = vec![Command::acknowledge(all)];
        answers.append(&mut self.commands);
        answers.into_iter().map(|command| Ok(command.seal(self.count(archive)?, &self.key)?)).collect()
    }

    /// A counter that never was: the clock's milliseconds, or more.
    fn count(&mut self, archive: &mut Archive) -> Result<u64> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        if self.reserved == 0 {
            self.counter = archive.counter()?;
        }
        self.counter = self.counter.max(clock);
        if self.counter >= self.reserved {
            self.reserved = self.counter + RESERVE;
            archive.reserve_counters(self.reserved)?;
        }
        let counter = self.counter;
        self.counter += 1;
        Ok(counter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;
    use cssa_wire::Caption;

    fn packet(numbers: &[(u32, u32)]) -> Packet {
        let caption = |&(sequence, time): &(u32, u32)| Caption {
            sequence,
            time,
            position: None,
            score: 3,
            priority: 0,
            repeat: false,
            text: "a river".into(),
        };
        Packet { bundle: 1, decimals: 5, captions: numbers.iter().map(caption).collect() }
    }

    #[test]
    fn what_arrived_is_acknowledged_again_and_counters_never_repeat() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let key = Key::new([9; 32]);
        let opened = |answers: &[Vec<u8>]| -> Result<(Vec<u64>, Vec<u32>)> {
            let all = answers.iter().map(|bytes| Ok(Command::open(bytes, &key)?)).collect::<Result<Vec<_>>>()?;
            let numbers = |command: &Command| match command {
                Command::Acknowledge(arrivals) => arrivals.iter().flat_map(SelectiveAck::numbers).collect(),
                Command::SelfTest => Vec::new(),
            };
            let all: Vec<(u64, Vec<u32>)> = all.iter().map(|(counter, command)| (*counter, numbers(command))).collect();
            Ok(all
                .into_iter()
                .fold((vec![], vec![]), |sum, (n, more)| ([sum.0, vec![n]].concat(), [sum.1, more].concat())))
        };
        let mut archive = Archive::open(&path)?;
        let mut uplink = Uplink::new(key.clone(), vec![Command::SelfTest]);
        let first = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        let second = opened(&uplink.answers("uav", &packet(&[(9, 103)]), &mut archive)?)?;
        let again = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        assert_eq!((first.1, second.1, again.1), (vec![4, 5], vec![9, 4, 5], vec![4, 5, 9]));
        assert_eq!((first.0.len(), second.0.len()), (2, 1), "a command goes once");
        let other = opened(&uplink.answers("other", &packet(&[(1, 1)]), &mut archive)?)?;
        assert_eq!(other.1, [1]);
        drop((archive, uplink));
        let (mut archive, mut uplink) = (Archive::open(&path)?, Uplink::new(key.clone(), vec![]));
        let late = opened(&uplink.answers("uav", &packet(&[(6, 1)]), &mut archive)?)?;
        let all = [first.0, second.0, again.0, other.0, late.0].concat();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        for n in 0..2000 {
            let answers = uplink.answers(&format!("sender {n}"), &packet(&[(n, 1)]), &mut archive)?;
            assert!(answers.len() == 1 && uplink.recent.len() <= MAX_SENDERS);
        }
        Ok(())
    }
}
