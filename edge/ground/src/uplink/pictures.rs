//! Requests for pictures on their way up: some of a vehicle at a time, each until its vehicle has answered; then the parts that are missing,
//! until the picture is here, and that it is.

use super::commands::{Due, Unanswered};
use super::progress::Progress;
use super::{Contact, RECENT, Uplink, Whose};
use crate::archive::{Archive, Brought, OpenPicture, SentAsk};
use crate::error::{Error, Result, chain};
use crate::message::Outcome;
use cssa_wire::{Ask, CommandResult, Key, MissingParts, Up, WINDOW};
use std::time::{Duration, Instant};

/// Pictures of a vehicle that are asked for at once: two stations have room aboard.
const AT_ONCE: u32 = 16;
/// So often its vehicle may be heard after a request went out, and not answer.
const MAX_IN_VAIN: u32 = 24;
/// A vehicle that goes on sending a picture that is here is told so, so often at most.
const TOLD: Duration = Duration::from_secs(1);

impl Uplink {
    /// A part came from a vehicle.
    pub(crate) fn brought(&mut self, sender: &str, vehicle: u16, brought: Brought, now: Instant) {
        let id = match brought {
            Brought::Unasked => return,
            Brought::More(id) | Brought::Again(id) | Brought::Damaged(id) => id,
            Brought::Whole(id, ask) | Brought::Here(id, ask) => {
                let told =
                    self.pictures.known.get(&id).filter(|progress| progress.named.is_none() && progress.times == 0);
                if told.is_none_or(|told| now.saturating_duration_since(told.last) >= TOLD) {
                    self.pictures.whole.push((super::whose(sender, vehicle), id, ask));
                }
                return;
            }
        };
        let progress = self.pictures.progress(id, now);
        (progress.last, progress.times) = (now, 1);
    }

    /// A vehicle has answered what names missing parts: it does not know the picture any more, which is then asked for anew.
    pub(crate) fn forgotten(&mut self, outcome: &Outcome, archive: &mut Archive) -> Result<()> {
        if outcome.station != self.station.number || outcome.result != CommandResult::NotKept {
            return Ok(());
        }
        let named = self.pictures.known.iter().find(|(_, progress)| progress.named == Some(outcome.counter));
        let Some((&id, _)) = named else { return Ok(()) };
        self.pictures.known.remove(&id);
        archive.ask_anew(id)
    }

    /// A vehicle has answered the request of a row: where that is to be made again, it has not been in vain so far.
    pub(crate) fn answered(&mut self, id: i64) {
        if let Some(progress) = self.pictures.known.get_mut(&id) {
            progress.in_vain = 0;
        }
    }

    /// What is to go out at `now` for the pictures of vehicles that were heard at a port from `to` within the last minute.
    pub(super) fn due_pictures(
        &mut self,
        port: usize,
        to: &str,
        now: Instant,
        archive: &mut Archive,
    ) -> Result<Vec<Due>> {
        let mut all = Vec::new();
        for (whose, key, contact) in self.in_reach(port, to, now) {
            // A command's packet must not fall out of its vehicle's window.
            if self.holds_back(whose.1, to, archive)? {
                continue;
            }
            self.tell_whole(&whose, &key, now, archive, &mut all)?;
            for open in archive.open_pictures(whose.1, to, AT_ONCE)? {
                let before = self.pictures.known.get(&open.id).copied();
                if before.is_some_and(|progress| !progress.is_due(now, contact.began)) {
                    continue;
                }
                let in_vain = before.map_or(0, |before| before.in_vain + u32::from(contact.heard > before.last));
                if !open.is_coming && in_vain >= MAX_IN_VAIN {
                    let (id, times) = (open.id, before.map_or(0, |before| before.times));
                    archive.end_picture(id, "unanswered", &format!("sent {times} times"))?;
                    self.pictures.known.remove(&id);
                    all.push(Due::GivenUp(Unanswered { what: "picture", id, vehicle: whose.1, times }));
                    continue;
                }
                let Some((packet, named)) = self.packet_of_picture(&open, whose.1, &key, archive)? else { continue };
                all.push(Due::Send(packet));
                let progress = self.pictures.progress(open.id, now);
                *progress = Progress { last: now, times: progress.times + 1, in_vain, named };
            }
        }
        Ok(all)
    }

