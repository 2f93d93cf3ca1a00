//! Runs of frames that the model does not know: a camera that has gone dark is one report, not a hundred captions.

use cssa::trust::Reason;

/// So many frames in a row are sent as captions, flagged; from the next one on, a report takes their place.
const FLAGGED: u32 = 2;

/// The run at hand, where there is one.
#[derive(Debug, Default)]
pub(super) struct OutsideRuns {
    run: Option<Run>,
    /// Runs so far.
    runs: u32,
}

/// A run of frames outside, as a report tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began, as packets have it: [`cssa_wire::Time`].
    pub since: u32,
    /// Tells apart runs that began in the same second.
    pub number: u32,
    /// Frames so far.
    pub frames: u32,
    /// How many of them have each reason, in the packet's order.
    reasons: [u32; Reason::ALL.len()],
}

/// What is said of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Its caption.
    Caption,
    /// A report of the run that it belongs to.
    Report(Run),
    /// Nothing: the run is reported.
    Nothing,
}

impl OutsideRuns {
    /// Takes the next frame, of `time`, outside for `reason` or not at all: the whole of a reported run that it ends, and what is said
    /// of the frame itself.
    pub(super) fn next(&mut self, reason: Option<Reason>, time: u32) -> (Option<Run>, Said) {
        let Some(reason) = reason else {
            return (self.over(), Said::Caption);
        };
        let run = self.run.get_or_insert_with(|| {
            self.runs = self.runs.wrapping_add(1);
            Run { since: time, number: self.runs, frames: 0, reasons: [0; Reason::ALL.len()] }
        });
        run.frames += 1;
        run.reasons[usize::from(reason.code())] += 1;
        let said = match run.frames {
            1..=FLAGGED => Said::Caption,
            _ if run.frames == FLAGGED + 1 => Said::Report(*run),
            _ => Said::Nothing,
        };
        (None, said)
    }

    /// Ends the run at hand; gives it where its report has told of fewer frames than it had.
    pub(super) fn over(&mut self) -> Option<Run> {
        self.run.take().filter(|run| run.frames > FLAGGED + 1)
    }
}

impl Run {
    /// The reason that most of its frames have.
    #[must_use]
    pub fn reason(&self) -> Reason {
        let most = Reason::ALL.into_iter().rev().max_by_key(|reason| self.reasons[usize::from(reason.code())]);
        most.unwrap_or(Reason::Unfamiliar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_reported_when_it_is_one_and_when_it_is_over() {
        let mut runs = OutsideRuns::default();
        let dark = Some(Reason::Dark);
        assert_eq!(runs.next(None, 1), (None, Said::Caption));
        assert_eq!([10, 11].map(|time| runs.next(dark, time)), [(None, Said::Caption); 2]);
        let (over, said) = runs.next(Some(Reason::Unfamiliar), 12);
        let Said::Report(run) = said else { unreachable!("{said:?}") };
        assert_eq!((over, run.since, run.frames, run.reason()), (None, 10, 3, Reason::Dark));
        assert_eq!([13, 14].map(|time| runs.next(dark, time)), [(None, Said::Nothing); 2]);
        let (over, said) = runs.next(None, 15);
        assert_eq!(
            (over.map(|run| (run.since, run.frames, run.reason())), said),
            (Some((10, 5, Reason::Dark)), Said::Caption)
        );
        assert_eq!(runs.next(None, 16), (None, Said::Caption), "it is over");
    }

    #[test]
    fn what_a_report_has_told_is_not_told_again() {
        let mut runs = OutsideRuns::default();
        let said = [1, 2, 3].map(|time| runs.next(Some(Reason::Dark), time).1);
        assert!(matches!(said, [Said::Caption, Said::Caption, Said::Report(Run { frames: 3, .. })]), "{said:?}");
        assert_eq!(runs.over(), None);
    }

    #[test]
    fn a_short_run_is_no_report() {
        let mut runs = OutsideRuns::default();
        for time in 0..9 {
            let reason = (time % 3 < 2).then_some(Reason::Foggy);
            assert_eq!(runs.next(reason, time), (None, Said::Caption));
        }
    }
}
