//! What the ground says of captions that arrived.

use crate::limits::MAX_UP_BODY;
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// Captions of a [`SelectiveAck`] at most.
const MAX_ACKS: usize = 32;

/// Captions that have arrived: which, and what. Numbers alone would do for a packet that somebody else made up, or that another
/// vehicle sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct SelectiveAck {
    /// The first one's number.
    first: u32,
    /// A bitmap from `first` on, by the lengths of its runs: so many arrived, so many did not, and so on. At most 32 arrived.
    runs: Vec<u32>,
    /// The sum of the captions' [`digest`]s, modulo 2^32.
    digest: u32,
}

/// CRC-32/ISO-HDLC over a caption's number and time, both little-endian, and its words: what an acknowledgement is bound to.
#[must_use]
pub fn digest(sequence: u32, time: u32, text: &str) -> u32 {
    let mut content = Vec::with_capacity(8 + text.len());
    content.extend(sequence.to_le_bytes());
    content.extend(time.to_le_bytes());
    content.extend(text.as_bytes());
    crate::checksum::crc_32(&content)
}

impl SelectiveAck {
    /// Arrivals of captions by number and digest; more than one where there are more than 32, or where their numbers are so far apart
    /// that a packet would not hold them.
    #[must_use]
    pub fn of(captions: impl IntoIterator<Item = (u32, u32)>) -> Vec<Self> {
        let captions: Vec<(u32, u32)> =
            captions.into_iter().collect::<alloc::collections::BTreeMap<_, _>>().into_iter().collect();
        let mut all = Vec::new();
        captions.chunks(MAX_ACKS).for_each(|few| Self::push(few, &mut all));
        all
    }

    fn push(captions: &[(u32, u32)], all: &mut Vec<Self>) {
        let one = Self::of_few(captions);
        if one.size() <= MAX_UP_BODY || captions.len() < 2 {
            return all.push(one);
        }
        let (some, others) = captions.split_at(captions.len() / 2);
        Self::push(some, all);
        Self::push(others, all);
    }

    /// Its bytes.
    pub(crate) fn size(&self) -> usize {
        postcard::to_allocvec(self).map_or(usize::MAX, |bytes| bytes.len())
    }

    /// Of at least one and at most 32 captions, in the order of their numbers.
    fn of_few(captions: &[(u32, u32)]) -> Self {
        let first = captions.first().map_or(0, |caption| caption.0);
        let (mut runs, mut next) = (alloc::vec![0], first);
        for &(number, _) in captions {
            if number != next {
                runs.extend([number.wrapping_sub(next), 0]);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
            next = number.wrapping_add(1);
        }
        let digest = captions.iter().fold(0, |sum: u32, caption| sum.wrapping_add(caption.1));
        Self { first, runs, digest }
    }

    /// The captions' numbers.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let mut start = self.first;
        let runs = self.runs.chunks(2).map(move |run| {
            let arrived = start;
            start = run.iter().fold(start, |start, &length| start.wrapping_add(length));
            (arrived, run[0])
        });
        runs.flat_map(|(start, length)| (0..length).map(move |n| start.wrapping_add(n)))
    }

    /// Captions that arrived.
    pub(crate) fn count(&self) -> u64 {
        self.runs.iter().step_by(2).map(|&length| u64::from(length)).sum::<u64>()
    }

    /// Whether there are no more captions than there may be.
    pub(crate) fn is_bounded(&self) -> bool {
        self.count() <= MAX_ACKS as u64
    }

    /// Whether these are the captions, by their digests in the order of [`SelectiveAck::numbers`].
    pub fn is_of(&self, digests: impl IntoIterator<Item = u32>) -> bool {
        digests.into_iter().fold(0, u32::wrapping_add) == self.digest
    }

    /// Of `runs` that no captions have.
    #[cfg(test)]
    pub(crate) fn of_runs(first: u32, runs: &[u32]) -> Self {
        Self { first, runs: runs.to_vec(), digest: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_come_back() {
        let numbers = [4, 5, 9, 515, 516, 90_000, u32::MAX];
        let digests = |time| numbers.map(|number| digest(number, time, "a river"));
        let arrivals = SelectiveAck::of(numbers.into_iter().zip(digests(7)));
        assert_eq!(arrivals.len(), 1);
        assert_eq!(arrivals[0].numbers().collect::<Vec<_>>(), numbers);
        assert!(arrivals[0].is_of(digests(7)) && !arrivals[0].is_of(digests(8)));
        let scattered = SelectiveAck::of((0..64).map(|n| (n << 8, 0)));
        assert_eq!(
            scattered.iter().flat_map(SelectiveAck::numbers).collect::<Vec<_>>(),
            (0..64).map(|n| n << 8).collect::<Vec<_>>()
        );
        assert!(scattered.iter().all(SelectiveAck::is_bounded));
        let far = SelectiveAck::of((0..32).map(|n| (n << 26, u32::MAX)));
        assert!(far.len() > 1 && far.iter().all(|ack| ack.size() <= MAX_UP_BODY), "a packet holds each");
        assert!(far.iter().flat_map(SelectiveAck::numbers).eq((0..32).map(|n| n << 26)));
    }
}
