//! Keeps what packets bring, and says what of it is new.

use super::news::{News, WaitingPart};
use super::{LOOK, ReceiveError, Receiver};
use crate::archive::{Bound, Brought, Origin, Provenance, Undecoded};
use crate::error::Result;
use crate::languages::languages;
use crate::message::{Outcome, Part, Taken};
use crate::reception::{Opened, Reception};
use crate::uplink::{At, disbelieved};
use cssa_wire::Key;
use std::time::{Duration, Instant};

/// Parts of pictures wait so long to be kept with others, so many are enough, and so many wait at most.
const PARTS_WAIT: Duration = Duration::from_millis(300);
const PARTS_TOGETHER: usize = 64;
const MAX_PARTS: usize = 4096;

impl Receiver {
    pub(super) fn keep(
        &mut self,
        reception: &Reception,
        at: Option<&At>,
        sender: &str,
        bytes: &[u8],
        opened: &Opened<'_>,
        now: Instant,
    ) -> Result<(Result<Taken, ReceiveError>, News)> {
        let Reception { checksum, vehicle, .. } = *reception;
        let key = reception.authentication.key_of(bytes, checksum);
        let is_authentic = key.is_some();
        // Footprints wait for their captions' bundle, too.
        if let Some(message) = opened.message(vehicle).filter(|message| message.footprints.is_empty()) {
            if let Some(part) = &message.part {
                let (sender, vehicle, part) = (sender.to_owned(), message.vehicle, part.clone());
                let waiting =
                    |key: &Key| WaitingPart { sender, vehicle, part, at: at.cloned(), key: key.clone(), came: now };
                self.take_part(key.map(waiting));
                return Ok((Ok(Taken::Message(message)), News::None));
            }
            let provenance = match (key, at) {
                (None, _) => Provenance::Anybody,
                (Some(_), Some(_)) => Provenance::Vehicle,
                (Some(_), None) => Provenance::Record,
            };
            let came = self.seen.came(bytes, now);
            let stored = self.archive.keep_message(sender, &message, bytes, provenance)?;
            let period = message.housekeeping.map(|status| status.period);
            // What another program has just kept is news here, too, the first time.
            let is_news = stored.is_new || stored.came_lately && !came;
            let mut news = if is_news && !stored.is_late { News::OfNow(period) } else { News::None };
            // Anybody could say that a command is done.
            if let Some(outcome) = message.outcome.as_ref().filter(|_| is_authentic) {
                let disbelieved = disbelieved(outcome, &self.archive)?;
                if let Some(highest) = disbelieved.filter(|_| stored.is_new) {
                    let (vehicle, station) = (message.vehicle, outcome.station);
                    tracing::warn!(
                        "vehicle {vehicle} says that it has had number {highest} of station {station}, which is not believed: where commands have no answer, name another --station"
                    );
                }
                // Answers are not kept for ever: news is what was waited for.
                news = News::of(disbelieved.is_none() && self.keep_outcome(message.vehicle, outcome)?);
            }
            self.count.messages += u64::from(stored.is_new);
            self.count.displaced += stored.displaced;
            self.count.packets += 1;
            return Ok((Ok(Taken::Message(message)), news));
        }
        let bundle = opened.bundle();
        if !self.languages.contains_key(&bundle) && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            // A bundle that is still being copied is looked at again later.
            if let Ok(found) = languages(&self.places) {
                self.learn(found)?;
            }
        }
        let Some(language) = self.languages.get(&bundle) else {
            let (sender, packet) = (sender.to_owned(), bytes.to_vec());
            let waiting = Undecoded { sender, bundle, checksum, is_authentic, packet };
            let stored = self.archive.keep_undecoded(&waiting)?;
            self.count.undecoded += u64::from(stored.is_new);
            self.count.displaced += stored.displaced;
            self.count.packets += 1;
            return Ok((Err(ReceiveError::Bundle(bundle)), News::unnumbered(stored.is_new)));
        };
        if let Some(message) = opened.message(vehicle) {
            let Bound { new, unbound, unrepresentable, .. } =
                self.archive.keep_footprints(sender, message.vehicle, &message.footprints)?;
            self.count.footprints += new;
            self.count.footprints_lost += unbound + unrepresentable;
            self.count.packets += 1;
            return Ok((Ok(Taken::Message(message)), News::unnumbered(new > 0)));
        }
        let decoded = opened.captions(bytes, language, checksum, vehicle);
        let news = match &decoded {
            Ok(packet) => {
                let came = self.seen.came(bytes, now);
                let before = self.archive.highest_caption(&Origin::of(packet.vehicle, sender.to_owned()))?;
                let kept = self.archive.keep(sender, packet)?;
                self.count.captions += kept.new as u64;
                self.count.again += kept.again as u64;
                let last = packet.captions.iter().map(|caption| caption.sequence).max();
                News::of_captions(kept, last, before, came)
            }
            Err(_) => {
                self.count.damaged += 1;
                News::None
            }
        };
        self.count.packets += 1;
        Ok((decoded.map(Taken::Captions).map_err(ReceiveError::from), news))
    }

    /// Keeps what a vehicle says of a command or a request; whether that was waited for.
    fn keep_outcome(&mut self, vehicle: u16, outcome: &Outcome) -> Result<bool> {
        let is_command = self.archive.keep_outcome(vehicle, outcome)?;
        let picture = self.archive.keep_promise(vehicle, outcome)?;
        let mut is_behind = false;
        if let Some(uplink) = &mut self.uplink {
            uplink.forgotten(outcome, &mut self.archive)?;
            picture.into_iter().for_each(|id| uplink.answered(id));
            is_behind = uplink.go_above(vehicle, outcome, &mut self.archive)?;
        }
        Ok(is_command || picture.is_some() || is_behind)
    }

    /// Takes a part of a picture: with others it is kept a little later. Anybody's is dropped.
    fn take_part(&mut self, authentic: Option<WaitingPart>) {
        self.count.packets += 1;
        match authentic {
            None => self.count.unasked += 1,
            Some(part) if self.parts.len() < MAX_PARTS => {
                self.parts_since.get_or_insert_with(Instant::now);
                self.parts.push(part);
            }
            Some(_) => {}
        }
    }

    /// Keeps the parts of pictures that wait, where they are many or have waited for long.
    pub(crate) fn keep_due_parts(&mut self) -> Result<()> {
        let is_long = self.parts_since.is_some_and(|since| since.elapsed() >= PARTS_WAIT);
        if is_long || self.parts.len() >= PARTS_TOGETHER { self.keep_parts() } else { Ok(()) }
    }

    /// Keeps the parts of pictures that wait: one change of the archive for all, since each takes its time.
    pub(crate) fn keep_parts(&mut self) -> Result<()> {
        let parts: Vec<(u16, &Part)> = self.parts.iter().map(|waiting| (waiting.vehicle, &waiting.part)).collect();
        let kept = if parts.is_empty() { Vec::new() } else { self.archive.keep_parts(&parts)? };
        self.parts_since = None;
        for (waiting, brought) in std::mem::take(&mut self.parts).into_iter().zip(kept) {
            let WaitingPart { sender, vehicle, at, key, came, .. } = waiting;
            match brought {
                Brought::Unasked => self.count.unasked += 1,
                Brought::Again(_) | Brought::Here(..) => self.count.messages += 1,
                Brought::More(_) | Brought::Whole(..) | Brought::Damaged(_) => {
                    self.count.messages += 1;
                    self.perhaps_heard(at.as_ref(), &sender, vehicle, Some(&key), came);
                }
            }
            if let Some(uplink) = &mut self.uplink {
                uplink.brought(&sender, vehicle, brought, Instant::now());
            }
        }
        Ok(())
    }
}
