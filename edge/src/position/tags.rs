//! Why images' own tags were not used: counted by kind, and logged once for each thing that is wrong.

use crate::control::{Fault, Faults};
use cssa_image::Problem;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Sources read tags in threads of their own, and know nothing of the program's other faults.
static FAULTS: LazyLock<Faults> = LazyLock::new(Faults::default);

/// What was said already.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// So much of it is remembered.
const MAX_SAID: usize = 1000;

/// Writes down why tags of a frame were not used.
pub(crate) fn note(name: &dyn Display, problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| !matches!(problem, Problem::Absent(_))) {
        // One line for each thing that is wrong; the first of its kind has one anyhow.
        let is_first = !FAULTS.all().contains_key(problem.kind());
        FAULTS.record(problem.kind(), format_args!("{name}: {problem}"));
        let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < MAX_SAID && said.insert(problem.to_string()) && !is_first {
            tracing::warn!(kind = problem.kind(), "{name}: {problem}");
        }
    }
}

/// What was written down since the start.
pub(crate) fn faults() -> BTreeMap<&'static str, Fault> {
    FAULTS.all()
}
