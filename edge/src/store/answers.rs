//! What came up from the ground and what became of it, over starts: each of the last packets that asked for something has an entry under its
//! number, with its digest and, once there is one, its answer. The same packet again, under whichever key, is that one, whose answer was lost;
//! another under its number is of a station that has lost its count.

use super::Store;
use super::database::{Refusal, pack, unpack};
use crate::error::Result;
use cssa_wire::{Answer, Checksum, CommandResult, Down, Key, MAX_VALUE, Up, UpPacket};
use redb::{ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The packets, by their numbers: how many came before, the kind, and [`Known`].
pub(super) const PACKETS: TableDefinition<Number, (u64, u8, &[u8])> = TableDefinition::new("packets_up");
/// Those of each kind that are remembered.
const MAX_KNOWN: usize = 1024;

/// A packet from the ground: its station and that one's number.
pub type Number = (u8, u32);

/// What became of a command or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The packet that it came with.
    pub number: Number,
    /// What became of it.
    pub result: CommandResult,
    value: Vec<u8>,
}

/// How a packet is to one that was taken under its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// It is that one.
    Yes,
    /// It is another one.
    No,
    /// Nobody knows any more, or an acknowledgement had the number.
    Unknown,
}

/// Each kind has its own room: requests for pictures are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Command,
    Request,
}

/// What is known of a packet.
#[derive(Serialize, Deserialize)]
struct Known {
    /// None where an earlier program, which kept none, took it: whatever comes under its number is it.
    digest: Option<u32>,
    answer: Option<(CommandResult, Vec<u8>)>,
}

impl Answered {
    /// An answer, and what is to be said beside it: as much as a packet holds.
    #[must_use]
    pub fn new(number: Number, result: CommandResult, said: &str) -> Self {
        Self::with_value(number, result, &said.as_bytes()[..said.floor_char_boundary(MAX_VALUE)])
    }

    /// An answer, and a value beside it.
    #[must_use]
    pub fn with_value(number: Number, result: CommandResult, value: &[u8]) -> Self {
        Self { number, result, value: value.to_vec() }
    }

    /// What a packet holds.
    #[must_use]
    pub fn body(&self) -> Down<'_> {
        let ((station, counter), value) = (self.number, self.value.as_slice());
        Down::Answer(Answer { station, counter, result: self.result, value })
    }
}

impl Kind {
    fn of(body: &Up) -> Self {
        if matches!(body, Up::Command(_)) { Self::Command } else { Self::Request }
    }
}

impl Known {
    fn is(&self, digest: u32) -> bool {
        self.digest.is_none_or(|kept| kept == digest)
    }
}

/// What tells packets apart, whatever key they are under.
#[must_use]
pub fn digest_of((station, counter): Number, body: &Up) -> u32 {
    let packet = UpPacket { vehicle: 0, station, counter, body: body.clone() };
    // One that was taken has a form. Not with its own CRC-32 at the end: that of both is the same for all.
    crc32fast::hash(&packet.encode(&Key::new([0; 32]), Checksum::Crc16).unwrap_or_default())
}

impl Store {
    /// How a packet is to the one that was taken under its number.
    pub fn taken(&self, number: Number, digest: u32) -> Result<Same> {
        self.file.with(|database| same(&database.begin_read()?.open_table(PACKETS)?, number, digest))
    }

    /// The answer to what came with a packet, where there is one by now.
    pub fn answer_to(&self, number: Number) -> Result<Option<Answered>> {
        self.file.with(|database| {
            let known = known(&database.begin_read()?.open_table(PACKETS)?, number)?;
            let answer = known.and_then(|(_, _, known)| known.answer);
            Ok(answer.map(|(result, value)| Answered { number, result, value }))
        })
    }
}

/// How a packet is to the one that was taken under its number, within the transaction that would take it.
pub(super) fn within(write: &WriteTransaction, number: Number, digest: u32) -> Result<Same, Refusal> {
    same(&write.open_table(PACKETS)?, number, digest)
}

