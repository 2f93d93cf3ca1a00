//! How the vehicle and its gimbal were held, and how high, some minutes back.

use super::fix::FRESH;
use super::footprint::attitude;
use glam::{DQuat, EulerRot};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far it reaches back, as the track does.
const REACH: Duration = Duration::from_secs(600);
/// Samples that are kept: those of [`REACH`] at fifty a second.
const KEPT: usize = 30_000;

/// Something that is measured again and again.
pub(super) trait Sample: Copy {
    /// Between two samples that are further apart nobody knows.
    const GAP: Duration;
    /// So long after the last one it is taken for what is.
    const FRESH: Duration;
    /// What lies a share of the way from one to the next, where that can be said.
    fn between(self, next: Self, share: f64) -> Option<Self>;
}

/// Samples by when they were heard.
#[derive(Debug)]
pub(super) struct Series<T>(VecDeque<(Instant, T)>);

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Sample> Series<T> {
    pub(super) fn say(&mut self, at: Instant, sample: T) {
        let is_over = |(then, _): &(Instant, T)| at.saturating_duration_since(*then) > REACH;
        while self.0.len() >= KEPT || self.0.front().is_some_and(is_over) {
            self.0.pop_front();
        }
        self.0.push_back((at, sample));
    }

    /// What it was at a moment.
    pub(super) fn at(&self, at: Instant) -> Option<T> {
        let behind = self.0.partition_point(|(then, _)| *then <= at);
        let (then, before) = self.0.get(behind.checked_sub(1)?).copied()?;
        match self.0.get(behind) {
            Some((next, after)) if next.duration_since(then) <= T::GAP => {
                before.between(*after, (at - then).as_secs_f64() / (*next - then).as_secs_f64())
            }
            Some(_) => None,
            None => (at - then <= T::FRESH).then_some(before),
        }
    }
}

/// Vehicles turn a quarter in a second, on the short way.
impl Sample for DQuat {
    const GAP: Duration = Duration::from_millis(1500);
    const FRESH: Duration = Duration::from_millis(250);

    fn between(self, next: Self, share: f64) -> Option<Self> {
        Some(self.slerp(next, share))
    }
}

/// How a gimbal is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gimbal {
    /// Against north, east and down.
    pub(super) attitude: DQuat,
    /// Its yaw is from the vehicle's heading, not from north.
    pub(super) from_heading: bool,
}

impl Sample for Gimbal {
    const GAP: Duration = DQuat::GAP;
    const FRESH: Duration = DQuat::FRESH;

    fn between(self, next: Self, share: f64) -> Option<Self> {
        let attitude = self.attitude.slerp(next.attitude, share);
        (self.from_heading == next.from_heading).then_some(Self { attitude, ..self })
    }
}

/// Heights in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heights {
    /// Above where the vehicle started.
    pub above_start: f64,
    /// Above the sea.
    pub altitude: f64,
}

impl Sample for Heights {
    const GAP: Duration = FRESH;
    const FRESH: Duration = FRESH;

    fn between(self, next: Self, share: f64) -> Option<Self> {
        let between = |from: f64, to: f64| from + (to - from) * share;
        Some(Self {
            above_start: between(self.above_start, next.above_start),
            altitude: between(self.altitude, next.altitude),
        })
    }
}

/// All that is known of a vehicle beside its place.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) vehicle: Series<DQuat>,
    pub(super) gimbal: Series<Gimbal>,
    pub(super) heights: Series<Heights>,
}

impl Held {
    /// The gimbal's attitude at a moment against north, east and down.
    pub(super) fn gimbal(&self, at: Instant) -> Option<DQuat> {
        let Gimbal { attitude: held, from_heading } = self.gimbal.at(at)?;
        if !from_heading {
            return Some(held);
        }
        let (heading, _, _) = self.vehicle.at(at)?.to_euler(EulerRot::ZYX);
        Some(attitude(heading, 0.0, 0.0) * held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yaw(degrees: f64) -> DQuat {
        attitude(degrees.to_radians(), 0.0, 0.0)
    }

    fn heading(found: Option<DQuat>) -> Option<i64> {
        found
            .map(|found| found.to_euler(EulerRot::ZYX).0.to_degrees().round() as i64)
            .map(|degrees| degrees.rem_euclid(360))
    }

    #[test]
    fn attitudes_turn_on_the_short_way_and_not_over_gaps() {
        let began = Instant::now();
        let after = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut series = Series::default();
        assert_eq!(heading(series.at(began)), None);
        series.say(began, yaw(170.0));
        series.say(after(1000), yaw(-150.0));
        assert_eq!(heading(series.at(after(250))), Some(180));
        assert_eq!(heading(series.at(after(500))), Some(190));
        assert_eq!(heading(series.at(after(1200))), Some(210));
        assert_eq!(heading(series.at(after(1300))), None, "too old");
        series.say(after(3000), yaw(0.0));
        assert_eq!(heading(series.at(after(2000))), None, "nobody knows which way it turned");
        for n in 0..40_000 {
            series.say(after(3000 + 10 * n), yaw(0.0));
        }
        assert_eq!(series.0.len(), KEPT);
    }

    #[test]
    fn a_gimbal_that_follows_the_heading_needs_one() {
        let (began, mut held) = (Instant::now(), Held::default());
        held.gimbal.say(began, Gimbal { attitude: yaw(20.0), from_heading: true });
        assert_eq!(heading(held.gimbal(began)), None);
        held.vehicle.say(began, attitude(1.0, 0.3, -0.4));
        assert_eq!(heading(held.gimbal(began)), Some(77), "57 degrees and 20, whatever the vehicle's roll");
        held.gimbal.say(began + Duration::from_millis(100), Gimbal { attitude: yaw(20.0), from_heading: false });
        assert_eq!(heading(held.gimbal(began + Duration::from_millis(50))), None, "two meanings have nothing between");
        assert_eq!(heading(held.gimbal(began + Duration::from_millis(100))), Some(20));
    }
}
