//! Takes packets from a port, keeps their captions, and answers.

use super::archive::{Archive, Kept};
use super::error::{Error, Result, chain};
use super::message::{Message, Taken};
use super::uplink::Uplink;
use cssa::bundle::Language;
use cssa_link::{FrameError, Port};
use cssa_wire::version2::{self, PacketV2};
use cssa_wire::{self as wire, CaptionPacket, Checksum, DownPacket, Key, Verification, Version, WireError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a port is listened to before a signal is looked for.
const WAIT: Duration = Duration::from_millis(200);
/// How long an archive that takes nothing is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks for a bundle that is missing.
const LOOK: Duration = Duration::from_secs(5);

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
    /// Packets of a bundle that is not here, kept for later.
    pub undecoded: u64,
    /// Packets whose code of authentication is wrong, or is missing where a key asks for one.
    pub refused: u64,
    /// Damaged packets, and what is none.
    pub damaged: u64,
    /// Frames that are missing, where the link counts them.
    pub missing: u64,
    /// Acknowledgements and commands that were sent.
    pub answers: u64,
    /// Times that the port or the archive failed, and was tried again.
    pub failures: u64,
}

/// What is asked of packets' codes of authentication. What version 2 sent has none.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Nothing: there is no key.
    Off,
    /// They are there and right.
    Required(Key),
    /// They are right where they are there.
    WherePresent(Key),
}

/// Which packets a receiver takes.
#[derive(Clone, Debug)]
pub struct Reception {
    /// Their checksum.
    pub checksum: Checksum,
    /// Their code of authentication.
    pub authentication: Authentication,
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
    /// Its bundle is not here.
    #[error("made with bundle {0:04x}, which is not here: name it with --bundle, or put it into a folder named there")]
    Bundle(u16),
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
        let (languages, looked) = (BTreeMap::new(), Instant::now());
        let mut receiver =
            Self { places, languages, looked, archive, reception, uplink, count: ReceiveStatistics::default() };
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
            // What waits was taken when it came, by what was asked of it then.
            let waited = Reception { authentication: Authentication::Off, ..self.reception };
            for (sender, packet) in self.archive.undecoded(id)? {
                // One that is no packet after all is counted as damaged.
                let _counted = self.take_by(&waited, &sender, &packet)?;
            }
            self.archive.forget_undecoded(id)?;
        }
        Ok(())
    }

    /// Takes the bytes of a packet. An error is one of the archive; a packet that is damaged or not authentic is counted.
    pub fn take(&mut self, sender: &str, bytes: &[u8]) -> Result<Result<Taken, ReceiveError>> {
        let reception = self.reception.clone();
        self.take_by(&reception, sender, bytes)
    }

    fn take_by(&mut self, reception: &Reception, sender: &str, bytes: &[u8]) -> Result<Result<Taken, ReceiveError>> {
        let opened = match reception.open(bytes) {
            Ok(opened) => opened,
            Err(error @ (WireError::Mac | WireError::NoMac)) => {
                self.count.refused += 1;
                return Ok(Err(error.into()));
            }
            Err(error) => {
                self.count.damaged += 1;
                return Ok(Err(error.into()));
            }
        };
        if let Some(message) = opened.message() {
            self.count.messages += u64::from(self.archive.keep_message(sender, &message, bytes)?);
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
            self.count.undecoded += u64::from(self.archive.keep_undecoded(sender, bundle, bytes)?);
            self.count.packets += 1;
            return Ok(Err(ReceiveError::Bundle(bundle)));
        };
        let decoded = opened.captions(bytes, language, reception.checksum);
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

    /// What to send back for a packet that has been kept.
    pub fn answers(&mut self, sender: &str, taken: &Taken) -> Result<Vec<Vec<u8>>> {
        let Some(uplink) = &mut self.uplink else { return Ok(Vec::new()) };
        uplink.answers(sender, taken, &mut self.archive)
    }

    /// Receives until a file ends or `stop`; every packet is shown to `show`. A port that has worked and fails (a line that was pulled
    /// out) is tried again, and for a minute so is an archive (locked, or on a full disk): what was not kept is not acknowledged.
    pub fn receive<E: From<Error>>(
        &mut self,
        port: &mut dyn Port,
        stop: &AtomicBool,
        show: Show<'_, E>,
    ) -> Result<(), E> {
        let mut worked = false;
        while !stop.load(Ordering::Relaxed) {
            let heard = match port.receive(WAIT) {
                Ok(heard) => heard,
                Err(error) if !worked => return Err(Error::from(error).into()),
                Err(error) => {
                    self.failed(&error.into(), show)?;
                    continue;
                }
            };
            worked = true;
            for found in heard.found {
                let taken = match found {
                    Ok(bytes) => self.take_patiently(&heard.from, &bytes, stop, show)?,
                    Err(error) => {
                        self.count.damaged += 1;
                        Err(error.into())
                    }
                };
                show(&heard.from, &taken)?;
                if let Err(error) = self.answer(port, &heard.from, &taken) {
                    self.failed(&error, show)?;
                }
            }
            self.count.missing = port.missing();
            if heard.ended {
                break;
            }
        }
        Ok(())
    }

    /// Takes a packet, again and again for a minute where the archive does not: a file's packet would not come again.
    fn take_patiently<E: From<Error>>(
        &mut self,
        sender: &str,
        bytes: &[u8],
        stop: &AtomicBool,
        show: Show<'_, E>,
    ) -> Result<Result<Taken, ReceiveError>, E> {
        let began = Instant::now();
        loop {
            match self.take(sender, bytes) {
                Err(error) if began.elapsed() < PATIENCE && !stop.load(Ordering::Relaxed) => {
                    self.failed(&error, show)?
                }
                taken => return Ok(taken?),
            }
        }
    }

    fn answer(&mut self, port: &mut dyn Port, to: &str, taken: &Result<Taken, ReceiveError>) -> Result<()> {
        let Ok(taken) = taken else { return Ok(()) };
        for answer in self.answers(to, taken)? {
            // One that does not go out is as one that is lost on the way: the packet will come again.
            self.count.answers += u64::from(port.send(&answer).is_ok());
        }
        Ok(())
    }

    /// Says what failed, and waits a little.
    fn failed<E>(&mut self, error: &Error, show: Show<'_, E>) -> Result<(), E> {
        self.count.failures += 1;
        show("ground", &Err(ReceiveError::Failed(chain(error))))?;
        std::thread::sleep(5 * WAIT);
        Ok(())
    }

    /// The archive.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.archive
    }
}

