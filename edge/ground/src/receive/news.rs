//! What a packet says of its vehicle beside what it holds.

use crate::archive::{Highest, Kept, SHARED};
use crate::message::Part;
use crate::uplink::At;
use cssa_wire::Key;
use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::time::Instant;

/// Whether a packet shows that its vehicle is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It brought what was not here, with a number above all before; a status says how often the next ones come.
    OfNow(Option<u16>),
    /// It brought what was not here, and may have been recorded all the same: a vehicle that is in reach stays so.
    Perhaps,
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
    /// When it came.
    pub(super) came: Instant,
}

impl News {
    pub(super) fn of(is_new: bool) -> Self {
        if is_new { Self::OfNow(None) } else { Self::None }
    }

    /// Of what has no number of its own.
    pub(super) fn unnumbered(is_new: bool) -> Self {
        if is_new { Self::Perhaps } else { Self::None }
    }

    /// Of captions up to the number `last`, where `before` was the highest one; `came`: the packet came here before.
    pub(super) fn of_captions(kept: Kept, last: Option<u32>, before: Option<Highest>, came: bool) -> Self {
        let (Some(last), Some(before)) = (last, before) else { return Self::of(kept.new > 0) };
        let is_shared = kept.new == 0 && last == before.sequence && before.is_lately && !came;
        Self::of(last > before.sequence || is_shared)
    }
}

/// Packets that are remembered.
const MAX_SEEN: usize = 65_536;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as a fast link brings within the time in which another program may have kept a packet first; and no more.
    #[test]
    fn a_flood_hides_nothing_that_was_seen() {
        let start = Instant::now();
        let (mut seen, now) = (Seen::from(start), start + SHARED);
        assert!(!seen.came(b"a status", now));
        for n in 0..60_000_u32 {
            assert!(!seen.came(&n.to_le_bytes(), now));
        }
        assert!(seen.came(b"a status", now));
        for n in 60_000..200_000_u32 {
            seen.came(&n.to_le_bytes(), now);
        }
        assert_eq!((seen.all.len(), seen.order.len()), (MAX_SEEN, MAX_SEEN));
    }
}
