//! What could not be done is tried again, after pauses that grow.

use std::time::{Duration, Instant};

/// Before the second try; twice as long before each further one.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(600);

/// Things that failed.
#[derive(Debug)]
pub(super) struct Retries<T> {
    failed: Vec<Failed<T>>,
    /// Tries of each; `None`: no end of them.
    most: Option<u32>,
}

#[derive(Debug)]
struct Failed<T> {
    what: T,
    tries: u32,
    due: Instant,
}

impl<T: PartialEq> Retries<T> {
    /// Nothing has failed yet; each thing is tried at most so often, where there is an end.
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { failed: Vec::new(), most }
    }

    /// It failed, and is tried again after its pause unless it was tried often enough.
    pub(super) fn add(&mut self, what: T, tries: u32, now: Instant) {
        let tries = tries.saturating_add(1);
        if self.most.is_none_or(|most| tries < most) {
            let pause = FIRST.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST);
            self.failed.push(Failed { what, tries, due: now + pause });
        }
    }

    /// One whose pause is over, and how often it was tried.
    pub(super) fn due(&mut self, now: Instant) -> Option<(T, u32)> {
        let at = self.failed.iter().position(|failed| failed.due <= now)?;
        let Failed { what, tries, .. } = self.failed.swap_remove(at);
        Some((what, tries))
    }

    /// Forgets those.
    pub(super) fn remove(&mut self, is_over: impl Fn(&T) -> bool) {
        self.failed.retain(|failed| !is_over(&failed.what));
    }

    /// Something happened to those: their pauses are over.
    pub(super) fn hurry(&mut self, is_meant: impl Fn(&T) -> bool, now: Instant) {
        self.failed.iter_mut().filter(|failed| is_meant(&failed.what)).for_each(|failed| failed.due = now);
    }

    /// Nothing is to be tried again.
    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_end() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut retries = Retries::new(None);
        let (mut now, mut tries, mut pauses) = (began, 0, Vec::new());
        for _ in 0..12 {
            retries.add("a", tries, now);
            let pause = (0..).find(|seconds| retries.failed[0].due <= now + Duration::from_secs(*seconds));
            pauses.extend(pause);
            now += Duration::from_secs(*pauses.last().unwrap_or(&0));
            tries = retries.due(now).map_or(0, |(_, tries)| tries);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        let mut few = Retries::new(Some(3));
        few.add("a", 0, began);
        assert_eq!((few.due(began), few.due(after(1))), (None, Some(("a", 1))));
        few.add("a", 1, after(1));
        assert_eq!(few.due(after(3)), Some(("a", 2)));
        few.add("a", 2, after(3));
        assert!(few.is_empty(), "three tries are enough");
    }
}
