//! Which parts of a picture the ground still wants: the selective repeat of CFDP's NAK (CCSDS 727.0-B), without its clocks.

use crate::error::{WireError, bounded};
use crate::limits::MAX_RUNS;
use alloc::vec::Vec;
use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

/// The parts of a picture that have not arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MissingParts {
    /// The number of the [`Ask`](crate::Ask) that the picture belongs to.
    pub ask: u16,
    /// Runs of parts in their order, at most 15. None: the picture is whole.
    pub runs: Vec<PartRun>,
}

/// Parts that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PartRun {
    /// The first one.
    pub first: u16,
    /// How many, at least one.
    pub count: u16,
}

impl PartRun {
    fn end(self) -> u32 {
        u32::from(self.first) + u32::from(self.count)
    }
}

impl MissingParts {
    /// Of parts in their order as many runs as a packet holds.
    #[must_use]
    pub fn of(ask: u16, parts: impl IntoIterator<Item = u16>) -> Self {
        let mut runs: Vec<PartRun> = Vec::new();
        for part in parts {
            let room = runs.len() < MAX_RUNS;
            match runs.last_mut() {
                Some(run) if run.end() == u32::from(part) => run.count += 1,
                _ if room => runs.push(PartRun { first: part, count: 1 }),
                _ => break,
            }
        }
        Self { ask, runs }
    }

    /// Everything, of a picture of which nothing has come, not even how many parts it has.
    #[must_use]
    pub fn all(ask: u16) -> Self {
        Self { ask, runs: Vec::from([PartRun { first: 0, count: u16::MAX }]) }
    }

    /// Whether the picture has arrived.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.runs.is_empty()
    }

    /// The numbers of the missing parts of a picture that has so many.
    pub fn parts(&self, parts: u16) -> impl Iterator<Item = u16> {
        self.runs.iter().flat_map(move |run| run.first..parts.min(run.first.saturating_add(run.count)))
    }

    /// Refuses what is out of its bounds.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        bounded("runs of parts", self.runs.len(), "15 at most", self.runs.len() <= MAX_RUNS)?;
        let mut next = 0;
        for run in &self.runs {
            bounded("a run's first part", run.first, "after the run before", u32::from(run.first) >= next)?;
            let is_bounded = run.count >= 1 && run.end() <= u32::from(u16::MAX);
            bounded("a run's parts", run.count, "1 or more, to part 65534", is_bounded)?;
            next = run.end();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn runs_are_the_parts() {
        let missing = MissingParts::of(7, [0, 1, 2, 9, 11, 12]);
        let run = |(first, count)| PartRun { first, count };
        assert_eq!(missing.runs, [(0, 3), (9, 1), (11, 2)].map(run));
        assert_eq!(missing.parts(12).collect::<Vec<_>>(), [0, 1, 2, 9, 11], "no part that the picture has not");
        assert_eq!(MissingParts::all(7).parts(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(MissingParts::of(7, []).is_whole());
        let scattered = MissingParts::of(7, (0..100).map(|n| 2 * n));
        assert_eq!(scattered.runs.len(), MAX_RUNS);
        assert!(scattered.check().is_ok());
        for runs in [vec![(0, 0)], vec![(5, 2), (6, 1)], vec![(5, 2), (1, 1)], vec![(u16::MAX, 1)], vec![(0, 1); 16]] {
            let missing = MissingParts { ask: 7, runs: runs.into_iter().map(run).collect() };
            assert!(missing.check().is_err(), "{missing:?}");
        }
    }
}
