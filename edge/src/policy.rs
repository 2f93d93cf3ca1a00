//! What is worth sending: sure enough, new for its place, within the byte budget. Watch-words decide on the priority.

use super::config::{Outside, PolicyConfig};
use super::orders::Orders;
use super::outcome::Dropped;
use super::store::Budget;
use super::watch_list::WatchList;
use cssa::trust::{Confidence, Reason};
use cssa_captioner::Caption;
use cssa_wire::{MAX_PRIORITY, Position};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Places that are remembered.
const MAX_PLACES: usize = 10_000;
/// Kilometres of a degree of latitude, times 1000.
const METRES_PER_DEGREE: f64 = 111_320.0;

/// The policy and what it remembers. All its times are monotonic: a clock that jumps changes nothing, but for what is
/// left of a budget from before a start.
#[derive(Debug)]
pub struct Policy {
    config: PolicyConfig,
    watch: WatchList,
    places: BTreeMap<Cell, Said>,
    order: VecDeque<Cell>,
    bucket: Option<Bucket>,
}

/// A square of the earth's surface.
type Cell = (i32, i32);

/// A caption that was said, and how far it can be believed.
#[derive(Debug)]
struct Said {
    caption: String,
    at: Instant,
    priority: u8,
    is_believed: bool,
}

/// From this confidence on a caption is taken for true.
const BELIEVED: f32 = 0.5;

/// Bytes that may still be queued; it fills steadily up to an hour's worth.
#[derive(Debug)]
struct Bucket {
    bytes: f64,
    at: Instant,
}

impl Bucket {
    /// The bytes that are in it by now.
    fn filled(&self, hourly: f64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.bytes + hourly * passed / 3600.0).min(hourly)
    }
}

impl PolicyConfig {
    /// What it is under the orders of the ground.
    #[must_use]
    pub fn under(&self, orders: &Orders) -> Self {
        let mut policy = self.clone();
        if let Some(thousandths) = orders.least_confidence {
            policy.least_confidence = f32::from(thousandths) / 1000.0;
        }
        if let Some(watch) = &orders.watch {
            policy.watch.clone_from(watch);
        }
        if let Some((metres, minutes)) = orders.novelty {
            (policy.novelty_metres, policy.novelty_minutes) = (metres.into(), minutes.into());
        }
        policy.bytes_per_hour = orders.bytes_per_hour.unwrap_or(policy.bytes_per_hour);
        policy
    }
}

impl Policy {
    /// A policy that has seen nothing, with a full budget.
    #[must_use]
    pub fn new(config: &PolicyConfig, watch: WatchList, now: Instant) -> Self {
        let bucket = (config.bytes_per_hour > 0).then(|| Bucket { bytes: f64::from(config.bytes_per_hour), at: now });
        Self { config: config.clone(), watch, places: BTreeMap::new(), order: VecDeque::new(), bucket }
    }

    /// Goes on with the budget that was left at `kept.utc`, by now filled as far as the clock says that time has
    /// passed: not at all where it was set back, and never beyond an hour's worth.
    #[must_use]
    pub fn with_budget(mut self, kept: Option<Budget>, utc: u32) -> Self {
        if let (Some(bucket), Some(kept)) = (&mut self.bucket, kept) {
            let hourly = f64::from(self.config.bytes_per_hour);
            let passed = f64::from(utc.saturating_sub(kept.utc));
            bucket.bytes = (f64::from(kept.bytes) + hourly * passed / 3600.0).min(hourly);
        }
        self
    }

    /// What is left of the budget, where there is one.
    #[must_use]
    pub fn budget(&self, now: Instant, utc: u32) -> Option<Budget> {
        let hourly = f64::from(self.config.bytes_per_hour);
        self.bucket.as_ref().map(|bucket| Budget { bytes: bucket.filled(hourly, now) as u32, utc })
    }

    /// Goes by another configuration from now on, and watches for the words of its captions. A budget that was none is full; one that is
    /// less than before has no more in it than an hour's worth.
    pub fn follow(&mut self, config: &PolicyConfig, watch: WatchList, now: Instant) {
        let (before, hourly) = (f64::from(self.config.bytes_per_hour), f64::from(config.bytes_per_hour));
        self.bucket = (hourly > 0.0).then(|| {
            let left = self.bucket.as_ref().map_or(hourly, |bucket| bucket.filled(before, now));
            Bucket { bytes: left.min(hourly), at: now }
        });
        if config.novelty_metres != self.config.novelty_metres {
            // Its places are squares of another size.
            self.places.clear();
            self.order.clear();
        }
        (self.config, self.watch) = (config.clone(), watch);
    }

