//! How far pictures are that were asked for, as far as it matters to when something is sent for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What has no answer, or brings no part, after so long is sent again, and then after twice as long, up to 2^5 times.
const AGAIN: Duration = Duration::from_secs(1);
const MAX_DOUBLINGS: u32 = 5;
/// Pictures that are remembered.
const MAX_KNOWN: usize = 1024;

/// What is going on with pictures, by their rows in the archive.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    pub(super) known: BTreeMap<i64, Progress>,
    /// Vehicles that are to be told that a picture is here.
    pub(super) whole: Vec<((String, u16), i64, u16)>,
}

/// How far a picture is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// When something was sent for it, or came of it, last; and how often something was sent since something came.
    pub(super) last: Instant,
    pub(super) times: u32,
    /// How often its vehicle was heard after its request went out.
    pub(super) in_vain: u32,
    /// The last packet that named missing parts.
    pub(super) named: Option<u32>,
}

impl Progress {
    /// Whether to send something, at `now`, to a vehicle that has been heard without a gap since `contact`.
    pub(super) fn is_due(&self, now: Instant, contact: Instant) -> bool {
        let again = AGAIN * (1 << self.times.saturating_sub(1).min(MAX_DOUBLINGS));
        now.saturating_duration_since(self.last) >= again || self.last < contact
    }
}

impl Pictures {
    pub(super) fn progress(&mut self, id: i64, now: Instant) -> &mut Progress {
        while self.known.len() >= MAX_KNOWN && !self.known.contains_key(&id) {
            self.known.pop_first();
        }
        self.known.entry(id).or_insert(Progress { last: now, times: 0, in_vain: 0, named: None })
    }
}
