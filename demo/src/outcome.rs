//! What a flight came to.

use crate::camera::{QUALITY, Taken};
use crate::error::Result;
use ground::Place;
use ground::archive::Archive;
use link_sim::Relayed;
use std::fmt;

/// Pictures, and reports, that are counted at most.
const MAX: u32 = 10_000;

/// What a flight came to: what was seen, what is on the ground, and what that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) taken: Taken,
    /// Captions in the archive.
    pub(crate) captions: usize,
    /// Of them, flagged ones.
    pub(crate) flagged: usize,
    /// Reports in the archive of runs of flagged frames, of which the first are captions, too.
    pub(crate) reports: usize,
    /// Pictures in the archive.
    pub(crate) pictures: usize,
    pub(crate) relayed: Relayed,
}

impl Outcome {
    /// By what is in the archive, and what the camera and the link counted.
    pub(crate) fn read(archive: &Place, taken: Taken, relayed: Relayed) -> Result<Self> {
        let archive = Archive::read_at(archive)?;
        let captions = archive.captions(None)?;
        let pictures = archive.pictures(MAX)?;
        Ok(Self {
            taken,
            captions: captions.len(),
            flagged: captions.iter().filter(|caption| caption.outside.is_some()).count(),
            reports: archive.reports(MAX)?.len(),
            pictures: pictures.iter().filter(|picture| picture.state == "here").count(),
            relayed,
        })
    }
}

/// The line of numbers.
impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { taken: Taken { frames, bytes }, captions, flagged, reports, pictures, relayed } = *self;
        let counted = |count: u64, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (frames, captions) = (counted(frames, "frame"), counted(captions as u64, "caption"));
        write!(formatter, "{frames}: {captions} on the ground ({flagged} flagged)")?;
        if reports > 0 {
            write!(formatter, ", {} of runs of flagged frames", counted(reports as u64, "report"))?;
        }
        let Relayed { down_bytes: down, down_arrived_bytes: arrived, up_bytes: up, .. } = relayed;
        write!(formatter, ", {}; ", counted(pictures as u64, "picture"))?;
        write!(formatter, "{down} bytes sent down, of which {arrived} arrived, {up} sent up. ")?;
        write!(formatter, "The frames as JPEG of quality {QUALITY}: {bytes} bytes")?;
        match down {
            0 => Ok(()),
            _ => write!(formatter, ", {:.0} times what was sent down", bytes as f64 / down as f64),
        }
    }
}
