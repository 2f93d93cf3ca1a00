//! What packets down hold. The order is the packet's: only ever append.

use crate::error::{WireError, bounded};
use crate::footprint::footprints;
use crate::limits::{MAX_PART, MAX_VALUE};
use cssa::trust::Reason;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Most steps of [`Housekeeping::free_disk`].
const MAX_DISK: u8 = 32;

/// What a packet down holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum Down<'a> {
    /// An arithmetic-coded message of captions: [`CaptionPacket`](crate::CaptionPacket).
    Captions(&'a [u8]),
    /// How the vehicle is.
    Housekeeping(Housekeeping),
    /// A part of a picture that was asked for.
    #[serde(borrow)]
    PicturePart(PicturePart<'a>),
    /// What became of a command.
    #[serde(borrow)]
    Answer(Answer<'a>),
    /// A run of frames that the model does not know.
    Report(Report),
    /// Where captions' images lie on the ground: [`FootprintPacket`](crate::FootprintPacket).
    Footprints(&'a [u8]),
}

/// How the vehicle is. Counters are those since its start, modulo 2^16: a packet that is lost falsifies nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Housekeeping {
    /// Counts these packets.
    pub sequence: u16,
    /// Seconds from one to the next; 0: not regularly.
    pub period: u16,
    /// Seconds since the start.
    pub uptime: u32,
    /// Frames that were looked at.
    pub frames: u16,
    /// Captions that were queued.
    pub queued: u16,
    /// Frames that gave no caption for the link.
    pub dropped: DroppedFrames,
    /// What went wrong last, by its number in the vehicle's own list; 0: nothing.
    pub fault: u8,
    /// How often that did.
    pub fault_count: u16,
    /// The slot of the bundle at work: 1 is a, 2 is b, 0 is none.
    pub slot: u8,
    /// °C; −128: not known.
    pub celsius: i8,
    /// Free share of the disk in 1/32, 0 to 32; 255: not known.
    pub free_disk: u8,
    /// Mean energy of a caption in millijoules; 0: not known.
    pub millijoules: u16,
    /// Captions that wait for the link; 65535 also stands for more.
    pub waiting: u16,
}

/// Frames that gave no caption for the link, by groups of reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DroppedFrames {
    /// By the image: unreadable, or none that the model knows.
    pub image: u16,
    /// By the policy: not sure enough, not new, over the hour's bytes.
    pub policy: u16,
    /// By the queue and the link: full, or too long for any packet.
    pub link: u16,
    /// By the machine: busy, too hot, not triggered, or the model failed.
    pub machine: u16,
}

/// A part of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PicturePart<'a> {
    /// The number of the [`Ask`](crate::Ask) that it belongs to.
    pub ask: u16,
    /// Its number, from 0.
    pub part: u16,
    /// Parts of the picture, at least one.
    pub parts: u16,
    /// CRC-32/ISO-HDLC of the whole picture, in the last part.
    pub crc: Option<u32>,
    /// Its bytes, 1 to [`MAX_PART`]: as many as the port carries.
    pub bytes: &'a [u8],
}

/// What became of a command or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Answer<'a> {
    /// The station that sent it.
    pub station: u8,
    /// Its counter.
    pub counter: u32,
    /// What became of it.
    pub result: CommandResult,
    /// What there is to say, at most [`MAX_VALUE`] bytes.
    pub value: &'a [u8],
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub enum CommandResult {
    /// It is done.
    Done,
    /// It is not done, for a reason by number: [`UNSUPPORTED`], [`FAILED`], [`BEHIND`] and [`LATER`] are those that have a name.
    Refused(u8),
    /// What it asks for is not kept any more, or never was.
    NotKept,
}

/// The reason of [`CommandResult::Refused`] for what the vehicle's program does not do.
pub const UNSUPPORTED: u8 = 1;

/// The reason of [`CommandResult::Refused`] for what was tried and failed; the answer's value is text that says why.
pub const FAILED: u8 = 2;

/// The reason of [`CommandResult::Refused`] for a packet whose number is [`WINDOW`](crate::WINDOW) or more below the highest one of its
/// station; the answer's value is that one, four bytes, the lowest first. A station that has lost its count goes on from there.
pub const BEHIND: u8 = 3;

/// The reason of [`CommandResult::Refused`] for what may be asked for again a little later: as much as the vehicle holds is on its way.
pub const LATER: u8 = 4;

/// A run of frames that the model does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Report {
    /// Counts these packets.
    pub sequence: u16,
    /// The number of the [`Reason`] that most of them have, 0 to 7.
    pub reason: u8,
    /// When the run began: a [`Time`](crate::Time) in seconds.
    pub since: u32,
    /// Frames so far, at least one.
    pub frames: u32,
}

impl Report {
    /// A run of `frames` frames since `since` that are outside for `reason`.
    #[must_use]
    pub fn of_run(sequence: u16, reason: Reason, since: u32, frames: u32) -> Self {
        Self { sequence, reason: reason.code(), since, frames }
    }

    /// Why the frames are outside; none where the number is no reason's, which no packet that was taken has.
    #[must_use]
    pub fn outside(&self) -> Option<Reason> {
        Reason::of_code(self.reason)
    }
}

impl Down<'_> {
    /// Refuses what is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        match self {
            Self::Captions(_) => Ok(()),
            Self::Housekeeping(Housekeeping { slot, free_disk, .. }) => {
                bounded("slot", *slot, "0 to 2", *slot <= 2)?;
                bounded("free_disk", *free_disk, "0 to 32, or 255", *free_disk <= MAX_DISK || *free_disk == u8::MAX)
            }
            Self::PicturePart(PicturePart { part, parts, crc, bytes, .. }) => {
                bounded("part", *part, "less than its parts", part < parts)?;
                bounded("part", *part, "a CRC in the last one only", crc.is_some() == (part + 1 == *parts))?;
                bounded("a picture's part in bytes", bytes.len(), "1 to 1024", (1..=MAX_PART).contains(&bytes.len()))
            }
            Self::Answer(Answer { value, .. }) => {
                bounded("a value in bytes", value.len(), "64 at most", value.len() <= MAX_VALUE)
            }
            Self::Footprints(content) => footprints(content).map(drop),
            Self::Report(Report { reason, frames, .. }) => {
                bounded("reason", *reason, "0 to 7", Reason::of_code(*reason).is_some())?;
                bounded("frames", *frames, "1 or more", *frames >= 1)
            }
        }
    }
}