/// Remembers a packet, within the transaction that takes it. What is said to have arrived may be said again.
pub(super) fn note(write: &WriteTransaction, number: Number, body: &Up, digest: u32) -> Result<(), Refusal> {
    if matches!(body, Up::Acknowledge(_)) {
        return Ok(());
    }
    let known = Known { digest: Some(digest), answer: None };
    insert(&mut write.open_table(PACKETS)?, number, Kind::of(body), &known)
}

/// Keeps the answer to a packet, within the transaction that makes it true.
pub(super) fn keep(write: &WriteTransaction, answered: &Answered, body: &Up) -> Result<(), Refusal> {
    let Answered { number, result, value } = answered;
    let (digest, answer) = (digest_of(*number, body), Some((*result, value.clone())));
    let mut packets = write.open_table(PACKETS)?;
    match known(&packets, *number)? {
        Some((age, kind, known)) if known.is(digest) => {
            packets.insert(number, (age, kind, pack(&Known { answer, ..known })?.as_slice()))?;
        }
        // The number is another packet's by now.
        Some(_) => {}
        None => insert(&mut packets, *number, Kind::of(body), &Known { digest: Some(digest), answer })?,
    }
    Ok(())
}

/// Takes over an answer of a program that kept no digests, and what it was to nobody knows: to a command, unless no command has such.
pub(super) fn adopt(write: &WriteTransaction, answered: &Answered) -> Result<(), Refusal> {
    let Answered { number, result, value } = answered;
    if *result == CommandResult::NotKept {
        return Ok(());
    }
    let mut packets = write.open_table(PACKETS)?;
    let answer = Some((*result, value.clone()));
    match known(&packets, *number)? {
        Some((age, kind, known)) => {
            packets.insert(number, (age, kind, pack(&Known { answer, ..known })?.as_slice()))?;
        }
        None => insert(&mut packets, *number, Kind::Command, &Known { digest: None, answer })?,
    }
    Ok(())
}