    fn tell_whole(
        &mut self,
        whose: &Whose,
        key: &Key,
        now: Instant,
        archive: &mut Archive,
        all: &mut Vec<Due>,
    ) -> Result<()> {
        let waiting = std::mem::take(&mut self.pictures.whole);
        for (of, id, ask) in waiting {
            if of == *whose {
                let whole = Up::Missing(MissingParts::of(ask, []));
                all.push(Due::Send(self.packet(whose.1, whole, key, archive)?.1));
                *self.pictures.progress(id, now) = Progress { last: now, times: 0, in_vain: 0, named: None };
            } else if self.contacts.contains_key(&of) {
                self.pictures.whole.push((of, id, ask));
            }
        }
        Ok(())
    }

    /// The packet that goes out for a picture, and its number where it names missing parts: first the request, kept before it goes out; once
    /// the picture comes, what of it does not. Nothing where another station has just taken it, or where it cannot be sent.
    fn packet_of_picture(
        &mut self,
        open: &OpenPicture,
        vehicle: u16,
        key: &Key,
        archive: &mut Archive,
    ) -> Result<Option<(Vec<u8>, Option<u32>)>> {
        if let Some(SentAsk { station, ask, counter, packet }) = &open.sent {
            if !open.is_coming && self.next_counter(archive)?.saturating_sub(*counter) >= WINDOW {
                // Its vehicle would not take it any more.
                return archive.ask_anew(open.id).map(|()| None);
            }
            if !open.is_coming {
                return Ok(Some((packet.clone(), None)));
            }
            // Whoever asked goes on.
            if *station != self.station.number {
                return Ok(None);
            }
            let missing = archive.missing_parts(open.id, *ask)?;
            if missing.is_whole() {
                return Ok(None);
            }
            let (counter, packet) = self.packet(vehicle, Up::Missing(missing), key, archive)?;
            return Ok(Some((packet, Some(counter))));
        }
        // All numbers of the station are taken: later.
        let Some(ask) = archive.ask_number(self.station.number)? else { return Ok(None) };
        let request = Up::Ask(Ask { ask, caption: open.sequence, pixels: open.pixels, crop: open.crop });
        match self.packet(vehicle, request, key, archive) {
            Ok((counter, packet)) => {
                let sent = SentAsk { station: self.station.number, ask, counter, packet };
                let taken = archive.take_ask(open.id, &sent)?;
                Ok(taken.then_some((sent.packet, None)))
            }
            Err(error @ Error::Packet(_)) => archive.end_picture(open.id, "refused", &chain(&error)).map(|()| None),
            Err(error) => Err(error),
        }
    }

    /// The vehicles that were heard at a port from `to` within the last minute, with their keys.
    pub(super) fn in_reach(&self, port: usize, to: &str, now: Instant) -> Vec<(Whose, Key, Reach)> {
        let is_in_reach = |contact: &Contact| {
            (contact.port, contact.from.as_str()) == (port, to)
                && now.saturating_duration_since(contact.heard) <= RECENT
        };
        let in_reach = self.contacts.iter().filter(|(_, contact)| is_in_reach(contact));
        let reach = |contact: &Contact| Reach { heard: contact.heard, began: contact.began };
        in_reach.map(|(whose, contact)| (whose.clone(), contact.key.clone(), reach(contact))).collect()
    }
}

/// When a vehicle was heard last, and since when without a gap.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) heard: Instant,
    pub(super) began: Instant,
}
