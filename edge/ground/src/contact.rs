//! Which vehicles are heard, and which should have been: silence is said once, and so is its end.

use super::archive::{Origin, is_late};
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// Vehicles that are listened for at most.
const MAX_VEHICLES: usize = 256;

/// The vehicles whose status is due again and again.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    known: BTreeMap<Origin, Contact>,
}

#[derive(Debug)]
struct Contact {
    period: u16,
    heard: Instant,
    /// How long it had not been heard when this program began to listen.
    before: Duration,
    is_missed: bool,
}

/// A vehicle is not heard, or is heard again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Missed { origin: Origin, silence: Duration, period: u16 },
    HeardAgain { origin: Origin, silence: Duration },
}

impl Contacts {
    /// A vehicle that was heard before this program listened; it has its time to be heard from `now` on.
    pub(crate) fn expect(&mut self, origin: Origin, period: u16, silence: Duration, now: Instant) {
        let contact = Contact { period, heard: now, before: silence, is_missed: false };
        if period > 0 && self.known.len() < MAX_VEHICLES {
            self.known.insert(origin, contact);
        }
    }

    /// A packet came, perhaps a status with its period.
    pub(crate) fn heard(&mut self, origin: Origin, period: Option<u16>, now: Instant) -> Option<Change> {
        let Some(contact) = self.known.get_mut(&origin) else {
            self.expect(origin, period.unwrap_or(0), Duration::ZERO, now);
            return None;
        };
        let silence = contact.silence(now);
        (contact.heard, contact.before) = (now, Duration::ZERO);
        contact.period = period.unwrap_or(contact.period);
        std::mem::take(&mut contact.is_missed).then_some(Change::HeardAgain { origin, silence })
    }

    /// Vehicles that should have been heard by `now`; each is named once.
    pub(crate) fn missed(&mut self, now: Instant) -> Vec<Change> {
        let mut missed = Vec::new();
        for (origin, contact) in &mut self.known {
            let listened = now.saturating_duration_since(contact.heard);
            if is_late(listened, contact.period) && !contact.is_missed {
                contact.is_missed = true;
                let (silence, period) = (contact.silence(now), contact.period);
                missed.push(Change::Missed { origin: origin.clone(), silence, period });
            }
        }
        missed
    }
}

impl Contact {
    fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard) + self.before
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed { origin, silence, period } => {
                write!(formatter, "{origin}: not heard for {}, housekeeping was due every {period} s", time(*silence))
            }
            Self::HeardAgain { origin, silence } => {
                write!(formatter, "{origin}: heard again after {}", time(*silence))
            }
        }
    }
}

/// A time in the largest unit of which there are two.
fn time(length: Duration) -> String {
    match length.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(changes: impl IntoIterator<Item = Change>) -> Vec<String> {
        changes.into_iter().map(|change| change.to_string()).collect()
    }

    #[test]
    fn silence_is_said_once_and_its_end() {
        let (mut contacts, start) = (Contacts::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(contacts.heard(Origin::Vehicle(12), Some(60), at(0)), None);
        assert_eq!(contacts.heard(Origin::Vehicle(13), Some(0), at(0)), None);
        assert_eq!(contacts.heard(Origin::Address("uav".into()), None, at(0)), None);
        // Any packet of it is a sign of life.
        assert_eq!(contacts.heard(Origin::Vehicle(12), None, at(50)), None);
        assert_eq!(contacts.missed(at(50 + 130)), []);
        let missed = contacts.missed(at(50 + 180));
        assert_eq!(lines(missed), ["vehicle 12: not heard for 3 min, housekeeping was due every 60 s"]);
        assert_eq!(contacts.missed(at(9000)), [], "once, and nobody whose status is not due");
        let again = contacts.heard(Origin::Vehicle(12), None, at(9050));
        assert_eq!(lines(again), ["vehicle 12: heard again after 2 h"]);
        assert_eq!(contacts.heard(Origin::Vehicle(12), Some(0), at(9060)), None);
        assert_eq!(contacts.missed(at(99_000)), [], "it does not send them regularly any more");
    }

    #[test]
    fn a_start_waits_its_time_and_says_the_whole_silence() {
        let (mut contacts, start) = (Contacts::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        contacts.expect(Origin::Vehicle(12), 10, Duration::from_secs(600), start);
        contacts.expect(Origin::Vehicle(13), 10, Duration::from_secs(600), start);
        assert_eq!(contacts.missed(at(29)), [], "nobody listened");
        assert_eq!(contacts.heard(Origin::Vehicle(13), None, at(29)), None);
        assert_eq!(
            lines(contacts.missed(at(31))),
            ["vehicle 12: not heard for 10 min, housekeeping was due every 10 s"]
        );
        for n in 0..2000 {
            contacts.heard(Origin::Vehicle(n), Some(1), at(40));
        }
        assert_eq!(contacts.known.len(), MAX_VEHICLES);
    }
}
