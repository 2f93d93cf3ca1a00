//! Takes packets from ports, keeps their captions, and answers.

mod keep;
mod listen;
mod news;

pub use super::reception::{Authentication, Reception};
pub use listen::{Listening, ShowAll};

use super::archive::{Archive, Origin, Undecoded};
use super::contact::{Change, Contacts};
use super::error::{Error, Result};
use super::keys::{KeyRefusal, Refusal};
use super::languages::languages;
use super::message::Taken;
use super::reception::Opened;
use super::uplink::{At, Due, Unanswered, Uplink};
use cssa::bundle::Language;
use cssa_link::FrameError;
use cssa_wire::{Key, WireError};
use news::{News, Seen, WaitingPart};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Between two looks for a bundle that is missing.
const LOOK: Duration = Duration::from_secs(5);
/// Seconds for which a vehicle that was heard before is expected again.
const EXPECTED: u32 = 24 * 3600;
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
    /// Parts of pictures that wait to be kept, and since when.
    parts: Vec<WaitingPart>,
    parts_since: Option<Instant>,
    seen: Seen,
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
            seen: Seen::from(looked),
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
            Ok(opened) => Ok(self.keep(&reception, None, sender, packet, &opened, Instant::now())?.0),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Takes the bytes of a packet. An error is one of the archive; a packet that is damaged or not authentic is counted.
    pub fn take(&mut self, sender: &str, bytes: &[u8]) -> Result<Result<Taken, ReceiveError>> {
        self.take_at(sender, bytes, Instant::now())
    }

    /// Takes the bytes of a packet that came at `now`.
    pub fn take_at(&mut self, sender: &str, bytes: &[u8], now: Instant) -> Result<Result<Taken, ReceiveError>> {
        self.take_of(Some(&At { port: 0, peer: sender.to_owned() }), sender, bytes, now)
    }

    /// Takes the bytes of a packet that came at `now`; its vehicle is spoken to `at` a place, if at all.
    fn take_of(
        &mut self,
        at: Option<&At>,
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
        let key = reception.authentication.key_of(bytes, reception.checksum).cloned();
        if let (Some(key), Some(uplink)) = (&key, &mut self.uplink) {
            uplink.spoke(sender, vehicle, key);
        }
        let (taken, news) = self.keep(&reception, at, sender, bytes, &opened, now)?;
        match news {
            News::OfNow(period) => self.heard(at, sender, vehicle, key.as_ref(), period, now),
            News::Perhaps => self.perhaps_heard(at, sender, vehicle, key.as_ref(), now),
            News::None => {}
        }
        Ok(taken)
    }

    /// A packet brought something new: its vehicle is alive, and is spoken to where it came from, under its key. One that was recorded
    /// and is sent again shows none of that.
    fn heard(
        &mut self,
        at: Option<&At>,
        sender: &str,
        vehicle: u16,
        key: Option<&Key>,
        period: Option<u16>,
        now: Instant,
    ) {
        if let Some(change) = self.contacts.heard(Origin::of(vehicle, sender.to_owned()), period, now) {
            tracing::info!("{change}");
        }
        if let (Some(at), Some(key), Some(uplink)) = (at, key, &mut self.uplink) {
            uplink.heard(at, sender, vehicle, key, now);
        }
    }

    /// The same of a packet that may have been recorded: a vehicle that was heard there within a minute is heard still, and no other is.
    fn perhaps_heard(&mut self, at: Option<&At>, sender: &str, vehicle: u16, key: Option<&Key>, now: Instant) {
        let is_in_reach = match (at, key, &self.uplink) {
            (Some(at), Some(key), Some(uplink)) => uplink.is_in_reach(at, sender, vehicle, key, now),
            // Anybody can say anything in its name.
            (_, None, _) => true,
            (_, Some(_), _) => false,
        };
        if is_in_reach {
            self.heard(at, sender, vehicle, key, None, now);
        }
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
