//! Why images' own tags were not used: counted by kind and logged once, then now and again.

use crate::control::{Fault, Faults};
use cssa_image::Problem;
use cssa_image::georeference::Georeference;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{Read, Seek};
use std::sync::LazyLock;

/// Sources read tags in threads of their own, and know nothing of the program's other faults.
static FAULTS: LazyLock<Faults> = LazyLock::new(Faults::default);

/// Writes down why tags of a frame were not used.
pub(crate) fn note(name: &dyn Display, problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| !matches!(problem, Problem::Absent(_))) {
        FAULTS.record(problem.kind(), format_args!("{name}: {problem}"));
    }
}

/// A scene's georeference; what is wrong with it is written down.
pub(crate) fn georeference<R: Read + Seek>(name: &dyn Display, input: &mut R) -> Option<Georeference> {
    Georeference::read(input).map_err(|problem| note(name, &[problem])).ok()
}

/// What was written down since the start.
pub(crate) fn faults() -> BTreeMap<&'static str, Fault> {
    FAULTS.all()
}
