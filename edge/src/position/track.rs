//! Where the vehicle was, some minutes back: a frame's place is that of the moment in which it was taken, not of the one in which its caption
//! is written.

use super::fix::{FRESH, Fix};
use cssa_image::Place;
use cssa_wire::Position;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far it reaches back: longer than frames wait for a hot vehicle.
const REACH: Duration = Duration::from_secs(600);
/// Fixes that are kept: those of [`REACH`] at ten a second.
const KEPT: usize = 6000;
/// Fixes at most this far apart say how fast the vehicle is.
const STEADY: Duration = Duration::from_secs(2);

/// A receiver's fixes by when they were heard. Where it lost its fix there is none.
#[derive(Debug, Default)]
pub(super) struct Track {
    fixes: VecDeque<(Instant, Option<Fix>)>,
}

impl Track {
    /// What the receiver says now: a fix, or that it has none.
    pub(super) fn say(&mut self, at: Instant, fix: Option<Fix>) {
        if fix.is_none() && self.fixes.back().is_none_or(|(_, last)| last.is_none()) {
            return;
        }
        let is_over = |(then, _): &(Instant, Option<Fix>)| at.saturating_duration_since(*then) > REACH;
        while self.fixes.len() >= KEPT || self.fixes.front().is_some_and(is_over) {
            self.fixes.pop_front();
        }
        self.fixes.push_back((at, fix));
    }

    /// The place at a moment: between two fixes in proportion; behind the last one on the way that the last two show, as far as
    /// these are apart, and then where it was. `None` where two fixes ask for a speed that nothing has, or where the last fix before is older than five seconds.
    pub(super) fn position(&self, at: Instant) -> Option<Position> {
        let behind = self.fixes.partition_point(|(then, _)| *then <= at);
        let (then, before) = self.fixes.get(behind.checked_sub(1)?).copied()?;
        let before = before?;
        match self.fixes.get(behind) {
            Some((next, Some(after))) if next.duration_since(then) <= FRESH => {
                let is_possible = is_possible(before.position, after.position, *next - then);
                is_possible.then(|| between(before.position, after.position, share(at - then, *next - then))).flatten()
            }
            _ if at - then >= FRESH => None,
            Some(_) => Some(before.position),
            None if !self.is_steady(behind) => None,
            None => self.onwards(behind, at).or(Some(before.position)),
        }
    }

    /// Whether the last of `count` fixes can be reached from the one before it.
    fn is_steady(&self, count: usize) -> bool {
        let get = |back| self.fixes.get(usize::checked_sub(count, back)?).copied();
        match (get(2), get(1)) {
            (Some((then, Some(from))), Some((now, Some(to)))) => is_possible(from.position, to.position, now - then),
            _ => true,
        }
    }

    /// The place at a moment behind all of `count` fixes.
    fn onwards(&self, count: usize, at: Instant) -> Option<Position> {
        let (earlier, from) = self.fixes.get(count.checked_sub(2)?).copied()?;
        let (last, to) = self.fixes.get(count - 1).copied()?;
        let apart = last - earlier;
        if apart > STEADY || apart.is_zero() {
            return None;
        }
        between(from?.position, to?.position, 1.0 + share((at - last).min(apart), apart))
    }

