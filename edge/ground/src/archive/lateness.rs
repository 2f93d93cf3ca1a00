//! Which statuses say how a vehicle is, and which only how it was: a recording that is sent again must not make a silent vehicle look alive.

use super::{Archive, Origin};
use crate::error::{Error, Result};
use chrono::DateTime;
use cssa_wire::Housekeeping;
use rusqlite::params;

/// A vehicle counts its statuses over its starts. Beside one a period there are those that were asked for, so many at most in a row.
const ASKED: u32 = 64;
/// So many that follow each other as the clock does, this one among them, are of a vehicle that has begun to count anew: it has lost its state
/// directory. They are looked for among the last late ones.
const ROW: usize = 3;
/// So many in a row are of the vehicle whatever came before: a clock was set, a file was read in, nobody heard it for a month.
const LONG_ROW: usize = 8;
const LOOKED_AT: u32 = 64;
/// Seconds by which the vehicle's time between two statuses may differ from the ground's: a link delays; and one in so many, as clocks do.
const DELAY: u32 = 10;
const DRIFT: u32 = 1000;

/// A status with a right code of authentication.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) status: Housekeeping,
    /// When it came, in seconds since 1970.
    pub(super) received: u32,
    pub(super) is_late: bool,
}

/// Whether a status is older than the newest of those that came before (the last first), or says of a time that is past, or cannot be so much
/// newer in the time that has passed: its number is 16 bits, and comes round. One that ends a row of late ones is not.
pub(super) fn is_late(before: &[Noted], now: &Noted) -> bool {
    let Some(newest) = before.iter().find(|noted| !noted.is_late) else { return false };
    // A clock that stands while the computer sleeps is behind, and one that counts anew has started since: the rest is a recording.
    let may_be = |noted: &Noted| noted.is_ahead(newest) || noted.has_begun_since(newest);
    let late = before.iter().filter(|noted| noted.is_late);
    let is_row = may_be(now) && now.row(late.clone().filter(|noted| may_be(noted))) >= ROW;
    !(now.can_follow(newest) || is_row || now.row(late) >= LONG_ROW)
}

/// The same of a status out of a file, of which only the number counts.
pub(super) fn is_late_in_file(before: &[Noted], now: &Noted) -> bool {
    let Some(newest) = before.iter().find(|noted| !noted.is_late) else { return false };
    let is_next = |earlier: &&Noted| (1..=ASKED).contains(&now.ahead_of(earlier));
    let in_row = before.iter().take_while(|noted| noted.is_late).take(ROW - 1).filter(is_next).count();
    in_row + 1 < ROW && !(1..=u32::from(u16::MAX / 2)).contains(&now.ahead_of(newest))
}

impl Noted {
    /// Whether the vehicle can have sent this status next, or after some that were lost.
    fn can_follow(&self, before: &Self) -> bool {
        self.is_ahead(before) && self.is_of_now(before)
    }

    /// By how much its number is higher.
    fn ahead_of(&self, before: &Self) -> u32 {
        u32::from(self.status.sequence.wrapping_sub(before.status.sequence))
    }

    /// Whether its number is higher, by as much as can be in the time that has passed.
    fn is_ahead(&self, before: &Self) -> bool {
        let (one, other) = (before.status.period, self.status.period);
        let period = if one.min(other) == 0 { one.max(other) } else { one.min(other) };
        let most = ASKED + self.since(before).checked_div(period.into()).unwrap_or(0).saturating_mul(2);
        (1..=most.min(u32::from(u16::MAX / 2))).contains(&self.ahead_of(before))
    }

    /// Whether as much time has passed aboard as here, or the vehicle has started in between.
    fn is_of_now(&self, before: &Self) -> bool {
        let (passed, tolerance) = (self.received.saturating_sub(before.received), DELAY + self.since(before) / DRIFT);
        match self.status.uptime.checked_sub(before.status.uptime) {
            Some(aboard) => aboard.abs_diff(passed) <= tolerance,
            None => self.has_begun_since(before),
        }
    }

    /// Whether the start of which it counts came after another status.
    fn has_begun_since(&self, before: &Self) -> bool {
        self.status.uptime <= self.since(before)
    }

    /// Seconds since another one, and what the link may have delayed that.
    fn since(&self, before: &Self) -> u32 {
        self.received.saturating_sub(before.received) + DELAY
    }

