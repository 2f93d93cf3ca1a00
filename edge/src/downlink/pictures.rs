//! Pictures on their way down, after all captions: first all parts of one, then those that the ground says are missing.

use super::contact::Allowance;
use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::{Asked, PICTURE_PARTS};
use cssa::bundle::Language;
use cssa_wire::{Down, DownPacket, MissingParts, PicturePart};
use std::collections::VecDeque;

/// Bytes that a part's packet has beside the part at most: version, vehicle, bundle, body, three numbers, CRC, length, code, checksum.
const AROUND: usize = 1 + 3 + 2 + 1 + 3 * 3 + 6 + 2 + 5 + 4;

/// What is to go out.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    waiting: VecDeque<Sending>,
    /// The picture that is being sent, so that the store is not asked for each part.
    at_hand: Option<(Asked, Vec<u8>)>,
}

/// The parts of a picture that are to go out.
#[derive(Debug)]
struct Sending {
    asked: Asked,
    missing: MissingParts,
    next: usize,
}

impl Pictures {
    /// These parts are missing on the ground, as it saw last.
    pub(super) fn want(&mut self, asked: Asked, missing: MissingParts) {
        if missing.is_whole() {
            self.waiting.retain(|sending| sending.asked != asked);
            self.at_hand.take_if(|at_hand| at_hand.0 == asked);
            return;
        }
        let anew = Sending { asked, missing, next: 0 };
        match self.waiting.iter_mut().find(|sending| sending.asked == asked) {
            Some(sending) => *sending = anew,
            None => self.waiting.push_back(anew),
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Downlink {
    /// The next part of a picture, while somebody listens and no caption is due; nothing where none is wanted, or the contact has no room
    /// beside what it keeps for captions.
    pub fn picture(&mut self, (now, utc): (f64, u32), language: &Language, room: Room<'_>) -> Result<Option<Outgoing>> {
        if self.keys.is_none() || self.is_silent(now) {
            return Ok(None);
        }
        let left = match self.contacts.allowance(now, utc) {
            Allowance::Free => usize::MAX,
            Allowance::Bytes(left) => left.saturating_sub(self.contacts.reserve()),
            Allowance::Probe => return Ok(None),
        };
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

    /// The next part of the first picture that waits, and what is next after it; nothing where all went out.
    fn part(&self, largest: usize) -> Option<(usize, PicturePart<'_>)> {
        let sending = self.pictures.waiting.front()?;
        let (_, picture) = self.pictures.at_hand.as_ref().filter(|at_hand| at_hand.0 == sending.asked)?;
        let length = self.part_bytes.min(largest.saturating_sub(AROUND)).max(1);
        let parts = u16::try_from(picture.len().div_ceil(length)).ok()?;
        let part = sending.missing.parts(parts).nth(sending.next)?;
        let begin = usize::from(part) * length;
        let bytes = picture.get(begin..picture.len().min(begin + length))?;
        let crc = (part + 1 == parts).then(|| crc32fast::hash(picture));
        Some((sending.next + 1, PicturePart { ask: sending.asked.1, part, parts, crc, bytes }))
    }
}
