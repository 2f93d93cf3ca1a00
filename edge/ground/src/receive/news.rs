//! What a packet says of its vehicle beside what it holds.

use crate::archive::SHARED;
use crate::message::Part;
use crate::uplink::At;
use cssa_wire::Key;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::time::Instant;

/// Whether a packet shows that its vehicle is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It brought what was not here; a status says how often the next ones come.
    OfNow(Option<u16>),
    /// All of it was here already, or is older than what is here; or that is still to be seen.
    None,
}

/// A part of a picture that waits to be kept.
#[derive(Debug)]
pub(super) struct WaitingPart {
    pub(super) sender: String,
    pub(super) vehicle: u16,
    pub(super) part: Part,
    pub(super) at: Option<At>,
    pub(super) key: Key,
}

impl News {
    pub(super) fn of(is_new: bool) -> Self {
        if is_new { Self::OfNow(None) } else { Self::None }
    }
}

/// Packets that are remembered.
const MAX_SEEN: usize = 4096;

/// The last packets that this program has taken, by their hashes: another one that shares the archive may have kept them first.
#[derive(Debug)]
pub(super) struct Seen {
    all: BTreeSet<u64>,
    order: VecDeque<u64>,
    since: Instant,
}

impl Seen {
    /// Nothing yet.
    pub(super) fn from(since: Instant) -> Self {
        Self { all: BTreeSet::new(), order: VecDeque::new(), since }
    }

    /// Whether a packet came here before, or may have come before the start.
    pub(super) fn came(&mut self, bytes: &[u8], now: Instant) -> bool {
        if now.saturating_duration_since(self.since) < SHARED {
            self.note(bytes);
            return true;
        }
        self.note(bytes)
    }

    /// Remembers a packet; whether it is remembered already.
    fn note(&mut self, bytes: &[u8]) -> bool {
        // Not their CRC-32: with its own at the end every packet has the same.
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let packet = hasher.finish();
        if !self.all.insert(packet) {
            return true;
        }
        self.order.push_back(packet);
        if self.order.len() > MAX_SEEN {
            self.order.pop_front().map(|oldest| self.all.remove(&oldest));
        }
        false
    }
}
