//! Takes packets from ports, keeps their captions, and answers.

mod listen;

pub use super::reception::{Authentication, Reception};
pub use listen::{Listening, ShowAll};

use super::archive::{Archive, Bound, Brought, Kept, Origin, Undecoded};
use super::contact::{Change, Contacts};
use super::error::{Error, Result};
use super::keys::{KeyRefusal, Refusal};
use super::languages::languages;
use super::message::{Part, Taken};
use super::reception::Opened;
use super::uplink::{Due, Unanswered, Uplink};
use cssa::bundle::Language;
use cssa_link::FrameError;
use cssa_wire::WireError;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks for a bundle that is missing.
const LOOK: Duration = Duration::from_secs(5);
/// Seconds for which a vehicle that was heard before is expected again.
const EXPECTED: u32 = 24 * 3600;
/// Parts of pictures wait so long to be kept with others, so many are enough, and so many wait at most.
const PARTS_WAIT: Duration = Duration::from_millis(300);
const PARTS_TOGETHER: usize = 64;
const MAX_PARTS: usize = 4096;
/// Packets that waited are decoded so many at once.
const TOGETHER: u32 = 256;

/// What came, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ReceiveStatistics {
    /// Packets whose checksum was right.
    pub packets: u64,
    /// Captions that are new.
    pub captions: u64,
    /// Captions that were there already.
    pub again: u64,
    /// Reports, answers, statuses and parts of pictures.
    pub messages: u64,
    /// Parts of pictures that nobody asked for.
    pub unasked: u64,
    /// Footprints that are new.
    pub footprints: u64,
    /// Footprints of captions that are not here, or that go over the date line or a pole.
    pub footprints_lost: u64,
    /// Packets of a bundle that is not here, kept for later.
    pub undecoded: u64,
    /// Packets that waited, and messages, that went out of the archive for new ones.
    pub displaced: u64,
    /// Packets whose code of authentication is wrong, or is missing where a key asks for one.
    pub refused: u64,
    /// Of these, packets that name one vehicle and are under the key of another.
    pub other_key: u64,
    /// Of these, packets of a vehicle that has no key here.
    pub no_key: u64,
    /// Damaged packets, and what is none.
    pub damaged: u64,
    /// Frames that are missing, where the link counts them.
    pub missing: u64,
    /// Acknowledgements and commands that were sent.
    pub answers: u64,
    /// Times that the port or the archive failed, and was tried again.
    pub failures: u64,
}

/// Why something that came was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiveError {
    /// No frame, or a broken one.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No packet, or a damaged one.
    #[error(transparent)]
    Packet(#[from] WireError),
    /// Its code of authentication says nothing for its vehicle.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// Its bundle is not here.
    #[error("made with bundle {0:04x}, which is not here: name it with --bundle, or put it into a folder named there")]
    Bundle(u16),
    /// A vehicle says nothing of a command.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The port or the archive failed; it is tried again.
    #[error("{0}")]
    Failed(String),
}

/// Is told of every packet: who sent it, and what is in it or why nothing is.
/// An error of its own, `E`, ends the reception.
pub type Show<'a, E = Error> = &'a mut dyn FnMut(&str, &Result<Taken, ReceiveError>) -> Result<(), E>;

/// A receiver with the bundles that it knows.
#[derive(Debug)]
pub struct Receiver {
    places: Vec<PathBuf>,
    languages: BTreeMap<u16, Language>,
    looked: Instant,
    archive: Archive,
    reception: Reception,
    uplink: Option<Uplink>,
    contacts: Contacts,
    /// Parts of pictures that wait to be kept, with who sent them, and since when.
    parts: Vec<(String, u16, Part)>,
    parts_since: Option<Instant>,
    /// Frames that are missing, by port.
    missing: Vec<u64>,
    is_failing: bool,
    /// What came.
    pub count: ReceiveStatistics,
}

impl Receiver {
    /// A receiver with the bundles at `places` (bundles, or folders of bundles), that first decodes what waited in the archive for one
    /// of them. With an uplink it acknowledges what it has kept.
    pub fn new(places: Vec<PathBuf>, archive: Archive, reception: Reception, uplink: Option<Uplink>) -> Result<Self> {
        let found = languages(&places)?;
        if found.is_empty() {
            return Err(Error::NoBundle(places));
        }
        let (languages, looked, mut contacts) = (BTreeMap::new(), Instant::now(), Contacts::default());
        for vehicle in archive.vehicles(cssa::clock::now())? {
            let period = vehicle.status.map_or(0, |status| status.period);
            if vehicle.silence <= EXPECTED {
                let origin = Origin::of(vehicle.vehicle, vehicle.sender.unwrap_or_default());
                contacts.expect(origin, period, Duration::from_secs(vehicle.silence.into()), looked);
            }
        }
        let count = ReceiveStatistics::default();
        let (missing, is_failing) = (Vec::new(), false);
        let (parts, parts_since) = (Vec::new(), None);
        let mut receiver = Self {
            places,
            languages,
            looked,
            archive,
            reception,
            uplink,
            contacts,
            parts,
            parts_since,
            missing,
            is_failing,
            count,
        };
        receiver.learn(found)?;
        Ok(receiver)
    }

