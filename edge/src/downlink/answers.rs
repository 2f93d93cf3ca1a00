//! Which answers are to go out: an answer may be lost, and then its command comes again.

use super::contact::Allowance;
use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::{Answered, Number};
use cssa::bundle::Language;
use cssa_wire::{BEHIND, CommandResult, DownPacket};
use std::collections::{BTreeMap, VecDeque};

/// Numbers that are remembered.
const MAX_KEPT: usize = 64;
/// An answer goes out so many times at most: whoever records a command and repeats it must not spend the link.
const MAX_SENDS: u8 = 32;
/// Seconds after which a station is told again that its numbers are behind.
const BEHIND_AGAIN: f64 = 10.0;

/// Answers to what came from the ground, by the numbers of its packets.
#[derive(Debug, Default)]
pub(super) struct Answers {
    due: VecDeque<Number>,
    sends: BTreeMap<Number, u8>,
    /// By station: that a packet's number is behind, and when that was said last.
    behind: BTreeMap<u8, (Answered, f64)>,
}

impl Downlink {
    /// A packet with a right code was not taken: where its number is too far behind, its station has lost its count and is told so, now and
    /// then, since a packet that was recorded is no different.
    pub(super) fn say_behind(&mut self, number: (u32, u8, u32), now: f64) -> Result<()> {
        let Some(highest) = self.store.highest_above(number)? else { return Ok(()) };
        let (_, station, counter) = number;
        if self.answers.behind.get(&station).is_none_or(|(_, last)| now - last >= BEHIND_AGAIN) {
            let result = CommandResult::Refused(BEHIND);
            let answered = Answered::with_value((station, counter), result, &highest.to_le_bytes());
            self.answers.behind.insert(station, (answered, now));
            self.answers.ask((station, counter));
        }
        Ok(())
    }

    /// A command was carried out, or refused, or a picture was made, or was not: its answer is to go out, and then the picture.
    pub fn answered(&mut self, number: Number) -> Result<()> {
        self.answers.ask(number);
        if let Some(asked) = self.store.asked_by(number)? {
            self.pictures.begin(asked);
        }
        Ok(())
    }

    /// The next answer to what came from the ground; nothing where none is due, or the contact has no room for it yet.
    pub fn answer(&mut self, now: f64, utc: u32, language: &Language, room: Room<'_>) -> Result<Option<Outgoing>> {
        let Some(number) = self.answers.due() else { return Ok(None) };
        let behind =
            || self.answers.behind.get(&number.0).map(|(answer, _)| answer).filter(|answer| answer.number == number);
        let Some(answer) = self.store.answer_to(number)?.or_else(|| behind().cloned()) else {
            self.answers.leave();
            return Ok(None);
        };
        let packet = DownPacket { vehicle: self.config.vehicle, bundle: language.id, body: answer.body() };
        let bytes = packet.encode(self.sealing(), self.config.checksum)?;
        if !self.has_room(bytes.len(), (now, utc), room) {
            return Ok(None);
        }
        self.answers.goes_out();
        Ok(Some(Outgoing::beside(bytes, self.change())))
    }

    /// Whether the contact has room for a packet beside captions.
    pub(super) fn has_room(&mut self, length: usize, (now, utc): (f64, u32), room: Room<'_>) -> bool {
        let left = match self.contacts.allowance(now, utc) {
            Allowance::Free | Allowance::Probe => usize::MAX,
            Allowance::Bytes(left) => left,
        };
        length <= room.largest && (room.cost)(length) <= left
    }
}

impl Answers {
    /// The answer to a packet is to go out.
    pub(super) fn ask(&mut self, number: Number) {
        let is_sent_enough = self.sends.get(&number).is_some_and(|sends| *sends >= MAX_SENDS);
        if !is_sent_enough && !self.due.contains(&number) && self.due.len() < MAX_KEPT {
            self.due.push_back(number);
        }
    }

    /// The next one that is due.
    pub(super) fn due(&self) -> Option<Number> {
        self.due.front().copied()
    }

    /// It is not there, or not yet.
    pub(super) fn leave(&mut self) {
        self.due.pop_front();
    }

    /// It goes out now.
    pub(super) fn goes_out(&mut self) {
        let Some(number) = self.due.pop_front() else { return };
        *self.sends.entry(number).or_default() += 1;
        while self.sends.len() > MAX_KEPT {
            self.sends.pop_first();
        }
    }
}
