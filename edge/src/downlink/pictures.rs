//! Pictures on their way down, after all captions: first all parts of one, then those that the ground says are missing.

use super::contact::Allowance;
use super::picture_queue::Sending;
use super::{Downlink, MAX_DOUBLINGS, Outgoing, Room};
use crate::error::Result;
use crate::store::PICTURE_PARTS;
use cssa::bundle::Language;
use cssa_wire::{Down, DownPacket, MissingParts, PicturePart};

/// Bytes that a part's packet has beside the part at most: version, vehicle, bundle, body, three numbers, CRC, length, code, checksum.
const AROUND: usize = 1 + 3 + 2 + 1 + 3 * 3 + 6 + 2 + 5 + 4;

impl Downlink {
    /// The next part of a picture, while no caption is due; nothing where none is wanted, or the contact has no room beside what it keeps for
    /// captions. While nobody answers a status goes out now and then instead, if some picture has not arrived: whoever hears it says what is
    /// missing.
    pub fn picture(&mut self, (now, utc): (f64, u32), language: &Language, room: Room<'_>) -> Result<Option<Outgoing>> {
        if self.keys.is_none() {
            return Ok(None);
        }
        let left = match self.contacts.allowance(now, utc) {
            Allowance::Free | Allowance::Probe => usize::MAX,
            Allowance::Bytes(left) => left.saturating_sub(self.contacts.reserve()),
        };
        if self.is_silent(now) {
            let is_time = self.sent.is_none_or(|sent| now >= sent + self.config.resend_seconds);
            self.is_status_due |= self.pictures.unconfirmed.is_some() && is_time && left > 0;
            return Ok(None);
        }
        self.remind(now, room.largest)?;
        while let Some(sending) = self.pictures.waiting.front() {
            let asked = sending.asked;
            if self.pictures.at_hand.as_ref().is_none_or(|at_hand| at_hand.0 != asked) {
                // Of one that is not there any more nothing is sent.
                self.pictures.at_hand = self.store.picture(asked)?.map(|picture| (asked, picture));
            }
            let Some((part, body)) = self.part(room.largest) else {
                self.pictures.waiting.pop_front();
                continue;
            };
            let packet =
                DownPacket { vehicle: self.config.vehicle, bundle: language.id, body: Down::PicturePart(body) };
            let bytes = packet.encode(self.sealing(), self.config.checksum)?;
            if bytes.len() > room.largest || (room.cost)(bytes.len()) > left {
                return Ok(None);
            }
            self.store.count(PICTURE_PARTS)?;
            if let Some(sending) = self.pictures.waiting.front_mut() {
                sending.next = part;
            }
            return Ok(Some(Outgoing::beside(bytes, self.change())));
        }
        self.pictures.at_hand = None;
        Ok(None)
    }

    /// All went out, and nobody says that it is there: that may have been lost. The last part of one goes out again, ever more seldom.
    fn remind(&mut self, now: f64, largest: usize) -> Result<()> {
        let Some(asked) = self.pictures.unconfirmed.filter(|_| self.pictures.waiting.is_empty()) else { return Ok(()) };
        let (last, times) = *self.pictures.reminded.get_or_insert((now, 0));
        let wait = self.config.resend_seconds * f64::from(1_u32 << times.min(MAX_DOUBLINGS));
        if now < last + wait {
            return Ok(());
        }
        let Some(picture) = self.store.picture(asked)? else {
            self.pictures.heard(self.store.first_picture()?);
            return Ok(());
        };
        let next = picture.len().div_ceil(self.part_length(largest)).saturating_sub(1);
        self.pictures.waiting.push_back(Sending { asked, missing: MissingParts::all(asked.1), next });
        self.pictures.reminded = Some((now, times + 1));
        Ok(())
    }

    /// Bytes of a part, but for the last one.
    fn part_length(&self, largest: usize) -> usize {
        self.part_bytes.min(largest.saturating_sub(AROUND)).max(1)
    }

    /// The next part of the first picture that waits, and what is next after it; nothing where all went out.
    fn part(&self, largest: usize) -> Option<(usize, PicturePart<'_>)> {
        let sending = self.pictures.waiting.front()?;
        let (_, picture) = self.pictures.at_hand.as_ref().filter(|at_hand| at_hand.0 == sending.asked)?;
        let length = self.part_length(largest);
        let parts = u16::try_from(picture.len().div_ceil(length)).ok()?;
        let part = sending.missing.parts(parts).nth(sending.next)?;
        let begin = usize::from(part) * length;
        let bytes = picture.get(begin..picture.len().min(begin + length))?;
        let crc = (part + 1 == parts).then(|| crc32fast::hash(picture));
        Some((sending.next + 1, PicturePart { ask: sending.asked.1, part, parts, crc, bytes }))
    }
}
