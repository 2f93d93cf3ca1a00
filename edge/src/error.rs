//! What goes wrong on board: with the configuration, the model and its slots, the store, the link, sources and devices.

use linux_embedded_hal::{gpio_cdev, i2cdev};
use std::fmt::Display;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why `edge` does not start, or what fails while it runs. Its text leaves out that of its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A bundle, an image, a configuration or another file that cannot be used.
    #[error(transparent)]
    File(#[from] cssa::files::FileError),
    /// A bundle that does not load, or an image that has no caption.
    #[error(transparent)]
    Captioner(#[from] cssa_captioner::Error),
    /// A port that does not open or work, or a key that cannot be read.
    #[error(transparent)]
    Link(#[from] cssa_link::LinkError),
    /// A caption that no packet holds.
    #[error(transparent)]
    Packet(#[from] cssa_wire::WireError),

    /// A key of the configuration that names what cannot be used.
    #[error("{key}")]
    Key {
        /// The key with its tables.
        key: String,
        /// Why it cannot be used.
        source: Box<Error>,
    },
    /// A configuration, or a list of passes, of which a value cannot be.
    #[error("{}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The value.
        source: Box<Error>,
    },
    /// A field's value that is none of those it may have.
    #[error("{field} is {found}, expected {expected}")]
    Setting {
        /// The field with its tables, `link.sends` for example.
        field: String,
        /// Its value.
        found: String,
        /// Those that it may have.
        expected: String,
    },
    /// A field's value that is beyond its limit.
    #[error("{field} is not {limit}")]
    Limit {
        /// The field.
        field: &'static str,
        /// Where its values end.
        limit: &'static str,
    },
    /// A field that another field's value does not allow.
    #[error("{field}: {problem}")]
    Contradiction {
        /// The field.
        field: &'static str,
        /// Why not, and what was expected.
        problem: &'static str,
    },
    /// A configuration without a source, and a program that brings none.
    #[error("no source: name one in [source], or give run::run_with one")]
    NoSource,
    /// What a program's own source says.
    #[error(transparent)]
    OwnSource(Box<dyn std::error::Error + Send + Sync>),
    /// STATUSTEXT is asked for on a link that is not MAVLink.
    #[error("link.statustext needs a link.to of mavlink:")]
    StatusText,
    /// `link.to` is no address.
    #[error("link.to")]
    Address(#[source] cssa_link::LinkError),
    /// A line of a file of passes that is no pass.
    /// What it says is not told: it may be a key's file that was named by mistake.
    #[error("line {line}: expected two times like 2026-11-24T15:00:00Z, begin and end")]
    Pass {
        /// The line, from 1.
        line: usize,
    },

    /// The store's file cannot be opened, read or written.
    #[error("{}", store.display())]
    Store {
        /// The file.
        store: PathBuf,
        /// What the database says.
        source: Box<redb::Error>,
    },
    /// Another program has the store's file open.
    #[error("{}: another edge run has it open, expected one for a state directory", .0.display())]
    StoreInUse(PathBuf),
    /// An entry of the store that is no caption, contact or window, or that cannot be packed.
    #[error("{}", store.display())]
    Entry {
        /// The store's file.
        store: PathBuf,
        /// What is wrong with it.
        source: postcard::Error,
    },

    /// No bundle is named, and there is none in the slots.
    #[error("no bundle: name one in model.bundle, or install one with `edge install`")]
    NoBundle,
    /// A threshold for captions that have nothing to be compared with it.
    #[error("policy.least_confidence: {} has no statistics for confidence: `exporter calibrate` adds them, or leave the threshold out", .0.display())]
    NoConfidence(PathBuf),
    /// What is outside is to be dropped, and nothing says what is.
    #[error("policy.outside: {} has no statistics for what is outside: `exporter calibrate` adds them, or leave \"drop\" out", .0.display())]
    NothingIsOutside(PathBuf),
    /// A damaged bundle that lies in no slot: nothing takes its place.
    #[error("{}: damaged, and there is no other slot", .0.display())]
    NoOtherSlot(PathBuf),
    /// A damaged slot, and nothing good in the other.
    #[error("{}: damaged, and the other slot has no good bundle", .0.display())]
    NoGoodBundle(PathBuf),
    /// A switch of slots where none flies.
    #[error("model.bundle flies, not a slot: edge install fills slots")]
    NoSlotFlies,
    /// A switch to a slot without a good bundle.
    #[error("slot {0} has no good bundle: install one there first")]
    NothingInSlot(&'static str),
    /// Slots of which nothing is known.
    #[error("{}: nothing says which slot is good, so that none flies and none is written: mend it, or remove it to begin with empty slots", record.display())]
    SlotsUnknown {
        /// Their record.
        record: PathBuf,
        /// Why it cannot be read.
        source: cssa::files::FileError,
    },
    /// Slots that another program is changing.
    #[error("{}: another `edge` is installing a bundle or changing slots, expected none at the same time", .0.display())]
    SlotsLocked(PathBuf),
    /// A file that cannot be given to the owner of the state folder.
    #[error("{} cannot be given to the owner of the state folder ({uid}:{gid}): install as that user or as root", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The owner.
        uid: u32,
        /// The owner's group.
        gid: u32,
        /// The answer.
        source: io::Error,
    },
    /// A watch-word that no caption of the bundle at work can have.
    #[error("policy.watch.{phrase:?}: no caption of {} has the word {word:?} or another of its meaning, expected one of its vocabulary{}", bundle.display(), like(nearest))]
    WatchWord {
        /// The watch-word or phrase.
        phrase: String,
        /// The word of it.
        word: String,
        /// The bundle.
        bundle: PathBuf,
        /// The most similar words that its captions have.
        nearest: Vec<String>,
    },
    /// A bundle that became another one while it was installed.
    #[error("{}: changed while it was installed", .0.display())]
    Changed(PathBuf),
    /// A new bundle that does not caption the golden image.
    #[error("{}: the new bundle failed its test", bundle.display())]
    Verification {
        /// The slot that it was written into.
        bundle: PathBuf,
        /// What the test says.
        source: Cause,
    },
    /// What is known of the slots has no form in TOML.
    #[error(transparent)]
    Record(#[from] toml::ser::Error),
    /// A file of the bundle at work that is not what it was.
    #[error("{}: damaged, its SHA-256 is not the manifest's", .0.display())]
    Damaged(PathBuf),
    /// A graph of the bundle at work with tensors that are not what they were.
    #[error("{}: damaged in {}", graph.display(), tensors.join(", "))]
    DamagedTensors {
        /// The graph's file.
        graph: PathBuf,
        /// Their names.
        tensors: Vec<String>,
    },
    /// A file that is no ONNX model.
    #[error(transparent)]
    Onnx(#[from] prost::DecodeError),

    /// The golden image, which is part of the program, cannot be decoded.
    #[error("the golden image")]
    GoldenImage(#[source] cssa_image::DecodeError),
    /// The model has no words for the golden image.
    #[error("the golden image has an empty caption")]
    GoldenEmpty,
    /// The golden image's memory has another size than when the bundle proved itself.
    #[error("the golden image has another memory")]
    GoldenSize,
    /// The golden image's memory has other values than when the bundle proved itself.
    #[error("the golden image's memory has cosine {found}, expected {expected} or more")]
    GoldenMemory {
        /// The cosine between the memory then and now.
        found: f32,
        /// The least that is taken.
        expected: f32,
    },
    /// The golden image has another caption than when the bundle proved itself.
    #[error("the golden image's caption is {found:?}, expected {expected:?}")]
    GoldenCaption {
        /// The caption now.
        found: String,
        /// The caption then.
        expected: String,
    },

    /// A file, folder or device that the operating system does not give.
    #[error("{}", path.display())]
    Path {
        /// Its path.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// A folder of the state that cannot be made or removed.
    #[error("{} {action}", folder.display())]
    Folder {
        /// Its path.
        folder: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The answer.
        source: io::Error,
    },
    /// A folder of which the system does not tell what changes.
    #[error("{}: the system does not tell of new files, they are looked for instead: {problem}", folder.display())]
    Unwatched {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A stream of frames or sentences that cannot be read on.
    #[error(transparent)]
    Stream(io::Error),
    /// `source.command` names no program.
    #[error("source.command is empty")]
    NoCommand,
    /// The source's command cannot be started.
    #[error("source.command: {program}")]
    Command {
        /// Its program.
        program: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The source's command has no standard output.
    #[error("source.command has no output")]
    NoOutput,
    /// The source's command ended with an error.
    #[error("source.command {program:?} failed: {status}")]
    CommandFailed {
        /// Its program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// The source's command ended and gave no frame.
    #[error("source.command {program:?} ended without a frame")]
    CommandWithoutFrames {
        /// Its program.
        program: String,
    },
    /// An autopilot that is not reached, or is gone.
    #[error("{address}")]
    Autopilot {
        /// Its address.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },

    /// A line of a GPIO chip that cannot be had.
    #[error("{} line {line}", chip.display())]
    Gpio {
        /// The chip.
        chip: PathBuf,
        /// The line's number.
        line: u32,
        /// What the chip says.
        source: gpio_cdev::Error,
    },
    /// An I²C bus that cannot be opened.
    #[error("{}", bus.display())]
    I2c {
        /// Its device.
        bus: PathBuf,
        /// What the operating system says.
        source: i2cdev::linux::LinuxI2CError,
    },
    /// A device that is there and does not answer.
    #[error("{device}: {problem}")]
    Device {
        /// Which.
        device: &'static str,
        /// What its driver says.
        problem: String,
    },
    /// A thermal zone that says something else than a temperature.
    #[error("{}: {found:?}", zone.display())]
    Temperature {
        /// Its file.
        zone: PathBuf,
        /// What it says.
        found: String,
        /// Why that is none.
        source: std::num::ParseFloatError,
    },

    /// The parts of a delta are not what its CRC says.
    #[error("delta {0} is not what its CRC-32 says: all of its parts are to come again")]
    DeltaDamaged(u16),
    /// A thread that ended without saying why.
    #[error("{0}'s thread failed")]
    Thread(&'static str),
    /// A status that has no form in JSON.
    #[error(transparent)]
    Status(#[from] serde_json::Error),
    /// The system does not tell how much memory the program takes.
    #[error("the system does not tell the memory of this process")]
    MemoryUnknown,
}

/// The most similar words, as the end of a sentence.
pub(crate) fn like(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!(", such as {}", nearest.join(", ")) }
}

/// What a test of a new bundle, which runs outside of this library, says where it fails.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What this crate's functions give.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether the disk of the store has no room.
    pub(crate) fn is_disk_full(&self) -> bool {
        let full = |error: &redb::Error| matches!(error, redb::Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull);
        matches!(self, Self::Store { source, .. } if full(source))
    }

    /// An [`Error::Setting`] from anything that can be shown.
    pub(crate) fn setting(field: impl Display, found: impl Display, expected: impl Display) -> Self {
        Self::Setting { field: field.to_string(), found: found.to_string(), expected: expected.to_string() }
    }

    /// An [`Error::Key`] from what is wrong with its value.
    pub(crate) fn key(key: impl Display) -> impl FnOnce(Self) -> Self {
        move |source| Self::Key { key: key.to_string(), source: Box::new(source) }
    }

    /// An [`Error::Path`] from the operating system's answer.
    pub(crate) fn path(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Path { path: path.into(), source }
    }

    /// An [`Error::Folder`] from the operating system's answer.
    pub(crate) fn folder(folder: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Folder { folder: folder.into(), action, source }
    }
}

pub(crate) use cssa::errors::chain;

pub(crate) use cssa::ensure;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_everything_once() {
        let source = Box::new(Error::setting("link.sends", 0, "1 or more"));
        let refused = Error::Config { path: "edge.toml".into(), source };
        assert_eq!(chain(&refused), "edge.toml: link.sends is 0, expected 1 or more");
        let absent = || io::Error::from(io::ErrorKind::NotFound);
        let test = Cause::from(Error::path("golden.jpg")(absent()));
        let failed = Error::Verification { bundle: "slots/b".into(), source: test };
        assert_eq!(chain(&failed), "slots/b: the new bundle failed its test: golden.jpg: entity not found");
        assert_eq!(chain(&Error::Stream(absent())), "entity not found");
    }
}