    /// Takes new bundles, and decodes what waited for them.
    fn learn(&mut self, found: Vec<Language>) -> Result<()> {
        for language in found {
            let id = language.id;
            if self.languages.insert(id, language).is_some() {
                continue;
            }
            let mut dropped = 0;
            loop {
                let waiting = self.archive.undecoded(id, TOGETHER)?;
                if waiting.is_empty() {
                    break;
                }
                for (_, waiting) in &waiting {
                    if let Err(problem) = self.take_waiting(waiting)? {
                        dropped += 1;
                        // One for all: anybody can have sent thousands.
                        if dropped == 1 {
                            say_dropped(waiting, &problem);
                        }
                    }
                }
                let rows: Vec<i64> = waiting.iter().map(|(row, _)| *row).collect();
                self.archive.forget_undecoded(&rows)?;
            }
            if dropped > 1 {
                tracing::warn!("{} more packets that waited for bundle {id:04x} are dropped", dropped - 1);
            }
        }
        Ok(())
    }

    /// Takes a packet whose bundle is here now, by what was asked of it when it came. One that its bundle cannot read is none of it.
    fn take_waiting(&mut self, waiting: &Undecoded) -> Result<Result<Taken, ReceiveError>> {
        let Undecoded { sender, checksum, packet, .. } = waiting;
        let vehicle = self.reception.vehicle;
        let reception = Reception { checksum: *checksum, authentication: Authentication::Off, vehicle };
        match self.open(&reception, packet) {
            Ok(opened) => self.keep(&reception, sender, packet, &opened),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Takes the bytes of a packet. An error is one of the archive; a packet that is damaged or not authentic is counted.
    pub fn take(&mut self, sender: &str, bytes: &[u8]) -> Result<Result<Taken, ReceiveError>> {
        self.take_at(sender, bytes, Instant::now())
    }

    /// Takes the bytes of a packet that came at `now`.
    pub fn take_at(&mut self, sender: &str, bytes: &[u8], now: Instant) -> Result<Result<Taken, ReceiveError>> {
        self.take_of(Some(0), sender, bytes, now)
    }

    /// Takes the bytes of a packet that came at `now`; its vehicle is spoken to at `port`, if at all.
    fn take_of(
        &mut self,
        port: Option<usize>,
        sender: &str,
        bytes: &[u8],
        now: Instant,
    ) -> Result<Result<Taken, ReceiveError>> {
        let reception = self.reception.clone();
        let opened = match self.open(&reception, bytes) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error)),
        };
        let vehicle = opened.vehicle(reception.vehicle);
        let period = opened.message(vehicle).and_then(|message| message.housekeeping).map(|found| found.period);
        if let Some(change) = self.contacts.heard(Origin::of(vehicle, sender.to_owned()), period, now) {
            tracing::info!("{change}");
        }
        let key = reception.authentication.key_of(bytes, reception.checksum);
        if let (Some(port), Some(key), Some(uplink)) = (port, key, &mut self.uplink) {
            uplink.heard(port, sender, vehicle, key, now);
        }
        self.keep(&reception, sender, bytes, &opened)
    }

    /// Opens a packet; one that is damaged or not authentic is counted.
    fn open<'a>(&mut self, reception: &Reception, bytes: &'a [u8]) -> Result<Opened<'a>, ReceiveError> {
        reception.open(bytes).map_err(|refusal| match refusal {
            Refusal::Packet(error) => {
                let is_refused = matches!(error, WireError::Mac | WireError::NoMac);
                *(if is_refused { &mut self.count.refused } else { &mut self.count.damaged }) += 1;
                error.into()
            }
            Refusal::Key(error) => {
                self.count.refused += 1;
                match error {
                    KeyRefusal::NoKey(_) => self.count.no_key += 1,
                    KeyRefusal::OtherKey { .. } => self.count.other_key += 1,
                }
                error.into()
            }
        })
    }

    fn keep(
        &mut self,
        reception: &Reception,
        sender: &str,
        bytes: &[u8],
        opened: &Opened<'_>,
    ) -> Result<Result<Taken, ReceiveError>> {
        let Reception { checksum, vehicle, .. } = *reception;
        let is_authentic = reception.authentication.key_of(bytes, checksum).is_some();
        // Footprints wait for their captions' bundle, too.
        if let Some(message) = opened.message(vehicle).filter(|message| message.footprints.is_empty()) {
            if let Some(part) = &message.part {
                self.take_part(sender, message.vehicle, part, is_authentic);
                return Ok(Ok(Taken::Message(message)));
            }
            let stored = self.archive.keep_message(sender, &message, bytes, is_authentic)?;
            // Anybody could say that a command is done.
            if let Some(outcome) = message.outcome.as_ref().filter(|_| is_authentic) {
                self.archive.keep_outcome(message.vehicle, outcome)?;
                self.archive.keep_promise(message.vehicle, outcome)?;
                if let Some(uplink) = &mut self.uplink {
                    uplink.forgotten(outcome, &mut self.archive)?;
                }
            }
            self.count.messages += u64::from(stored.is_new);
            self.count.displaced += stored.displaced;
            self.count.packets += 1;
            return Ok(Ok(Taken::Message(message)));
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
            return Ok(Err(ReceiveError::Bundle(bundle)));
        };
        if let Some(message) = opened.message(vehicle) {
            let Bound { new, unbound, unrepresentable, .. } =
                self.archive.keep_footprints(sender, message.vehicle, &message.footprints)?;
            self.count.footprints += new;
            self.count.footprints_lost += unbound + unrepresentable;
            self.count.packets += 1;
            return Ok(Ok(Taken::Message(message)));
        }
        let decoded = opened.captions(bytes, language, checksum, vehicle);
        match &decoded {
            Ok(packet) => {
                let Kept { new, again } = self.archive.keep(sender, packet)?;
                self.count.captions += new as u64;
                self.count.again += again as u64;
            }
            Err(_) => self.count.damaged += 1,
        }
        self.count.packets += 1;
        Ok(decoded.map(Taken::Captions).map_err(ReceiveError::from))
    }

    /// Takes a part of a picture: with others it is kept a little later. Anybody's is dropped.
    fn take_part(&mut self, sender: &str, vehicle: u16, part: &Part, is_authentic: bool) {
        self.count.packets += 1;
        if !is_authentic {
            self.count.unasked += 1;
        } else if self.parts.len() < MAX_PARTS {
            self.parts_since.get_or_insert_with(Instant::now);
            self.parts.push((sender.to_owned(), vehicle, part.clone()));
        }
    }

    /// Keeps the parts of pictures that wait, where they are many or have waited for long.
    pub(crate) fn keep_due_parts(&mut self) -> Result<()> {
        let is_long = self.parts_since.is_some_and(|since| since.elapsed() >= PARTS_WAIT);
        if is_long || self.parts.len() >= PARTS_TOGETHER { self.keep_parts() } else { Ok(()) }
    }

    /// Keeps the parts of pictures that wait: one change of the archive for all, since each takes its time.
    pub(crate) fn keep_parts(&mut self) -> Result<()> {
        let parts: Vec<(u16, &Part)> = self.parts.iter().map(|(_, vehicle, part)| (*vehicle, part)).collect();
        let kept = if parts.is_empty() { Vec::new() } else { self.archive.keep_parts(&parts)? };
        self.parts_since = None;
        for ((sender, vehicle, _), brought) in std::mem::take(&mut self.parts).iter().zip(kept) {
            match brought {
                Brought::Unasked => self.count.unasked += 1,
                Brought::More(_) | Brought::Whole(..) | Brought::Damaged(_) => self.count.messages += 1,
            }
            if let Some(uplink) = &mut self.uplink {
                uplink.brought(sender, *vehicle, brought, Instant::now());
            }
        }
        Ok(())
    }

    /// What to send back for a packet that has been kept.
    pub fn answers(&mut self, sender: &str, taken: &Taken) -> Result<Vec<Vec<u8>>> {
        let Some(uplink) = &mut self.uplink else { return Ok(Vec::new()) };
        uplink.answers(sender, taken, &mut self.archive)
    }

    /// What is to be said of vehicles that should have been heard by `now`; of each once, until it is heard again.
    pub fn missed(&mut self, now: Instant) -> Vec<String> {
        self.contacts.missed(now).iter().map(Change::to_string).collect()
    }

    /// Commands that are to go out at `now` to whom the port reaches at `to`, and those that were in vain.
    pub fn due(&mut self, to: &str, now: Instant) -> Result<Vec<Due>> {
        self.due_at(0, to, now)
    }

    fn due_at(&mut self, port: usize, to: &str, now: Instant) -> Result<Vec<Due>> {
        self.keep_due_parts()?;
        let Some(uplink) = &mut self.uplink else { return Ok(Vec::new()) };
        uplink.due(port, to, now, &mut self.archive)
    }

    fn set_missing(&mut self, port: usize, missing: u64) {
        let ports = self.missing.len().max(port + 1);
        self.missing.resize(ports, 0);
        self.missing[port] = missing;
        self.count.missing = self.missing.iter().sum();
    }

    /// The archive.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }
}

fn say_dropped(waiting: &Undecoded, problem: &ReceiveError) {
    let Undecoded { sender, bundle, checksum, packet, .. } = waiting;
    let (length, bits) = (packet.len(), checksum.bits());
    tracing::warn!(
        "{sender}: a packet of {length} bytes that waited for bundle {bundle:04x} is dropped, taken with a checksum of {bits} bits: {problem}"
    );
}
