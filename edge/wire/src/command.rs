//! What the ground can command. The order is the packet's: only ever append, and with a new wire version.

use crate::error::{WireError, bounded};
use crate::limits::MAX_PRIORITY;
use alloc::string::String;
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Most watch-words of a command, and bytes of one.
const MAX_WORDS: usize = 16;
const MAX_WORD: usize = 64;
/// Most bytes of a part of a delta or of a key: with the longest of all other fields a packet up has 128.
const MAX_BYTES: usize = 80;

/// What a vehicle is to do. Each says where it ends up, not by how much it changes: one that comes twice does nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Command {
    /// Captions with less confidence are dropped.
    SetThreshold {
        /// In thousandths, 0 to 1000.
        thousandths: u16,
    },
    /// The words that matter, in place of those before: at most 16.
    SetWatchWords(Vec<WatchWord>),
    /// When a place that says what it said before is news again.
    SetNovelty {
        /// Frames closer than this are of one place, 0 to 20,000; 0: none is.
        metres: u16,
        /// After so long a place may say the same, 0 to 10,080.
        minutes: u16,
    },
    /// What the link takes.
    SetRate {
        /// 0 to 100,000,000; 0: as many as it does.
        bytes_per_second: u32,
    },
    /// What may be queued.
    SetBudget {
        /// 0 to 1,000,000,000; 0: no limit.
        bytes_per_hour: u32,
    },
    /// Caption nothing until told to resume.
    Pause,
    /// Caption again.
    Resume,
    /// Caption the golden image and report.
    SelfTest,
    /// Fly the bundle of a slot.
    SwitchSlot {
        /// 1 is slot a, 2 is slot b.
        slot: u8,
    },
    /// Send a status now.
    StatusNow,
    /// A part of a bundle's delta.
    DeltaPart(DeltaPart),
    /// Forget the pictures that are kept.
    ForgetPictures,
    /// A part of a new key, wrapped, as [`Key::wrap`](crate::Key::wrap) makes it: all of it in one.
    NewKeyPart {
        /// Its number, from 0.
        part: u8,
        /// Parts of the key, at least one.
        parts: u8,
        /// Its bytes, 1 to 80.
        bytes: Vec<u8>,
    },
}

/// A word that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct WatchWord {
    /// The word or phrase, 1 to 64 bytes.
    pub word: String,
    /// The priority of captions that have it, 1 to 3.
    pub priority: u8,
}

/// A part of a bundle's delta, as `exporter delta` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DeltaPart {
    /// The delta's number: parts of another one do not belong to it.
    pub id: u16,
    /// Its number, from 0.
    pub part: u16,
    /// Parts of the delta, at least one.
    pub parts: u16,
    /// CRC-32/ISO-HDLC of the whole delta, in the last part.
    pub crc: Option<u32>,
    /// Its bytes, 1 to 80.
    pub bytes: Vec<u8>,
}

impl Command {
    /// Refuses what is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        match self {
            Self::SetThreshold { thousandths } => {
                bounded("thousandths", *thousandths, "0 to 1000", *thousandths <= 1000)
            }
            Self::SetWatchWords(words) => {
                bounded("watch-words", words.len(), "16 at most", words.len() <= MAX_WORDS)?;
                words.iter().try_for_each(WatchWord::check)
            }
            Self::SetNovelty { metres, minutes } => {
                bounded("metres", *metres, "0 to 20000", *metres <= 20_000)?;
                bounded("minutes", *minutes, "0 to 10080", *minutes <= 10_080)
            }
            Self::SetRate { bytes_per_second: rate } => bounded("rate", *rate, "0 to 100000000", *rate <= 100_000_000),
            Self::SetBudget { bytes_per_hour: budget } => {
                bounded("budget", *budget, "0 to 1000000000", *budget <= 1_000_000_000)
            }
            Self::SwitchSlot { slot } => bounded("slot", *slot, "1 or 2", (1..=2).contains(slot)),
            Self::DeltaPart(DeltaPart { part, parts, crc, bytes, .. }) => {
                bounded("part", *part, "less than its parts", part < parts)?;
                bounded("part", *part, "a CRC in the last one only", crc.is_some() == (part + 1 == *parts))?;
                is_part("a delta's part in bytes", bytes)
            }
            Self::NewKeyPart { part, parts, bytes } => {
                bounded("part", *part, "less than its parts", part < parts)?;
                is_part("a key's part in bytes", bytes)
            }
            Self::Pause | Self::Resume | Self::SelfTest | Self::StatusNow | Self::ForgetPictures => Ok(()),
        }
    }
}

impl WatchWord {
    fn check(&self) -> Result<(), WireError> {
        let length = self.word.len();
        bounded("a watch-word in bytes", length, "1 to 64", (1..=MAX_WORD).contains(&length))?;
        bounded("priority", self.priority, "1 to 3", (1..=MAX_PRIORITY).contains(&self.priority))
    }
}

fn is_part(field: &'static str, bytes: &[u8]) -> Result<(), WireError> {
    bounded(field, bytes.len(), "1 to 80", (1..=MAX_BYTES).contains(&bytes.len()))
}
