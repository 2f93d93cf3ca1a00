//! Which part of a batch is a rank's.

use std::ops::Range;

/// The part of every list that is a rank's: all parts together are the list, and no two have a row in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The number of the rank.
    pub rank: usize,
    /// How many ranks there are.
    pub of: usize,
}

impl Share {
    /// That of a process alone.
    pub const ALL: Self = Self { rank: 0, of: 1 };

    /// Its places in a list of `count`.
    #[must_use]
    pub fn range(self, count: usize) -> Range<usize> {
        count * self.rank / self.of..count * (self.rank + 1) / self.of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_everything_once() {
        for (count, of) in [(0, 3), (2, 4), (7, 1), (12, 4), (13, 4), (15, 4)] {
            let shares = (0..of).map(|rank| Share { rank, of }.range(count));
            let shares: Vec<_> = shares.collect();
            assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            let sizes = || shares.iter().map(ExactSizeIterator::len);
            assert!(sizes().max() <= sizes().min().map(|least| least + 1), "{shares:?}");
        }
        assert_eq!(Share::ALL.range(5), 0..5);
    }
}
