//! Whether what a receiver says is of now: its clock goes on as the computer's does, which nobody sets. One that stands still is frozen; one
//! that goes faster gives what has waited in a buffer.

use std::time::{Duration, Instant};

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Seconds by which a receiver's clock may differ from the computer's since they were compared.
const MAX_DRIFT: f64 = 5.0;
/// A clock that went wrong is believed again when it has gone right for so long, to so many seconds.
const PROOF: (Duration, f64) = (Duration::from_secs(2), 1.5);
/// After so long clocks are compared anew: none goes exactly.
const COMPARED: Duration = Duration::from_secs(60);

/// The pace of a receiver's clock.
#[derive(Debug, Default)]
pub(super) struct Pace {
    compared: Option<(u32, Instant)>,
    /// How it went wrong, where it is not yet believed again.
    wrong: Option<&'static str>,
}

impl Pace {
    /// Takes the second of the day of a sentence that came at a moment; says what is wrong with it.
    pub(super) fn next(&mut self, second: u32, at: Instant) -> Option<&'static str> {
        let Some((before, then)) = self.compared else {
            self.compared = Some((second, at));
            return None;
        };
        let elapsed = at.saturating_duration_since(then);
        // The shorter way around the day.
        let apart = f64::from(second) - f64::from(before) - elapsed.as_secs_f64();
        let drift = (apart + DAY / 2.0).rem_euclid(DAY) - DAY / 2.0;
        let (proof, most) = (PROOF.0, if self.wrong.is_some() { PROOF.1 } else { MAX_DRIFT });
        if drift.abs() > most {
            self.compared = Some((second, at));
            self.wrong = Some(match drift < 0.0 {
                true => "its clock stands still, or runs behind: positions are old",
                false => "its clock runs ahead of time: positions have waited, or it was set",
            });
        } else if self.wrong.is_some() && elapsed >= proof {
            self.wrong = None;
        } else if self.wrong.is_none() && elapsed >= COMPARED {
            self.compared = Some((second, at));
        }
        self.wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each of some sentences is believed: the receiver's second, and milliseconds when it came.
    fn believed(sentences: impl Iterator<Item = (u32, u64)>) -> Vec<bool> {
        let (mut pace, began) = (Pace::default(), Instant::now());
        sentences.map(|(second, at)| pace.next(second, began + Duration::from_millis(at)).is_none()).collect()
    }

    #[test]
    fn a_clock_that_goes_right_is_believed() {
        // Over midnight, five a second, and with sentences that come late.
        let right = (0..200_000).map(|n| ((86_000 + n / 5) % 86_400, u64::from(n) * 200 + u64::from(n % 7) * 90));
        assert!(believed(right).into_iter().all(|is_believed| is_believed));
        // After a gap, in which both went on.
        assert_eq!(believed([(10, 0), (11, 1000), (911, 901_000)].into_iter()), [true; 3]);
    }

    #[test]
    fn a_clock_that_stands_still_is_not() {
        let frozen = believed((0..60).map(|n| (36_000, n * 1000)));
        assert!(frozen[..6].iter().all(|is_believed| *is_believed) && !frozen[6..].contains(&true), "{frozen:?}");
    }

    #[test]
    fn what_has_waited_is_not_of_now() {
        // Sixty seconds at once, and then as they come.
        let waited = (0..60).map(|n| (36_000 + n, u64::from(n)));
        let live = (0..10).map(|n| (36_060 + n, 1000 + u64::from(n) * 1000));
        let found = believed(waited.chain(live));
        assert!(!found[6..61].contains(&true) && found[64..].iter().all(|is_believed| *is_believed), "{found:?}");
    }

    #[test]
    fn a_clock_that_was_set_is_believed_again() {
        let found = believed((0..10).map(|n| (if n < 3 { 100 } else { 118 } + n, u64::from(n) * 1000)));
        assert_eq!(found, [true, true, true, false, false, true, true, true, true, true]);
    }
}
