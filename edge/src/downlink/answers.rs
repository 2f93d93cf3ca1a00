//! Answers to what came from the ground, on their way down.

use super::answer_queue::{Due, Of};
use super::contact::Allowance;
use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::{Number, Same, digest_of};
use cssa::bundle::Language;
use cssa_wire::{DownPacket, Up};

impl Downlink {
    /// A packet with a right code was not taken. Of one that came before the answer was lost. One whose number another has had is of a
    /// station that has lost its count, which is told so.
    pub(super) fn answer_again(&mut self, (key, station, counter): (u32, u8, u32), body: &Up, now: f64) -> Result<()> {
        let number = (station, counter);
        let is_same = || self.store.taken(number, digest_of(number, body)).map(|same| same == Same::Yes);
        let (of, is_behind) = match body {
            // One that came twice, or that somebody recorded, is no news; several in a row are.
            Up::Acknowledge(_) => (Of::Acknowledgement, self.answers.goes_back(station)),
            Up::Ask(_) | Up::Missing(_) => (Of::Request, !is_same()?),
            Up::Command(_) => (Of::Command, !is_same()?),
        };
        if is_behind {
            let highest = self.store.highest((key, station))?;
            self.answers.say_behind(number, of, highest, now);
        } else if !matches!(body, Up::Acknowledge(_)) {
            self.answers.ask(number);
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
        let Some(due) = self.answers.due() else { return Ok(None) };
        let answer = match due {
            Due::Behind(behind) => Some(behind),
            Due::Kept(number) => self.store.answer_to(number)?,
        };
        let Some(answer) = answer else {
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
