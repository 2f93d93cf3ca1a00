//! What the ground says to a vehicle: what has arrived, and commands.

use super::archive::Archive;
use crate::wire::Packet;
use crate::wire::command::{Command, Key};
use anyhow::Result;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What arrived within this time is acknowledged again, in case an acknowledgement was lost.
const RECENT: Duration = Duration::from_secs(60);
/// Captions that are acknowledged again at most.
const MOST_RECENT: usize = 256;
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

#[derive(Debug)]
struct Arrived {
    at: Instant,
    sequence: u32,
    time: u32,
}

impl Uplink {
    /// An uplink whose first answer has `commands` beside the acknowledgement.
    #[must_use]
    pub fn new(key: Key, commands: Vec<Command>) -> Self {
        Self { key, counter: 0, reserved: 0, recent: BTreeMap::new(), commands }
    }

    /// What to send to the sender of a packet that has been kept.
    pub(super) fn answers(&mut self, sender: &str, packet: &Packet, archive: &mut Archive) -> Result<Vec<Vec<u8>>> {
        let recent = self.recent.entry(sender.to_owned()).or_default();
        let numbers =
            |packet: &Packet| packet.captions.iter().map(|caption| (caption.sequence, caption.time)).collect();
        let came: BTreeMap<u32, u32> = numbers(packet);
        // A vehicle whose store is new counts from the beginning: what came before is not what its numbers mean now.
        if recent.iter().any(|old| came.get(&old.sequence).is_some_and(|&time| time != old.time)) {
            recent.clear();
        }
        recent.retain(|old| old.at.elapsed() < RECENT && !came.contains_key(&old.sequence));
        let at = Instant::now();
        recent.extend(came.into_iter().map(|(sequence, time)| Arrived { at, sequence, time }));
        while recent.len() > MOST_RECENT {
            recent.pop_front();
        }
        let mut answers = Command::acknowledge(recent.iter().map(|arrived| arrived.sequence));
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
    use crate::wire::Caption;

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
        Packet { bundle: 1, digits: 5, captions: numbers.iter().map(caption).collect() }
    }

    #[test]
    fn what_arrived_is_acknowledged_again_and_counters_never_repeat() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("captions.gpkg");
        let key = Key::new([9; 32]);
        let opened = |answers: &[Vec<u8>]| -> Result<(Vec<u64>, Vec<u32>)> {
            let all = answers.iter().map(|bytes| Ok(Command::open(bytes, &key)?)).collect::<Result<Vec<_>>>()?;
            let numbers = all.iter().flat_map(|(_, command)| command.acknowledged().collect::<Vec<_>>()).collect();
            Ok((all.iter().map(|(counter, _)| *counter).collect(), numbers))
        };
        let mut archive = Archive::open(&path)?;
        let mut uplink = Uplink::new(key.clone(), vec![Command::SelfTest]);
        let first = opened(&uplink.answers("uav", &packet(&[(4, 100), (5, 101)]), &mut archive)?)?;
        let second = opened(&uplink.answers("uav", &packet(&[(9, 103)]), &mut archive)?)?;
        assert_eq!((first.1, second.1), (vec![4, 5], vec![4, 5, 9]));
        assert_eq!((first.0.len(), second.0.len()), (2, 1), "a command goes once");
        let other = opened(&uplink.answers("other", &packet(&[(1, 1)]), &mut archive)?)?;
        let anew = opened(&uplink.answers("uav", &packet(&[(4, 900)]), &mut archive)?)?;
        assert_eq!((other.1, anew.1), (vec![1], vec![4]), "a store that begins anew");
        drop((archive, uplink));
        let (mut archive, mut uplink) = (Archive::open(&path)?, Uplink::new(key.clone(), vec![]));
        let late = opened(&uplink.answers("uav", &packet(&[(6, 1)]), &mut archive)?)?;
        let all = [first.0, second.0, other.0, anew.0, late.0].concat();
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{all:?}");
        Ok(())
    }
}
