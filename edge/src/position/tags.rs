//! Why images' own tags were not used: counted by kind, and logged once for each thing that is wrong.

use crate::control::Faults;
use cssa_image::Problem;
use cssa_wire::FaultKind;
use std::collections::BTreeSet;
use std::fmt::Display;

/// So much of what was said is remembered.
const MAX_SAID: usize = 1000;

/// Writes down why tags of frames were not used.
#[derive(Debug)]
pub(crate) struct TagFaults {
    faults: Faults,
    /// What was said already.
    said: BTreeSet<String>,
}

impl TagFaults {
    /// Nothing is written down yet.
    pub(crate) fn new(faults: Faults) -> Self {
        Self { faults, said: BTreeSet::new() }
    }

    /// Writes down why tags of a frame were not used; gives how many lines the log has of it.
    pub(crate) fn note(&mut self, name: &dyn Display, problems: &[Problem]) -> usize {
        let mut lines = 0;
        for problem in problems.iter().filter(|problem| !matches!(problem, Problem::Absent(_))) {
            // One line for each thing that is wrong; the first of its kind has one anyhow.
            let kind = FaultKind::of_name(problem.kind()).unwrap_or(FaultKind::UnusableTags);
            let is_first = !self.faults.all().contains_key(&kind);
            self.faults.record(kind, format_args!("{name}: {problem}"));
            let is_new = self.said.len() < MAX_SAID && self.said.insert(problem.to_string());
            if is_new && !is_first {
                tracing::warn!(kind = problem.kind(), "{name}: {problem}");
            }
            lines += usize::from(is_new || is_first);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two runs in one process know nothing of each other.
    #[test]
    fn each_run_has_its_own_faults() {
        let (first, second) = (Faults::default(), Faults::default());
        let mut notes = [TagFaults::new(first.clone()), TagFaults::new(second.clone())];
        let problem = |reason: &str| [Problem::NoFix(reason.into()), Problem::Absent("time")];
        assert_eq!(notes[0].note(&"a.jpg", &problem("0, 0")), 1);
        assert_eq!(notes[0].note(&"b.jpg", &problem("0, 0")), 0, "said already");
        assert_eq!(notes[0].note(&"c.jpg", &problem("GPSStatus is V")), 1);
        let all = first.all();
        assert_eq!((all.len(), all[&FaultKind::TagsWithoutFix].count), (1, 3));
        assert_eq!(all[&FaultKind::TagsWithoutFix].last, "c.jpg: no fix: GPSStatus is V");
        assert!(second.all().is_empty());
        assert_eq!(notes[1].note(&"a.jpg", &problem("0, 0")), 1);
    }
}
