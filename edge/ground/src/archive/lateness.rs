//! Which statuses say how a vehicle is, and which only how it was: a recording that is sent again must not make a silent vehicle look alive.

use super::{Archive, Origin};
use crate::error::{Error, Result};
use chrono::DateTime;
use cssa_wire::Housekeeping;
use rusqlite::params;

/// A vehicle counts its statuses over its starts. Beside one a period there are those that were asked for, so many at most in a row.
const ASKED: u32 = 64;
/// Late ones in a row after which, with this one, a vehicle has begun to count anew: it has lost its state directory.
const ROW: usize = 2;
/// Seconds by which the vehicle's time between two statuses may differ from the ground's: a link delays.
const DELAY: u32 = 10;

/// A status with a right code of authentication.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noted {
    pub(super) status: Housekeeping,
    /// When it came, in seconds since 1970.
    pub(super) received: u32,
    pub(super) is_late: bool,
}

/// Whether a status is older than the newest of those that came before (the last first), or cannot be so much newer in the time that has
/// passed: its number is 16 bits, and comes round. After [`ROW`] late ones that go on as the clock does, it is not.
pub(super) fn is_late(before: &[Noted], now: &Noted) -> bool {
    let Some(newest) = before.iter().find(|noted| !noted.is_late) else { return false };
    !(can_follow(newest, now) || goes_on(before, now))
}

fn can_follow(before: &Noted, now: &Noted) -> bool {
    let ahead = u32::from(now.status.sequence.wrapping_sub(before.status.sequence));
    let period = match before.status.period.min(now.status.period) {
        0 => before.status.period.max(now.status.period),
        shorter => shorter,
    };
    let passed = now.received.saturating_sub(before.received) + DELAY;
    let most = ASKED + passed.checked_div(period.into()).unwrap_or(0).saturating_mul(2);
    (1..=most.min(u32::from(u16::MAX / 2))).contains(&ahead)
}

/// Whether the last ones were late, and this one follows them number by number and second by second.
fn goes_on(before: &[Noted], now: &Noted) -> bool {
    let row: Vec<&Noted> = std::iter::once(now).chain(before).take(ROW + 1).collect();
    let follows = |pair: &[&Noted]| {
        let [after, before] = pair else { return false };
        let of_vehicle = after.status.uptime.checked_sub(before.status.uptime);
        let of_ground = after.received.saturating_sub(before.received);
        after.status.sequence == before.status.sequence.wrapping_add(1)
            && of_vehicle.is_some_and(|seconds| seconds > 0 && seconds.abs_diff(of_ground) <= DELAY)
    };
    row.len() == ROW + 1 && row[1..].iter().all(|noted| noted.is_late) && row.windows(2).all(follows)
}

impl Archive {
    /// The last authentic statuses of a vehicle, the last first: back to the newest that was not late, as far as that matters.
    pub(super) fn noted(&self, of: &Origin) -> Result<Vec<Noted>> {
        let (vehicle, sender) = of.columns();
        let of = "FROM messages WHERE vehicle = ?1 AND kind = 'housekeeping' AND (vehicle > 0 OR sender = ?2) AND authentic = 1";
        let asked = format!(
            "SELECT content, received, late FROM (SELECT * FROM (SELECT id, content, received, late {of} ORDER BY id DESC LIMIT {ROW}) AS last
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
        let late = |sequence, after: u32| is_late(&last, &noted(sequence, 660, 1_000_000 + after));
        assert_eq!([late(5001, 60), late(5000, 60), late(4999, 60)], [false, true, true]);
        // Some were lost, some were asked for.
        assert_eq!([late(5200, 200 * 60), late(5040, 60), late(5200, 60)], [false, false, true]);
        // One of a month ago: 2^16 come round in 45 days.
        assert_eq!([late(27_000, 7200), late(48_536, 7200)], [true, true]);
        assert!(!is_late(&[], &noted(9, 1, 1)), "the first that is heard");
        let at_ease =
            Noted { status: Housekeeping { period: 0, ..noted(5001, 1, 1).status }, ..noted(0, 0, 1_000_060) };
        assert!(!is_late(&last, &at_ease), "it sends them when it likes");
    }

    /// Its state directory is gone: it is heard again after three, and three that are sent at once are a recording.
    #[test]
    fn a_vehicle_that_counts_anew_is_heard_again() {
        let counted = |times: &[(u16, u32, u32)]| {
            let mut before = vec![noted(5000, 600, 1_000_000)];
            for &(sequence, uptime, received) in times {
                let now = noted(sequence, uptime, received);
                let now = Noted { is_late: is_late(&before, &now), ..now };
                before.insert(0, now);
            }
            before.iter().rev().skip(1).map(|noted| noted.is_late).collect::<Vec<_>>()
        };
        let anew = [(0, 60, 1_000_100), (1, 120, 1_000_160), (2, 180, 1_000_221), (3, 240, 1_000_281)];
        assert_eq!(counted(&anew), [true, true, false, false]);
        assert_eq!(counted(&anew.map(|(sequence, uptime, _)| (sequence, uptime, 1_000_100))), [true; 4]);
        assert_eq!(counted(&[anew[0], anew[0], anew[0], anew[0]]), [true; 4]);
        assert_eq!(counted(&[anew[0], anew[1], (7, 180, 1_000_221)]), [true; 3]);
    }

    /// With a code of authentication the same bytes are the same status, however long ago they came.
    #[test]
    fn a_recording_renews_nothing() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let key = Key::new([9; 32]);
        let keep = |archive: &mut Archive, sequence: u16| -> Result<(bool, bool)> {
            let body = Down::Housekeeping(noted(sequence, 60 * u32::from(sequence), 0).status);
            let packet = DownPacket { vehicle: 12, bundle: 7, body };
            let bytes = packet.encode(Some(&key), Checksum::Crc32)?;
            let stored = archive.keep_message("uav", &Message::of(&packet).context("a message")?, &bytes, true)?;
            Ok((stored.is_new, stored.is_late))
        };
        assert_eq!((keep(&mut archive, 7)?, keep(&mut archive, 8)?), ((true, false), (true, false)));
        archive.database.execute_batch("UPDATE messages SET received = '2025-11-23T20:00:00.000Z'")?;
        for sequence in [7, 8, 3] {
            let (is_new, is_late) = keep(&mut archive, sequence)?;
            assert!(is_late && is_new == (sequence == 3), "{sequence}");
            let vehicle = &archive.vehicles(cssa::clock::now())?[0];
            assert_eq!((vehicle.heard.as_str(), vehicle.is_late), ("2025-11-23T20:00:00.000Z", true));
            assert_eq!(vehicle.status.as_ref().map(|status| status.uptime), Some(480), "how it was when it was heard");
        }
        assert_eq!(keep(&mut archive, 9)?, (true, false));
        assert!(!archive.vehicles(cssa::clock::now())?[0].is_late);
        Ok(())
    }
}
