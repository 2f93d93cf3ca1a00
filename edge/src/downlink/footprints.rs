//! Footprints go out behind their captions, as often as these do: nobody acknowledges them by themselves.

use super::{Downlink, Outgoing, Room};
use crate::error::Result;
use crate::store::Waiting;
use cssa::bundle::Language;
use cssa_wire::{Footprint, FootprintPacket, MAX_FOOTPRINTS};
use std::collections::VecDeque;

/// Footprints that wait for room behind their captions at most; then the oldest go.
const MAX_WAITING: usize = 1024;
/// Counts those that went.
const UNSENT: &str = "footprints_unsent";

/// Footprints whose captions went out.
#[derive(Debug, Default)]
pub(super) struct Following(VecDeque<Footprint>);

impl Following {
    /// Those that go into the next packet: captions of one packet go by ascending numbers.
    fn next(&self) -> Vec<Footprint> {
        let mut next: Vec<Footprint> = Vec::new();
        for footprint in self.0.iter().take(MAX_FOOTPRINTS) {
            if next.last().is_some_and(|last| last.number >= footprint.number) {
                break;
            }
            next.push(*footprint);
        }
        next
    }
}

impl Downlink {
    /// The footprints of captions that are to be sent, around their places as they are sent.
    pub(super) fn footprints_of(&self, captions: &[Waiting]) -> Result<Vec<Footprint>> {
        if !self.config.footprints {
            return Ok(Vec::new());
        }
        let kept = self.store.footprints(captions.iter().map(|waiting| waiting.sequence))?;
        let mut all: Vec<Footprint> = kept
            .into_iter()
            .filter_map(|(number, kept)| {
                let waiting = captions.iter().find(|waiting| waiting.sequence == number)?;
                let centre = waiting.caption.position?.rounded(self.config.decimals);
                Footprint::new(number, kept.accuracy, centre, kept.corners)
            })
            .collect();
        all.sort_by_key(|footprint| footprint.number);
        Ok(all)
    }

    /// A packet of footprints whose captions went out; nothing where there are none, or no room for one.
    pub(super) fn following(&self, language: &Language, room: Room<'_>, left: usize) -> Result<Option<Outgoing>> {
        let mut footprints = self.following.next();
        while !footprints.is_empty() {
            let count = footprints.len();
            let packet = FootprintPacket { vehicle: self.config.vehicle, bundle: language.id, footprints };
            let bytes = packet.encode(self.sealing(), self.config.checksum)?;
            if bytes.len() <= room.largest && (room.cost)(bytes.len()) <= left {
                return Ok(Some(Outgoing { carries: count, ..Outgoing::beside(bytes, self.change()) }));
            }
            footprints = packet.footprints;
            footprints.truncate(count / 2);
        }
        Ok(None)
    }

    /// A packet went out: what it carried has gone, and what belongs to its captions follows.
    pub(super) fn follow(&mut self, packet: &Outgoing) -> Result<()> {
        self.following.0.drain(..packet.carries.min(self.following.0.len()));
        self.following.0.extend(&packet.footprints);
        let over = self.following.0.len().saturating_sub(MAX_WAITING);
        self.following.0.drain(..over);
        if over > 0 {
            self.store.count_by(UNSENT, over as u64)?;
        }
        Ok(())
    }
}