    /// The priority that a caption's words give it.
    #[must_use]
    pub fn priority(&self, caption: &str) -> u8 {
        self.watch.priority(caption)
    }

    /// The priority that a caption is sent with, or why it is not, before it has a packet: what a bundle with
    /// statistics says.
    pub fn admit(&self, caption: &Caption, position: Option<Position>, now: Instant) -> Result<u8, Dropped> {
        let priority = self.urgency(caption)?;
        let confidence = caption.confidence.map_or(0.0, Confidence::value);
        if confidence < self.config.least_confidence && priority == 0 {
            return Err(Dropped::LowConfidence);
        }
        self.novelty(caption, priority, position, now)
    }

    /// As [`Policy::admit`], for a bundle without statistics: confidence cannot be asked for.
    pub fn admit_unjudged(&self, caption: &Caption, position: Option<Position>, now: Instant) -> Result<u8, Dropped> {
        self.novelty(caption, self.urgency(caption)?, position, now)
    }

    /// What an image outside seems to show raises no priority.
    fn urgency(&self, caption: &Caption) -> Result<u8, Dropped> {
        let outside = self.outside(caption);
        if outside.is_some() && self.config.outside == Outside::Drop {
            return Err(Dropped::Outside);
        }
        Ok(if outside.is_some() { 0 } else { self.priority(&caption.text) })
    }

    /// The same words at the same place are nothing new, but where they are more urgent now, or to be believed and were
    /// not. Without a place nothing says that it is the same.
    fn novelty(
        &self,
        caption: &Caption,
        priority: u8,
        position: Option<Position>,
        now: Instant,
    ) -> Result<u8, Dropped> {
        let Some(cell) = self.cell(position) else { return Ok(priority) };
        let lasts = Duration::from_secs_f64(self.config.novelty_minutes * 60.0);
        match self.places.get(&cell) {
            Some(said)
                if said.caption == caption.text
                    && now.saturating_duration_since(said.at) < lasts
                    && priority <= said.priority
                    && (said.is_believed || !self.is_believed(caption)) =>
            {
                Err(Dropped::NotNovel)
            }
            _ => Ok(priority),
        }
    }

    fn is_believed(&self, caption: &Caption) -> bool {
        self.outside(caption).is_none() && caption.confidence.is_some_and(|confidence| confidence.value() >= BELIEVED)
    }

    /// The reason with which a caption is sent, where it is flagged.
    #[must_use]
    pub fn outside(&self, caption: &Caption) -> Option<Reason> {
        if self.config.outside == Outside::Send { None } else { caption.outside() }
    }

    /// Takes a packet's bytes from the budget.
    pub fn spend(&mut self, bytes: usize, priority: u8, now: Instant) -> Result<(), Dropped> {
        let Some(bucket) = &mut self.bucket else { return Ok(()) };
        let hourly = f64::from(self.config.bytes_per_hour);
        bucket.bytes = bucket.filled(hourly, now);
        bucket.at = now.max(bucket.at);
        let kept = if priority > 0 { 0.0 } else { hourly * self.config.reserve };
        if bucket.bytes - (bytes as f64) < kept {
            return Err(Dropped::OverBudget);
        }
        bucket.bytes -= bytes as f64;
        Ok(())
    }

    /// Takes bytes from the budget that are sent whatever is left of it.
    pub fn spend_anyway(&mut self, bytes: usize, now: Instant) {
        if self.spend(bytes, MAX_PRIORITY, now).is_err()
            && let Some(bucket) = &mut self.bucket
        {
            bucket.bytes = 0.0;
        }
    }

    /// Remembers what a place said.
    pub fn queued(&mut self, caption: &Caption, priority: u8, position: Option<Position>, now: Instant) {
        let Some(cell) = self.cell(position) else { return };
        let said = Said { caption: caption.text.clone(), at: now, priority, is_believed: self.is_believed(caption) };
        if self.places.insert(cell, said).is_none() {
            self.order.push_back(cell);
            if self.order.len() > MAX_PLACES
                && let Some(oldest) = self.order.pop_front()
            {
                self.places.remove(&oldest);
            }
        }
    }

