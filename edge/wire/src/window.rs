//! Which numbers of a station's packets have been: a replay window (as RFC 4303, 3.4.3).

use serde::{Deserialize, Serialize};

/// Numbers up to the highest that are told apart.
pub const WINDOW: u32 = 64 * WORDS as u32;
const WORDS: usize = 16;

/// The highest number that came from a station, and a bit for each of the [`WINDOW`] up to it: each is taken once, and none that is
/// further back. It knows no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    highest: u32,
    /// Bit n of word w: the number that is 64 w + n below the highest.
    seen: [u64; WORDS],
}

impl Window {
    /// Takes a number that has not been; `false` where it has, or may have.
    pub fn take(&mut self, number: u32) -> bool {
        if number > self.highest {
            self.move_on(number - self.highest);
            self.highest = number;
        }
        let behind = self.highest - number;
        let Some(word) = self.seen.get_mut((behind / 64) as usize) else { return false };
        let bit = 1 << (behind % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// The highest number that came, where this one is so far below it that it cannot be told whether it has been.
    #[must_use]
    pub fn is_beyond(&self, number: u32) -> Option<u32> {
        (self.highest.saturating_sub(number) >= WINDOW).then_some(self.highest)
    }

    fn move_on(&mut self, by: u32) {
        let (words, bits) = ((by / 64) as usize, by % 64);
        let before = self.seen;
        let word = |n: usize| n.checked_sub(words).and_then(|n| before.get(n)).copied().unwrap_or(0);
        for (n, seen) in self.seen.iter_mut().enumerate() {
            let carried = if bits > 0 && n > 0 { word(n - 1) >> (64 - bits) } else { 0 };
            *seen = word(n) << bits | carried;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_taken_once() {
        let mut window = Window::default();
        assert_eq!([0, 0, 7, 5, 7, 6].map(|number| window.take(number)), [true, false, true, true, false, true]);
        assert_eq!(
            [2000, 977, 976, 977, 2000, 1999].map(|number| window.take(number)),
            [true, true, false, false, false, true],
            "1,024 numbers up to the highest"
        );
        assert!(window.take(u32::MAX) && !window.take(u32::MAX) && !window.take(2000));
        assert!(window.take(u32::MAX - WINDOW + 1) && !window.take(u32::MAX - WINDOW));
    }

    proptest! {
        #[test]
        fn no_number_is_taken_twice(numbers in proptest::collection::vec(0u32..4000, 0..300)) {
            let (mut window, mut seen) = (Window::default(), alloc::collections::BTreeSet::new());
            let mut highest = 0;
            for number in numbers {
                highest = highest.max(number);
                let is_new = !seen.contains(&number) && highest - number < WINDOW;
                prop_assert_eq!(window.take(number), is_new, "{}", number);
                seen.insert(number);
            }
        }
    }
}
