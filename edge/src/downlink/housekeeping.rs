//! When a housekeeping packet goes out.

use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::HOUSEKEEPING;
use cssa::bundle::Language;
use cssa_wire::{Down, DownPacket, Housekeeping};

impl Downlink {
    /// The housekeeping packet that is due, one every `link.housekeeping_seconds` or when it was asked for: `state` makes it of its number
    /// and that period. One that does not go out is not sent again, the next one says more. Nothing where the contact has no room for it.
    pub fn housekeeping(
        &mut self,
        (now, utc): (f64, u32),
        language: &Language,
        room: Room<'_>,
        state: &dyn Fn(u16, u16) -> Housekeeping,
    ) -> Result<Option<Outgoing>> {
        let period = self.config.housekeeping_seconds;
        let is_due = period > 0 && now >= self.housekept + f64::from(period);
        if !is_due && !self.is_status_due {
            return Ok(None);
        }
        // It counts all that were made, over starts.
        let sequence = self.store.counters()?.get(HOUSEKEEPING).copied().unwrap_or(0) as u16;
        let body = Down::Housekeeping(state(sequence, period));
        let packet = DownPacket { vehicle: self.config.vehicle, bundle: language.id, body };
        let bytes = packet.encode(self.sealing(), self.config.checksum)?;
        if !self.has_room(bytes.len(), (now, utc), room) {
            return Ok(None);
        }
        self.store.count(HOUSEKEEPING)?;
        (self.housekept, self.is_status_due) = (now, false);
        Ok(Some(Outgoing::beside(bytes, self.change())))
    }
}
