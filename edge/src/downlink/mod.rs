//! What leaves the queue, and when: the most urgent captions first, within the contact's budget, again and again until the ground
//! acknowledges them. All of it without a clock or a link of its own, so that a simulation runs the same code as a flight.

mod answer_queue;
mod answers;
mod config;
mod contact;
mod footprints;
mod housekeeping;
mod keys;
mod new_key;
mod outgoing;
mod picture_queue;
mod pictures;
pub(crate) mod sender;

pub use config::{ContactConfig, LinkConfig};
pub(crate) use contact::read_passes;
pub use keys::Keys;
pub use outgoing::{Next, Outgoing, Room};

use crate::error::Result;
use crate::store::{Change, ChangeKind, REFUSED, Store, Waiting, WaitingReport};
use answer_queue::Answers;
use contact::{Allowance, Contacts};
use cssa::bundle::Language;
use cssa::clock;
use cssa_wire::{self as wire, CaptionPacket, Command, Down, DownPacket, Key, MAX_PART, Up, UpPacket};
use picture_queue::Pictures;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Captions that may be on their way at once.
const WINDOW: usize = 1024;
/// Acknowledged captions that are remembered, for acknowledgements that name them again.
const MAX_RETIRED: usize = 4096;
/// Resends wait up to 2^4 times as long as the first.
const MAX_DOUBLINGS: u32 = 4;
/// How often a report goes out while somebody listens, where there is a key: nobody acknowledges it.
const REPORT_SENDS: u8 = 3;
/// When nothing is heard for so many times the wait before a resend, the ground is taken for gone.
const SILENCE: f64 = 3.0;

/// The downlink of one vehicle.
#[derive(Debug)]
pub struct Downlink {
    store: Arc<Store>,
    config: LinkConfig,
    keys: Option<Keys>,
    /// The first caption of this start, while nothing has told the time.
    undated: Option<u32>,
    contacts: Contacts,
    /// Captions that were sent and not acknowledged, by number.
    in_flight: BTreeMap<u32, InFlight>,
    /// Footprints of captions that were sent.
    following: footprints::Following,
    /// Reports that were sent and wait to be sent again, by their run.
    reported: BTreeMap<(u32, u32), InFlight>,
    /// Digests of captions that were acknowledged lately, by number.
    retired: BTreeMap<u32, u32>,
    /// What became of commands.
    answers: Answers,
    /// What the ground wants to see, and bytes of a part of it at most.
    pictures: Pictures,
    part_bytes: usize,
    /// When the ground was heard last.
    heard: Option<f64>,
    /// When the last housekeeping packet went out; and whether one was asked for.
    housekept: f64,
    is_status_due: bool,
    /// When something was sent last, and when captions were, which alone ask for an answer.
    sent: Option<f64>,
    captioned: Option<f64>,
}

/// When a caption or report went out last, and how often.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    at: f64,
    times: u32,
}

impl Downlink {
    /// The downlink of a store. Times are `now`, seconds on a clock that never jumps, and `utc`, seconds since 1970.
    pub fn new(store: Arc<Store>, config: &LinkConfig, now: f64, utc: u32) -> Result<Self> {
        Self::with_keys(store, config, config.keys()?, now, utc)
    }

    /// With a key that is in no file.
    pub fn with_key(store: Arc<Store>, config: &LinkConfig, key: Option<Key>, now: f64, utc: u32) -> Result<Self> {
        Self::with_keys(store, config, key.map(Keys::from), now, utc)
    }

    fn with_keys(store: Arc<Store>, config: &LinkConfig, keys: Option<Keys>, now: f64, utc: u32) -> Result<Self> {
        let keys = keys.map(|keys| keys.with_store(&store)).transpose()?;
        let contacts = Contacts::new(config.contact.as_ref(), store.contact()?, now, utc)?;
        if keys.is_some() {
            store.sends_anew()?;
        }
        let undated = if utc < clock::EARLIEST { Some(store.next_number()?) } else { None };
        let (in_flight, reported, retired) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (answers, config) = (Answers::default(), config.clone());
        let pictures = Pictures::of(store.first_picture()?);
        Ok(Self {
            store,
            config,
            keys,
            undated,
            contacts,
            in_flight,
            following: footprints::Following::default(),
            reported,
            retired,
            answers,
            pictures,
            part_bytes: MAX_PART,
            heard: None,
            housekept: now,
            is_status_due: false,
            sent: None,
            captioned: None,
        })
    }