fn known(
    packets: &impl ReadableTable<Number, (u64, u8, &'static [u8])>,
    number: Number,
) -> Result<Option<(u64, u8, Known)>, Refusal> {
    let Some(entry) = packets.get(number)? else { return Ok(None) };
    let (age, kind, bytes) = entry.value();
    Ok(Some((age, kind, unpack(bytes)?)))
}

fn same(
    packets: &impl ReadableTable<Number, (u64, u8, &'static [u8])>,
    number: Number,
    digest: u32,
) -> Result<Same, Refusal> {
    let known = known(packets, number)?;
    Ok(known.map_or(Same::Unknown, |(_, _, known)| if known.is(digest) { Same::Yes } else { Same::No }))
}

/// Makes an entry. Where there is no room, the station that has most entries of the kind gives up its oldest: none displaces another's few.
fn insert(
    packets: &mut Table<'_, Number, (u64, u8, &'static [u8])>,
    number: Number,
    kind: Kind,
    known: &Known,
) -> Result<(), Refusal> {
    let (mut next, mut count, mut stations) = (0, 0, BTreeMap::<u8, (usize, Reverse<(u64, Number)>)>::new());
    for entry in packets.iter()? {
        let (number, entry) = entry?;
        let (number, (age, of, _)) = (number.value(), entry.value());
        next = next.max(age + 1);
        if of == kind as u8 {
            count += 1;
            let (held, oldest) = stations.entry(number.0).or_insert((0, Reverse((age, number))));
            (*held, *oldest) = (*held + 1, (*oldest).max(Reverse((age, number))));
        }
    }
    if count >= MAX_KNOWN
        && let Some((_, Reverse((_, oldest)))) = stations.into_values().max()
    {
        packets.remove(oldest)?;
    }
    packets.insert(number, (next, kind as u8, pack(known)?.as_slice()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Orders;
    use anyhow::Result;
    use cssa_wire::{Ask, Command, MissingParts};

    fn take(store: &Store, key: u32, number: Number, body: &Up) -> Result<bool> {
        Ok(store.apply_acknowledgement((key, number.0, number.1), body, &BTreeMap::new())?.is_some())
    }

    /// Carries out all commands that wait.
    fn carry_out(store: &Store) -> Result<()> {
        while let Some(pending) = store.next_command(None)? {
            let done = Answered::new(pending.number, CommandResult::Done, "");
            store.carried_out(&pending, &done, &Orders::default())?;
        }
        Ok(())
    }

    fn known(store: &Store, number: Number, body: &Up) -> Result<Same> {
        Ok(store.taken(number, digest_of(number, body))?)
    }

    /// With its answer, however many requests came and were answered since, and whatever the order of numbers; over starts.
    #[test]
    fn a_command_is_known_again_with_its_answer() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (pause, resume) = (Up::Command(Command::Pause), Up::Command(Command::Resume));
        let store = Store::open(folder.path(), 100)?;
        assert!(take(&store, 7, (1, 5000), &pause)?);
        carry_out(&store)?;
        let done = Some(Answered::new((1, 5000), CommandResult::Done, ""));
        for n in 0..1500 {
            let missing = Up::Missing(MissingParts::of(n % 16, [1]));
            assert!(take(&store, 7, (1, 5001 + u32::from(n)), &missing)?);
        }
        assert_eq!(store.answer_to((1, 5000))?, done, "their answers do not displace it");
        drop(store);
        let store = Store::open(folder.path(), 100)?;
        // Under the other key, and another one under its number.
        assert!(!take(&store, 8, (1, 5000), &pause)? && !take(&store, 8, (1, 5000), &resume)?);
        assert_eq!((known(&store, (1, 5000), &pause)?, known(&store, (1, 5000), &resume)?), (Same::Yes, Same::No));
        assert_eq!((store.answer_to((1, 5000))?, known(&store, (2, 5000), &pause)?), (done, Same::Unknown));
        Ok(())
    }

    /// Not the lowest number, which may be the last of another key; and not the only one of another station.
    #[test]
    fn what_came_first_is_forgotten_first() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 100)?;
        let pause = Up::Command(Command::Pause);
        assert!(take(&store, 7, (2, 1), &pause)?);
        for n in 0..1200 {
            assert!(take(&store, 7, (1, 9000 + n), &pause)?);
        }
        assert!(take(&store, 8, (1, 4000), &pause)?);
        for n in 0..100 {
            assert!(take(&store, 7, (1, 20_000 + n), &pause)?);
        }
        assert_eq!(known(&store, (1, 4000), &pause)?, Same::Yes);
        assert_eq!(
            (known(&store, (1, 9000), &pause)?, known(&store, (1, 10_199), &pause)?),
            (Same::Unknown, Same::Yes)
        );
        assert_eq!(known(&store, (2, 1), &pause)?, Same::Yes);
        Ok(())
    }

    /// Also one that names missing parts: it has its answer, and no other has.
    #[test]
    fn a_number_has_one_packet_whatever_its_kind() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 100)?;
        let all = [
            Up::Missing(MissingParts::all(1)),
            Up::Command(Command::Pause),
            Up::Ask(Ask { ask: 1, caption: 1, pixels: 160, crop: None }),
        ];
        for (n, first) in (1..).zip(&all) {
            assert!(take(&store, 7, (1, n), first)?);
            for other in all.iter().filter(|other| *other != first) {
                assert_eq!(known(&store, (1, n), other)?, Same::No, "{other:?} after {first:?}");
                assert!(!take(&store, 8, (1, n), other)?);
            }
            assert_eq!(known(&store, (1, n), first)?, Same::Yes);
        }
        assert_eq!(store.next_command(None)?.map(|pending| pending.number), Some((1, 2)));
        carry_out(&store)?;
        assert_eq!(store.next_command(None)?, None);
        Ok(())
    }
}
