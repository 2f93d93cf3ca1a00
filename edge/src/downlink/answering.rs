//! Answers to what came from the ground, on their way down.

use super::contact::Allowance;
use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::Number;
use cssa::bundle::Language;
use cssa_wire::DownPacket;

impl Downlink {
    /// A packet with a right code was not taken: where its number is too far behind, its station has lost its count and is told so, now and
    /// then, since a packet that was recorded is no different.
    pub(super) fn say_behind(&mut self, number: (u32, u8, u32), now: f64) -> Result<()> {
        let Some(highest) = self.store.highest_above(number)? else { return Ok(()) };
        self.answers.say_behind((number.1, number.2), highest, now);
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
        let Some(answer) = self.store.answer_to(number)?.or_else(|| self.answers.behind(number).cloned()) else {
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