    /// UTC at a moment in seconds since 1970, by the last fix before that says it, where this is fresh.
    pub(super) fn time(&self, at: Instant) -> Option<u32> {
        let behind = self.fixes.partition_point(|(then, _)| *then <= at);
        let (then, fix) = self.fixes.get(behind.checked_sub(1)?).copied()?;
        let elapsed = at - then;
        fix?.time.filter(|_| elapsed < FRESH)?.checked_add(elapsed.as_secs() as u32)
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() / whole.as_secs_f64()
}

/// Whether something gets from one place to another in a time.
fn is_possible(from: Position, to: Position, within: Duration) -> bool {
    place(from).zip(place(to)).is_some_and(|(from, to)| from.reaches(to, within))
}

/// The place that lies a share of the way from one to another.
fn between(from: Position, to: Position, share: f64) -> Option<Position> {
    let found = place(from)?.towards(place(to)?, share)?;
    Position::new(found.latitude, found.longitude)
}

fn place(position: Position) -> Option<Place> {
    let (latitude, longitude) = position.degrees();
    Place::new(latitude, longitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(north: f64, east: f64, time: Option<u32>) -> Option<Fix> {
        Position::new(north, east).map(|position| Fix { position, time })
    }

    fn is_near(found: Option<Position>, north: f64, east: f64) -> bool {
        found.is_some_and(|found| {
            let (found_north, found_east) = found.degrees();
            (found_north - north).abs() < 2e-7 && (found_east - east).abs() < 2e-7
        })
    }

    #[test]
    fn a_place_is_that_of_its_moment() {
        let began = Instant::now();
        let after = |milliseconds| began + Duration::from_millis(milliseconds);
        let mut track = Track::default();
        assert_eq!(track.position(began), None);
        for second in 0..4u32 {
            track.say(after(1000 * u64::from(second)), fix(10.0 + 0.001 * f64::from(second), 20.0, Some(100 + second)));
        }
        assert!(is_near(track.position(after(1250)), 10.00125, 20.0), "between two fixes");
        assert!(is_near(track.position(after(3500)), 10.0035, 20.0), "on the way");
        assert!(is_near(track.position(after(4800)), 10.004, 20.0), "no further than one step");
        assert_eq!(track.position(after(8000)), None, "too old");
        assert_eq!(track.position(began.checked_sub(Duration::from_millis(1)).unwrap_or(began)), None, "not yet");
        assert_eq!(
            (track.time(after(2999)), track.time(after(4100)), track.time(after(9000))),
            (Some(102), Some(104), None)
        );
        track.say(after(5000), None);
        assert!(is_near(track.position(after(4900)), 10.003, 20.0), "it was lost meanwhile: no guess");
        assert_eq!(track.position(after(5100)), None, "lost");
        assert_eq!(track.time(after(5100)), None);
        track.say(after(6000), fix(11.0, 20.0, None));
        assert_eq!(track.position(after(5900)), None, "before it was found again");
        assert!(is_near(track.position(after(6500)), 11.0, 20.0), "one fix shows no way");
    }

    #[test]
    fn gaps_are_not_crossed_and_the_date_line_is() {
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let mut track = Track::default();
        track.say(began, fix(0.0, 179.9995, None));
        track.say(after(2), fix(0.0, -179.9995, None));
        assert!(is_near(track.position(after(1)), 0.0, -180.0));
        track.say(after(20), fix(0.0, 0.0, None));
        assert!(is_near(track.position(after(5)), 0.0, -179.9995), "where it was");
        assert_eq!(track.position(after(10)), None, "nobody knows which way it took");
        assert_eq!(track.time(after(1)), None);
    }

    /// A receiver that jumps has no place on the way, nor further on, nor, until it stays, where it says.
    #[test]
    fn jumps_are_no_way() {
        let began = Instant::now();
        let after = |milliseconds| began + Duration::from_millis(milliseconds);
        for (north, east) in [(12.0, 22.0), (10.2, 20.0), (-50.0, -120.0), (10.0, 20.15)] {
            let mut track = Track::default();
            track.say(began, fix(10.0, 20.0, None));
            track.say(after(1000), fix(north, east, None));
            assert_eq!((track.position(after(500)), track.position(after(1800))), (None, None), "{north} {east}");
            track.say(after(2000), fix(north, east, None));
            assert!(is_near(track.position(after(2500)), north, east));
            assert_eq!(track.position(after(500)), None);
        }
        let mut orbit = Track::default();
        orbit.say(began, fix(10.0, 20.0, None));
        orbit.say(after(1000), fix(10.06, 20.0, None));
        assert!(is_near(orbit.position(after(500)), 10.03, 20.0), "6.6 km/s");
    }

    #[test]
    fn it_is_bounded() {
        let began = Instant::now();
        let mut track = Track::default();
        for n in 0..20_000u64 {
            track.say(began + Duration::from_millis(10 * n), fix(0.0, 0.0, None));
            track.say(began + Duration::from_millis(10 * n + 1), None);
            track.say(began + Duration::from_millis(10 * n + 2), None);
        }
        assert_eq!(track.fixes.len(), KEPT);
        track.say(began + Duration::from_secs(10_000), fix(0.0, 0.0, None));
        assert_eq!(track.fixes.len(), 1);
    }
}
