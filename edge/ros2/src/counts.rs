//! What became of all frames, counted since the start, and its form in `diagnostic_msgs`.

use crate::messages::{DiagnosticStatus, KeyValue};
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

const OK: u8 = 0;
const WARN: u8 = 1;
const ERROR: u8 = 2;
const STALE: u8 = 3;

/// So long without a frame, the newest one is stale.
const FRESH: Duration = Duration::from_secs(5);
/// So long after something went wrong it is still said.
const REMEMBERED: Duration = Duration::from_secs(5);

/// What became of all frames. Each that came is one of captioned, unsure, older, repeated, refused, or still waits.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) frames: u64,
    pub(crate) captioned: u64,
    /// Captioned, and below `least_confidence`: not published.
    pub(crate) unsure: u64,
    /// A newer one took its place before it was its turn.
    pub(crate) older: u64,
    /// The other topic had the same frame, or a later one of the same camera, already.
    pub(crate) repeated: u64,
    /// Published and never seen here, by the publishers' numbers: lost on the way, or replaced before it was taken.
    pub(crate) missed: u64,
    pub(crate) refused: BTreeMap<&'static str, u64>,
    pub(crate) fixes: u64,
    pub(crate) fixes_refused: u64,
    /// Captions that no subscriber's queue took.
    pub(crate) unpublished: u64,
    pub(crate) latency: Option<Duration>,
    last_frame: Option<Instant>,
    last_error: Option<(Instant, u8, String)>,
}

impl Counts {
    /// A frame came.
    pub(crate) fn came(&mut self, missed: u64) {
        self.frames += 1;
        self.missed = self.missed.saturating_add(missed);
        self.last_frame = Some(Instant::now());
    }

    /// A frame has no caption; `model` broken is worse than a frame that is.
    pub(crate) fn refuse(&mut self, kind: &'static str, problem: String) {
        *self.refused.entry(kind).or_default() += 1;
        self.last_error = Some((Instant::now(), if kind == "model" { ERROR } else { WARN }, short(problem)));
    }

    /// Something else went wrong.
    pub(crate) fn warn(&mut self, problem: String) {
        self.last_error = Some((Instant::now(), WARN, short(problem)));
    }

    /// As `diagnostic_msgs` has it.
    pub(crate) fn status(&self, node: &str, bundle: &str, runtime: &str) -> DiagnosticStatus {
        let recent = self.last_error.as_ref().filter(|(when, ..)| when.elapsed() < REMEMBERED);
        let fresh = self.last_frame.is_some_and(|when| when.elapsed() < FRESH);
        let (level, message) = match (recent, fresh) {
            (Some((_, level, problem)), _) => (*level, problem.clone()),
            (None, false) if self.last_frame.is_none() => (STALE, "no frame has come yet".into()),
            (None, false) => (STALE, format!("no frame came for {} s", FRESH.as_secs())),
            (None, true) => (OK, format!("{} of {} frames captioned", self.captioned, self.frames)),
        };
        let count = |key: &str, count: u64| KeyValue { key: key.into(), value: count.to_string() };
        let mut values = vec![
            count("frames", self.frames),
            count("captioned", self.captioned),
            count("unsure", self.unsure),
            count("older", self.older),
            count("repeated", self.repeated),
            count("missed", self.missed),
            count("refused", self.refused.values().sum()),
        ];
        values.extend(self.refused.iter().map(|(kind, refused)| count(&format!("refused: {kind}"), *refused)));
        values.extend([
            count("fixes", self.fixes),
            count("fixes refused", self.fixes_refused),
            count("unpublished", self.unpublished),
        ]);
        let text = |key: &str, value: String| KeyValue { key: key.into(), value };
        let latency = self.latency.map(|latency| text("latency_ms", format!("{:.1}", latency.as_secs_f64() * 1e3)));
        values.extend(latency);
        values.push(text("runtime", runtime.into()));
        let last = self.last_error.as_ref().map(|(.., problem)| text("last error", problem.clone()));
        values.extend(last);
        let name = format!("{}: captions", node.trim_start_matches('/'));
        DiagnosticStatus { level, name, message, hardware_id: bundle.into(), values }
    }
}

/// Diagnostics repeat the last error each second: no more of it than a line.
fn short(mut problem: String) -> String {
    const MOST: usize = 400;
    if problem.len() > MOST {
        problem.truncate(problem.floor_char_boundary(MOST));
        problem.push('…');
    }
    problem
}

/// Gaps in the numbers of those who publish.
#[derive(Debug)]
pub(crate) struct Gaps<Publisher>(HashMap<Publisher, i64>);

/// Publishers that are remembered.
const MAX_PUBLISHERS: usize = 64;

impl<Publisher> Default for Gaps<Publisher> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Publisher: Copy + Eq + Hash> Gaps<Publisher> {
    /// How many numbers of a publisher were left out before this one.
    pub(crate) fn before(&mut self, publisher: Publisher, number: i64) -> u64 {
        if self.0.len() >= MAX_PUBLISHERS && !self.0.contains_key(&publisher) {
            self.0.clear();
        }
        let last = self.0.insert(publisher, number);
        last.map_or(0, |last| u64::try_from(number.saturating_sub(last).saturating_sub(1)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(status: &'a DiagnosticStatus, key: &str) -> Option<&'a str> {
        status.values.iter().find(|value| value.key == key).map(|value| value.value.as_str())
    }

    #[test]
    fn the_level_says_what_is_wrong() {
        let mut counts = Counts::default();
        let level = |counts: &Counts| counts.status("/cssa", "bundle", "tract").level;
        assert_eq!(level(&counts), STALE);
        counts.came(0);
        assert_eq!(level(&counts), OK);
        counts.refuse("encoding", "encoding \"32FC1\"".into());
        assert_eq!(level(&counts), WARN);
        counts.refuse("model", "the model failed".into());
        assert_eq!(level(&counts), ERROR);
    }

    #[test]
    fn each_reason_is_counted_by_its_name() {
        let mut counts = Counts { captioned: 3, ..Counts::default() };
        counts.came(2);
        counts.refuse("encoding", "a".into());
        counts.refuse("encoding", "b".into());
        counts.refuse("layout", "c".into());
        let status = counts.status("/drone/cssa", "bundle", "tract");
        assert_eq!((status.name.as_str(), status.hardware_id.as_str()), ("drone/cssa: captions", "bundle"));
        for (key, expected) in [
            ("frames", "1"),
            ("missed", "2"),
            ("refused", "3"),
            ("refused: encoding", "2"),
            ("refused: layout", "1"),
            ("last error", "c"),
            ("runtime", "tract"),
        ] {
            assert_eq!(value(&status, key), Some(expected), "{key}");
        }
        assert_eq!(value(&status, "latency_ms"), None);
    }

    #[test]
    fn gaps_are_those_of_each_publisher() {
        let mut gaps = Gaps::default();
        assert_eq!([gaps.before('a', 7), gaps.before('a', 8), gaps.before('b', 1), gaps.before('a', 11)], [0, 0, 0, 2]);
        assert_eq!(
            [gaps.before('a', 3), gaps.before('a', i64::MIN), gaps.before('a', i64::MAX)],
            [0, 0, (u64::MAX >> 1) - 1]
        );
        let mut many = Gaps::default();
        assert!((0..1000).all(|publisher| many.before(publisher, 1) == 0) && many.0.len() <= MAX_PUBLISHERS);
    }
}