/// A packet whose checksum, version and code of authentication are right.
enum Opened<'a> {
    Two { bundle: u16 },
    Three(DownPacket<'a>),
}

impl Reception {
    fn open<'a>(&self, bytes: &'a [u8]) -> Result<Opened<'a>, WireError> {
        if wire::version_of(bytes, self.checksum)? == Version::Three {
            return Ok(Opened::Three(DownPacket::decode(bytes, self.authentication.verification(), self.checksum)?));
        }
        match self.authentication {
            Authentication::Required(_) => Err(WireError::NoMac),
            Authentication::Off | Authentication::WherePresent(_) => {
                Ok(Opened::Two { bundle: version2::bundle_of(bytes, self.checksum)? })
            }
        }
    }
}

impl Authentication {
    fn verification(&self) -> Verification<'_> {
        match self {
            Self::Off => Verification::Off,
            Self::Required(key) => Verification::Required(key),
            Self::WherePresent(key) => Verification::WherePresent(key),
        }
    }
}

impl Opened<'_> {
    fn bundle(&self) -> u16 {
        match self {
            Self::Two { bundle } => *bundle,
            Self::Three(packet) => packet.bundle,
        }
    }

    fn message(&self) -> Option<Message> {
        match self {
            Self::Two { .. } => None,
            Self::Three(packet) => Message::of(packet),
        }
    }

    fn captions(&self, bytes: &[u8], language: &Language, checksum: Checksum) -> Result<CaptionPacket, WireError> {
        match self {
            Self::Two { bundle } => Ok(PacketV2::decode(bytes, *bundle, &language.model, checksum)?.into()),
            Self::Three(packet) => CaptionPacket::of(packet, &language.model),
        }
    }
}

/// The languages of bundles, by their places: bundles, or folders of bundles. Two with one id would be told apart by nobody.
fn languages(places: &[PathBuf]) -> Result<Vec<Language>> {
    let mut all: Vec<Language> = Vec::new();
    for place in places {
        for place in bundles(place)? {
            let language = Language::read(&place)?;
            if all.iter().any(|other| other.id == language.id && other.model != language.model) {
                return Err(Error::SharedId { bundle: place, id: language.id });
            }
            all.push(language);
        }
    }
    Ok(all)
}

/// The bundle at a place, or those in the folder.
fn bundles(place: &Path) -> Result<Vec<PathBuf>> {
    let is_bundle = |place: &Path| place.join("manifest.toml").is_file() || place.extension() == Some("cssa".as_ref());
    if is_bundle(place) || !place.is_dir() {
        return Ok(vec![place.into()]);
    }
    let unlisted = |cause| Error::Folder { folder: place.into(), cause };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if is_bundle(&path) {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}