    /// The square of a place; nothing without one, and where novelty is off.
    fn cell(&self, position: Option<Position>) -> Option<Cell> {
        let (latitude, longitude) = position.filter(|_| self.config.novelty_metres > 0.0)?.degrees();
        let row = (latitude * METRES_PER_DEGREE / self.config.novelty_metres).floor();
        // One width for the whole row, so that its cells do not overlap.
        let middle = ((row + 0.5) * self.config.novelty_metres / METRES_PER_DEGREE).to_radians();
        let width = METRES_PER_DEGREE * middle.cos().max(1e-6);
        Some((row as i32, (longitude * width / self.config.novelty_metres).floor() as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Replaced;
    use crate::watch_list::Lexicon;
    use cssa::bundle::Bundle;

    fn config() -> PolicyConfig {
        PolicyConfig {
            least_confidence: 0.5,
            novelty_metres: 100.0,
            novelty_minutes: 10.0,
            outside: Outside::Flag,
            replaced: Replaced,
            watch: [("airplane".into(), 3), ("storage tank".into(), 2)].into(),
            bytes_per_hour: 3600,
            reserve: 0.5,
        }
    }

    fn policy(config: &PolicyConfig, now: Instant) -> Policy {
        let lexicon = Lexicon::of(&Bundle::read(&fixtures::bundle()).expect("the default bundle"));
        Policy::new(config, WatchList::new(&config.watch, &lexicon).0, now)
    }

    fn caption(text: &str, confidence: f32) -> Caption {
        let confidence = Confidence::try_from(confidence).ok();
        Caption { text: text.into(), confidence, ..Caption::default() }
    }

    #[test]
    fn what_is_not_ordered_is_as_configured() {
        let configured = PolicyConfig { least_confidence: 0.5, bytes_per_hour: 9, ..PolicyConfig::default() };
        assert_eq!(configured.under(&Orders::default()), configured);
        let orders = Orders {
            least_confidence: Some(250),
            watch: Some([("ship".into(), 3)].into()),
            novelty: Some((100, 30)),
            ..Orders::default()
        };
        let policy = configured.under(&orders);
        assert_eq!((policy.least_confidence, policy.watch["ship"], policy.bytes_per_hour), (0.25, 3, 9));
        assert_eq!((policy.novelty_metres, policy.novelty_minutes), (100.0, 30.0));
        assert!(Orders::default().is_empty() && !orders.is_empty());
    }

    #[test]
    fn a_place_says_the_same_once() {
        let now = Instant::now();
        let mut policy = policy(&config(), now);
        let (here, near, far) =
            (Position::new(48.20001, 16.3), Position::new(48.20011, 16.30005), Position::new(48.21, 16.3));
        let later = now + Duration::from_secs(601);
        assert_eq!(policy.admit(&caption("a river", 0.4), here, now), Err(Dropped::LowConfidence));
        assert_eq!(policy.admit(&caption("an airplane", 0.4), here, now), Ok(3));
        policy.queued(&caption("a river", 0.9), 0, here, now);
        assert_eq!(policy.admit(&caption("a river", 0.9), near, now), Err(Dropped::NotNovel));
        assert_eq!(policy.admit(&caption("a bridge", 0.9), near, now), Ok(0));
        assert_eq!(policy.admit(&caption("a river", 0.9), far, now), Ok(0));
        for _ in 0..2 {
            assert_eq!(
                policy.admit(&caption("a river", 0.9), None, now),
                Ok(0),
                "nothing says that it is the same place"
            );
            policy.queued(&caption("a river", 0.9), 0, None, now);
        }
        assert_eq!(policy.admit(&caption("a river", 0.9), near, later), Ok(0));
    }

    /// The white frame before it said so, too: nobody believes that.
    #[test]
    fn what_nobody_believes_hides_nothing() {
        let now = Instant::now();
        let mut policy = policy(&PolicyConfig { least_confidence: 0.0, ..config() }, now);
        let flagged = Caption { reasons: vec![Reason::Overexposed], ..caption("an airplane", 0.9) };
        let here = Position::new(48.2, 16.3);
        policy.queued(&flagged, 0, here, now);
        assert_eq!(policy.admit(&flagged, here, now), Err(Dropped::NotNovel));
        assert_eq!(policy.admit(&caption("an airplane", 0.9), here, now), Ok(3));
        policy.queued(&caption("a river", 0.3), 0, here, now);
        assert_eq!(policy.admit(&caption("a river", 0.4), here, now), Err(Dropped::NotNovel));
        assert_eq!(policy.admit(&caption("a river", 0.8), here, now), Ok(0));
        policy.queued(&caption("a river", 0.8), 0, here, now);
        assert_eq!(policy.admit(&caption("a river", 0.9), here, now), Err(Dropped::NotNovel));
    }

    #[test]
    fn what_is_outside_is_dropped_flagged_or_sent_and_raises_no_priority() {
        let now = Instant::now();
        let with = |outside| policy(&PolicyConfig { outside, ..config() }, now);
        let fog = |confidence| Caption { reasons: vec![Reason::Foggy], ..caption("an airplane", confidence) };
        assert_eq!(with(Outside::Drop).admit(&fog(0.9), None, now), Err(Dropped::Outside));
        let flagging = with(Outside::Flag);
        assert_eq!((flagging.admit(&fog(0.9), None, now), flagging.outside(&fog(0.9))), (Ok(0), Some(Reason::Foggy)));
        assert_eq!(
            flagging.admit(&fog(0.4), None, now),
            Err(Dropped::LowConfidence),
            "the watch-word does not save it"
        );
        let sending = with(Outside::Send);
        assert_eq!((sending.admit(&fog(0.4), None, now), sending.outside(&fog(0.4))), (Ok(3), None));
        let unknown = Caption { confidence: None, ..caption("a river", 0.9) };
        assert_eq!(flagging.admit(&unknown, None, now), Err(Dropped::LowConfidence), "none is never certainty");
        assert_eq!(flagging.admit_unjudged(&unknown, None, now), Ok(0));
        let careless = policy(&PolicyConfig { least_confidence: 0.0, ..config() }, now);
        assert_eq!(careless.admit(&unknown, None, now), Ok(0));
    }

    #[test]
    fn the_budget_keeps_a_reserve_and_fills_again() {
        let now = Instant::now();
        let mut policy = policy(&config(), now);
        assert_eq!(policy.spend(1800, 0, now), Ok(()));
        assert_eq!(policy.spend(1, 0, now), Err(Dropped::OverBudget));
        assert_eq!(policy.spend(1000, 1, now), Ok(()));
        assert_eq!(policy.spend(900, 1, now), Err(Dropped::OverBudget));
        assert_eq!(policy.spend(900, 1, now + Duration::from_secs(101)), Ok(()));
    }

    /// What is left is kept over a start; a clock that was set back fills nothing, one that was set forward an hour's
    /// worth.
    #[test]
    fn a_start_does_not_fill_the_budget() {
        let now = Instant::now();
        let mut before = policy(&config(), now);
        assert_eq!(before.spend(1700, 0, now), Ok(()));
        let kept = before.budget(now, 10_000);
        assert_eq!(kept, Some(Budget { bytes: 1900, utc: 10_000 }));
        assert_eq!(before.budget(now + Duration::from_secs(60), 10_060), Some(Budget { bytes: 1960, utc: 10_060 }));
        for (utc, left) in [(10_000, 1900), (10_100, 2000), (5, 1900), (10_000_000, 3600)] {
            let after = policy(&config(), now).with_budget(kept, utc);
            assert_eq!(after.budget(now, utc), Some(Budget { bytes: left, utc }), "at {utc}");
        }
        let smaller = PolicyConfig { bytes_per_hour: 1000, ..config() };
        let after = policy(&smaller, now).with_budget(kept, 10_000);
        assert_eq!(after.budget(now, 10_000), Some(Budget { bytes: 1000, utc: 10_000 }));
        let unlimited = policy(&PolicyConfig { bytes_per_hour: 0, ..config() }, now).with_budget(kept, 10_000);
        assert_eq!(unlimited.budget(now, 10_000), None);
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut policy = policy(&config(), now);
        for n in 0..MAX_PLACES + 50 {
            policy.queued(&caption("a river", 0.9), 0, Position::new(-80.0 + n as f64 * 0.01, 0.0), now);
        }
        assert_eq!((policy.places.len(), policy.order.len()), (MAX_PLACES, MAX_PLACES));
    }
}