    /// What to do now.
    pub fn next(&mut self, now: f64, utc: u32, language: &Language, room: Room<'_>) -> Result<Next> {
        self.date(now, utc)?;
        let (probes, left) = match self.contacts.allowance(now, utc) {
            Allowance::Free => (self.is_silent(now), usize::MAX),
            Allowance::Bytes(0) => return self.wait(now),
            Allowance::Bytes(left) => (self.is_silent(now), left),
            Allowance::Probe => (true, usize::MAX),
        };
        if let Some(packet) = self.following(language, room, left)? {
            return Ok(Next::Send(packet));
        }
        let most = usize::from(self.config.captions);
        let waiting = if probes {
            // While nobody answers, now and then a packet with the most urgent caption, whether it went out before or not.
            let again = self.captioned.map_or(0.0, |sent| sent + self.config.resend_seconds - now);
            if again > 0.0 {
                return if self.is_empty()? { Ok(Next::Empty) } else { Ok(Next::Wait(again)) };
            }
            self.store.peek(1, |_| true)?
        } else {
            let on_their_way = self.in_flight.values().filter(|in_flight| now < self.due(in_flight)).count();
            let due = |sequence| self.in_flight.get(&sequence).is_none_or(|in_flight| now >= self.due(in_flight));
            self.store.peek(most.min(WINDOW.saturating_sub(on_their_way)), due)?
        };
        // While nobody answers, the most urgent caption asks for an answer; a report only where there is none.
        if (waiting.is_empty() || !probes)
            && let Some(report) = self.report(now, language, room, left)?
        {
            return Ok(Next::Send(report));
        }
        if waiting.is_empty() {
            return self.wait(now);
        }
        let Some((bytes, count)) = self.pack(&waiting, language, room, left)? else { return self.wait(now) };
        let captions = self.store.mark(waiting[..count].to_vec())?;
        if captions.len() < count {
            // Some were displaced or acknowledged meanwhile.
            return Ok(Next::Wait(0.0));
        }
        let footprints = self.footprints_of(&captions)?;
        Ok(Next::Send(Outgoing { captions, footprints, ..Outgoing::beside(bytes, self.change()) }))
    }

    fn change(&self) -> Change {
        self.store.change(ChangeKind::Sent)
    }

    /// A packet went out, and took `cost` bytes with its frame.
    pub fn sent(&mut self, packet: &Outgoing, cost: usize, now: f64) -> Result<()> {
        let sends = self.keys.is_none().then_some(self.config.sends);
        if let Some((report, _)) = &packet.report {
            self.reported(packet.change.with(ChangeKind::Reported), report, now)?;
        }
        // After an error this is called again: what is remembered changes when all of it does.
        self.store.sent(packet.change, &packet.captions, cost, sends, self.contacts.after(cost).as_ref())?;
        self.follow(packet)?;
        self.contacts.at_hand = self.contacts.after(cost);
        self.sent = Some(now);
        if !packet.captions.is_empty() {
            self.captioned = Some(now);
        }
        if self.keys.is_some() {
            for waiting in &packet.captions {
                let times = self.in_flight.get(&waiting.sequence).map_or(0, |in_flight| in_flight.times);
                self.in_flight.insert(waiting.sequence, InFlight { at: now, times: times + 1 });
            }
        }
        Ok(())
    }

    /// Something came from the ground. Takes it once, if it is authentic and for this vehicle: captions that arrived are retired here,
    /// and what it says is given for others to do the rest.
    pub fn receive(&mut self, bytes: &[u8], now: f64, utc: u32) -> Result<Option<UpPacket>> {
        let Some(keys) = &self.keys else { return Ok(None) };
        let Some((packet, key)) = keys.open(bytes, self.config.vehicle, self.config.checksum) else {
            self.store.count(REFUSED)?;
            return Ok(None);
        };
        let number = (key.name(), packet.station, packet.counter);
        let taken = match &packet.body {
            Up::Command(command @ Command::NewKeyPart { .. }) => {
                self.take_new_key(number, command, &key)?.then(Vec::new)
            }
            body => self.store.apply_acknowledgement(number, body, &self.retired)?,
        };
        let Some(gone) = taken else {
            self.answer_again(number, &packet.body, now)?;
            return Ok(None);
        };
        self.answers.counts(packet.station);
        if !matches!(packet.body, Up::Acknowledge(_)) {
            // What is refused at once has its answer now.
            self.answers.ask((packet.station, packet.counter));
        }
        if let Some(keys) = &mut self.keys {
            keys.heard(&key);
        }
        self.is_status_due |= packet.body == Up::Command(Command::StatusNow);
        if self.is_silent(now) {
            // What went out while nobody listened is due again.
            self.in_flight.clear();
            self.reported.clear();
        }
        for (sequence, digest) in gone {
            self.in_flight.remove(&sequence);
            self.retired.insert(sequence, digest);
        }
        while self.retired.len() > MAX_RETIRED {
            self.retired.pop_first();
        }
        match &packet.body {
            Up::Missing(missing) => {
                self.pictures.want((packet.station, missing.ask), missing.clone());
                self.pictures.heard(self.store.first_picture()?);
            }
            Up::Command(Command::ForgetPictures) => self.pictures = Pictures::default(),
            _ => {}
        }
        self.heard = Some(now);
        self.contacts.heard(now, utc);
        Ok(Some(packet))
    }

    /// Parts of pictures have so many bytes at most.
    #[must_use]
    pub fn with_parts_of(self, bytes: u16) -> Self {
        Self { part_bytes: usize::from(bytes).min(MAX_PART), ..self }
    }