    /// How many of `earlier` (the last first) lead up to this one at the most, itself counted: what somebody shows between them must not
    /// hide them.
    fn row<'a>(&'a self, earlier: impl DoubleEndedIterator<Item = &'a Self>) -> usize {
        let mut rows: Vec<(&Self, usize)> = Vec::new();
        for noted in earlier.rev().chain([self]) {
            let before = rows.iter().filter(|(earlier, _)| noted.can_follow(earlier)).map(|(_, length)| *length).max();
            rows.push((noted, before.unwrap_or(0) + 1));
        }
        rows.last().map_or(0, |(_, length)| *length)
    }
}

impl Archive {
    /// The last authentic statuses of a vehicle, the last first: back to the newest that was not late, as far as that matters.
    pub(super) fn noted(&self, of: &Origin) -> Result<Vec<Noted>> {
        let (vehicle, sender) = of.columns();
        let of = "FROM messages WHERE vehicle = ?1 AND kind = 'housekeeping' AND (vehicle > 0 OR sender = ?2) AND authentic = 1";
        let asked = format!(
            "SELECT content, received, late FROM (SELECT * FROM (SELECT id, content, received, late {of} ORDER BY id DESC LIMIT {LOOKED_AT}) AS last
             UNION SELECT * FROM (SELECT id, content, received, late {of} AND late = 0 ORDER BY id DESC LIMIT 1) AS newest) AS noted
             ORDER BY id DESC"
        );
        let rows: Vec<(String, String, bool)> =
            self.rows(&asked, params![vehicle, sender], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let unread = |cause| Error::Unread { archive: self.place.clone(), what: "a status", cause };
        let noted = |(content, received, is_late): (String, String, bool)| {
            let received = DateTime::parse_from_rfc3339(&received).map_or(0, |at| at.timestamp());
            let status = serde_json::from_str(&content).map_err(unread)?;
            Ok(Noted { status, received: u32::try_from(received).unwrap_or(0), is_late })
        };
        rows.into_iter().map(noted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Provenance;
    use super::*;
    use crate::message::Message;
    use anyhow::{Context, Result};
    use cssa_wire::{Checksum, Down, DownPacket, Key};

    fn noted(sequence: u16, uptime: u32, received: u32) -> Noted {
        Noted {
            status: Housekeeping { sequence, uptime, period: 60, ..Housekeeping::default() },
            received,
            is_late: false,
        }
    }

    #[test]
    fn a_status_is_late_where_it_is_older_or_comes_round_too_soon() {
        let last = [noted(5000, 600, 1_000_000)];
        let late = |sequence, after: u32| is_late(&last, &noted(sequence, 600 + after, 1_000_000 + after));
        assert_eq!([late(5001, 60), late(5000, 60), late(4999, 60)], [false, true, true]);
        // Some were lost, some were asked for.
        assert_eq!([late(5200, 200 * 60), late(5040, 60), late(5200, 60)], [false, false, true]);
        // One of a month ago: 2^16 come round in 45 days.
        assert_eq!([late(27_000, 7200), late(48_536, 7200)], [true, true]);
        assert!(!is_late(&[], &noted(9, 1, 1)), "the first that is heard");
        let at_ease =
            Noted { status: Housekeeping { period: 0, ..noted(5001, 640, 1).status }, ..noted(0, 0, 1_000_040) };
        assert!(!is_late(&last, &at_ease), "it sends them when it likes");
        // It was recorded, and is shown half a minute later; or the vehicle has started since.
        assert_eq!([30, 5].map(|late| is_late(&last, &noted(5001, 660, 1_000_060 + late))), [true, false]);
        assert_eq!([100, 40].map(|uptime| is_late(&last, &noted(5003, uptime, 1_000_060))), [true, false]);
        // In a file all of them come at once.
        let recorded = [5001, 5009, 4999].map(|sequence| is_late_in_file(&last, &noted(sequence, 9000, 1_000_060)));
        assert_eq!(recorded, [false, false, true]);
        let late = |sequence| Noted { is_late: true, ..noted(sequence, 9000, 1_000_060) };
        let anew = [late(1), late(0), last[0]];
        assert!(is_late_in_file(&anew[1..], &late(1)) && !is_late_in_file(&anew, &late(2)));
    }

    /// Which of some that come after one of before are late.
    fn counted(times: &[(u16, u32, u32)]) -> Vec<bool> {
        let mut before = vec![noted(5000, 600, 1_000_000)];
        for &(sequence, uptime, received) in times {
            let now = noted(sequence, uptime, received);
            let now = Noted { is_late: is_late(&before, &now), ..now };
            before.insert(0, now);
        }
        before.iter().rev().skip(1).map(|noted| noted.is_late).collect()
    }

    /// Its state directory is gone: it is heard again after three.
    #[test]
    fn a_vehicle_that_counts_anew_is_heard_again() {
        let anew = [(0, 60, 1_000_100), (1, 120, 1_000_160), (2, 180, 1_000_221), (3, 240, 1_000_281)];
        assert_eq!(counted(&anew), [true, true, false, false]);
        // Some are lost; it starts again and again; somebody shows recorded ones between them.
        let lossy = [(0, 60, 1_000_100), (2, 180, 1_000_221), (5, 360, 1_000_401)];
        assert_eq!(counted(&lossy), [true, true, false]);
        let restarting = [(0, 60, 1_000_100), (1, 120, 1_000_160), (2, 30, 1_000_215), (3, 90, 1_000_275)];
        assert_eq!(counted(&restarting), [true, true, false, false]);
        // Its computer slept for an hour.
        let slept = [(5001, 660, 1_003_660), (5002, 720, 1_003_720), (5003, 780, 1_003_780)];
        assert_eq!(counted(&slept), [true, true, false]);
        let disturbed = [anew[0], (70, 4300, 1_000_101), anew[1], (71, 4360, 1_000_161), anew[2]];
        assert_eq!(counted(&disturbed), [true, true, true, true, false]);
        // One that the last could follow, but none of those before it could have led to.
        let hidden = [anew[0], anew[1], (0, 175, 1_000_216), anew[2]];
        assert_eq!(counted(&hidden), [true, true, true, false]);
    }

    /// Three that are sent at once, or again and again, or of a time before: a recording.
    #[test]
    fn a_recording_is_no_vehicle_that_counts_anew() {
        // Eight at their pace are believed: the vehicle must not be shut out by a clock that was set.
        let many: Vec<_> =
            (0..9).map(|n: u16| (50 + n, 3000 + 60 * u32::from(n), 1_000_100 + 60 * u32::from(n))).collect();
        assert_eq!(counted(&many), [true, true, true, true, true, true, true, false, false]);
        let recorded = [(50, 3000, 1_000_100), (51, 3060, 1_000_160), (52, 3120, 1_000_220), (53, 3180, 1_000_280)];
        assert_eq!(counted(&recorded), [true; 4], "it had started before");
        let anew = [(0, 60, 1_000_100), (1, 120, 1_000_160), (2, 180, 1_000_220), (3, 240, 1_000_280)];
        assert_eq!(counted(&anew.map(|(sequence, uptime, _)| (sequence, uptime, 1_000_100))), [true; 4]);
        assert_eq!(counted(&[anew[0]; 4]), [true; 4]);
    }

    /// With a code of authentication the same bytes are the same status, however long ago they came.
    #[test]
    fn a_recording_renews_nothing() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let key = Key::new([9; 32]);
        let keep = |archive: &mut Archive, sequence: u16, uptime: u32| -> Result<(bool, bool)> {
            let body = Down::Housekeeping(noted(sequence, uptime, 0).status);
            let packet = DownPacket { vehicle: 12, bundle: 7, body };
            let bytes = packet.encode(Some(&key), Checksum::Crc32)?;
            let stored = archive.keep_message(
                "uav",
                &Message::of(&packet).context("a message")?,
                &bytes,
                Provenance::Vehicle,
            )?;
            Ok((stored.is_new, stored.is_late))
        };
        assert_eq!((keep(&mut archive, 7, 479)?, keep(&mut archive, 8, 480)?), ((true, false), (true, false)));
        archive.database.execute_batch("UPDATE messages SET received = '2025-11-23T20:00:00.000Z'")?;
        for (sequence, uptime) in [(7, 479), (8, 480), (3, 475)] {
            let (is_new, is_late) = keep(&mut archive, sequence, uptime)?;
            assert_eq!((is_new, is_late), (sequence == 3, sequence == 3), "{sequence}");
            let vehicle = &archive.vehicles(cssa::clock::now())?[0];
            assert_eq!((vehicle.heard.as_str(), vehicle.is_late), ("2025-11-23T20:00:00.000Z", true));
            assert_eq!(vehicle.status.as_ref().map(|status| status.uptime), Some(480), "how it was when it was heard");
        }
        // It has started since.
        assert_eq!(keep(&mut archive, 9, 5)?, (true, false));
        assert!(!archive.vehicles(cssa::clock::now())?[0].is_late);
        Ok(())
    }
}
