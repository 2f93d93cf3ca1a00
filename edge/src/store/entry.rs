//! Captions that wait, and where they stand in the queue.

use crate::footprint::Footprint;
use cssa::trust::{Confidence, Reason};
use cssa_wire::{self as wire, MAX_PRIORITY, Position};
use redb::TableDefinition;
use serde::{Deserialize, Serialize};

/// Waiting captions, the most urgent first: how often it went out, 3 − priority, the sequence number.
pub(super) const QUEUE: TableDefinition<(u8, u8, u32), &[u8]> = TableDefinition::new("captions");

/// A caption that is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Caption {
    /// As packets have it: [`cssa_wire::Time`].
    pub time: u32,
    /// Probability that it names nothing that is not there.
    pub confidence: Option<Confidence>,
    /// Why its image is none that the model knows.
    pub outside: Option<Reason>,
    /// 0 to 3.
    pub priority: u8,
    /// Where.
    pub position: Option<Position>,
    /// What its image shows of the ground, in a table of its own: earlier programs' entries have none.
    #[serde(skip)]
    pub footprint: Option<Footprint>,
    /// The words.
    pub text: String,
}

/// A caption in the queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its number.
    pub sequence: u32,
    /// How often it was taken for the link.
    pub tries: u8,
    /// How often the link took it.
    pub sent: u8,
    /// The caption.
    pub caption: Caption,
}

impl Caption {
    /// The caption as a packet holds it, under a number, sent for the first time.
    #[must_use]
    pub fn numbered(&self, sequence: u32) -> wire::Caption {
        let Self { time, confidence, outside, priority, position, text, .. } = self.clone();
        wire::Caption { sequence, time, position, confidence, outside, priority, repeat: false, text }
    }
}

/// Its place in the queue.
pub(super) fn key_of(waiting: &Waiting) -> (u8, u8, u32) {
    (waiting.sent, MAX_PRIORITY.saturating_sub(waiting.caption.priority), waiting.sequence)
}