    /// The oldest report that is due, before any caption: it says that captions are missing. When its run is over another one follows.
    fn report(&self, now: f64, language: &Language, room: Room<'_>, left: usize) -> Result<Option<Outgoing>> {
        let due = |run| self.reported.get(&run).is_none_or(|sent| now >= self.due(sent));
        let Some(next) = self.store.next_report(due)? else { return Ok(None) };
        let body = Down::Report(next.0.report);
        let packet = DownPacket { vehicle: self.config.vehicle, bundle: language.id, body };
        let bytes = packet.encode(self.sealing(), self.config.checksum)?;
        let fits = bytes.len() <= room.largest && (room.cost)(bytes.len()) <= left;
        Ok(fits.then(|| Outgoing { report: Some(next), ..Outgoing::beside(bytes, self.change()) }))
    }

    /// A report went out. Where nobody listens it is none that arrived, however often it went.
    fn reported(&mut self, change: Change, report: &WaitingReport, now: f64) -> Result<()> {
        if self.keys.is_none() {
            self.store.reported(change, report, self.config.sends)?;
        } else if !self.is_silent(now) && self.store.reported(change, report, REPORT_SENDS)? {
            self.reported.remove(&report.run);
        } else {
            let times = self.reported.get(&report.run).map_or(0, |sent| sent.times);
            self.reported.insert(report.run, InFlight { at: now, times: times + 1 });
        }
        Ok(())
    }

    /// Whether nothing waits.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.store.waiting()? == 0 && self.store.waiting_reports()? == 0)
    }

    /// Whether captions wait for an acknowledgement.
    pub(super) fn is_acknowledged(&self) -> bool {
        self.keys.is_some()
    }

    /// The key of packets down.
    fn sealing(&self) -> Option<&Key> {
        self.keys.as_ref().map(Keys::sealing)
    }

    /// The clock has been set: captions of this start that never went out get their times.
    fn date(&mut self, now: f64, utc: u32) -> Result<()> {
        if let Some(first) = self.undated.filter(|_| utc >= clock::EARLIEST) {
            self.store.date(first, utc.saturating_sub(now as u32))?;
            self.undated = None;
        }
        Ok(())
    }

    /// How long an answer may take at the most before it is taken for lost.
    fn patience(&self) -> std::time::Duration {
        let seconds = if self.keys.is_some() { 2.0 * self.config.resend_seconds } else { 0.0 };
        std::time::Duration::from_secs_f64(seconds)
    }

    /// As many of the captions as fit into a packet, if one does.
    fn pack(
        &self,
        waiting: &[Waiting],
        language: &Language,
        room: Room<'_>,
        left: usize,
    ) -> Result<Option<(Vec<u8>, usize)>> {
        let mut count = waiting.len();
        loop {
            let numbered = |w: &Waiting| wire::Caption { repeat: w.tries > 0, ..w.caption.numbered(w.sequence) };
            let captions = waiting[..count].iter().map(numbered).collect();
            let LinkConfig { vehicle, decimals, checksum, .. } = self.config;
            let packet = CaptionPacket { vehicle, bundle: language.id, decimals, captions };
            match packet.encode(&language.model, self.sealing(), checksum) {
                Ok(bytes) if bytes.len() <= room.largest && (room.cost)(bytes.len()) <= left => {
                    return Ok(Some((bytes, count)));
                }
                Ok(_) if count > 1 => count -= count.div_ceil(4),
                Ok(bytes) if bytes.len() <= room.largest => return Ok(None),
                // Nothing that the link ever takes: the others must not wait behind it.
                Ok(_) | Err(_) if count == 1 => {
                    self.store.give_up(&waiting[0])?;
                    return Ok(None);
                }
                Ok(_) | Err(_) => count -= count.div_ceil(4),
            }
        }
    }

    /// How long nothing is to be sent: until the next resend, or until the allowance may have changed.
    fn wait(&mut self, now: f64) -> Result<Next> {
        if self.store.waiting()? == 0 {
            // Displaced ones are never acknowledged.
            self.in_flight.clear();
            if self.store.waiting_reports()? == 0 {
                self.reported.clear();
                return Ok(Next::Empty);
            }
        }
        let on_their_way = self.in_flight.values().chain(self.reported.values());
        let next = on_their_way.map(|in_flight| self.due(in_flight) - now).filter(|&left| left > 0.0);
        Ok(Next::Wait(next.fold(1.0, f64::min)))
    }

    fn due(&self, in_flight: &InFlight) -> f64 {
        let doublings = in_flight.times.saturating_sub(1).min(MAX_DOUBLINGS);
        in_flight.at + self.config.resend_seconds * f64::from(1u32 << doublings)
    }

    fn is_silent(&self, now: f64) -> bool {
        self.keys.is_some() && self.heard.is_none_or(|heard| now - heard > SILENCE * self.config.resend_seconds)
    }
}

#[cfg(test)]
mod tests;
