//! How vehicles are, by the statuses that they sent.

use super::{Archive, Origin};
use crate::error::{Error, Result};
use crate::message::{fault_name, free_percent, slot_name};
use chrono::DateTime;
use cssa_wire::{DroppedFrames, Housekeeping};
use rusqlite::params;
use serde::Serialize;
use std::time::Duration;

/// So much later than a second status was due a vehicle is missed: the first may be lost, and the clocks are two.
const GRACE: Duration = Duration::from_secs(10);
/// Vehicles of a list at most.
const MAX_VEHICLES: u32 = 256;
/// When the caption with the highest number came: one with a lower number may have been recorded long ago.
const HIGHEST_CAPTION: &str = "SELECT received FROM captions";
/// Statuses of a curve at most.
const MAX_STATUSES: u32 = 120;

/// A status of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedHousekeeping {
    /// When it came, UTC, as RFC 3339 has it.
    pub received: String,
    /// What it says.
    pub housekeeping: Housekeeping,
}

/// How much counters went on from one status to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Growth {
    /// Frames that were looked at.
    pub frames: u32,
    /// Captions that were queued.
    pub queued: u32,
    /// Frames that gave none.
    pub dropped: u32,
}

/// How a vehicle is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vehicle {
    /// Its number; 0: not given.
    pub vehicle: u16,
    /// Where its packets come from, where it has no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When it was last heard, UTC, as RFC 3339 has it: when the last packet came that brought anything new.
    pub heard: String,
    /// Seconds since then.
    pub silence: u32,
    /// Whether it should have been heard since.
    pub is_late: bool,
    /// Its last status, where it sent one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// The last status, and what the ones before it show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Seconds since the vehicle's start.
    pub uptime: u32,
    /// Seconds from a status to the next; 0: not regularly.
    pub period: u16,
    /// Captions that wait for the link; 65535 also stands for more.
    pub waiting: u16,
    /// The slot at work, a or b.
    pub slot: Option<char>,
    /// °C, where that is known.
    pub celsius: Option<i8>,
    /// Per cent of the disk that are free, where that is known.
    pub free_disk: Option<u32>,
    /// Mean energy of a caption in millijoules, where that is known.
    pub millijoules: Option<u16>,
    /// The name of the last fault, where there was one.
    pub fault: Option<String>,
    /// How often that was.
    pub fault_count: u16,
    /// When the earliest of the curve came.
    pub since: String,
    /// How much the counters went on since then.
    pub growth: Growth,
    /// Captions that waited, the earliest status first.
    pub curve: Vec<u16>,
}

/// Whether a vehicle should have been heard after so long a silence; one without a period sends its status when it likes.
pub(crate) fn is_late(silence: Duration, period: u16) -> bool {
    period > 0 && silence > 2 * Duration::from_secs(period.into()) + GRACE
}

impl Growth {
    /// From a status to a later one: counters are modulo 2^16, and begin anew with a smaller uptime.
    #[must_use]
    pub fn between(before: &Housekeeping, after: &Housekeeping) -> Self {
        let start = Housekeeping::default();
        let before = if after.uptime < before.uptime { &start } else { before };
        let of = |counter: fn(&Housekeeping) -> u16| u32::from(counter(after).wrapping_sub(counter(before)));
        let groups: [fn(&DroppedFrames) -> u16; 4] = [|d| d.image, |d| d.policy, |d| d.link, |d| d.machine];
        let dropped = groups.map(|group| u32::from(group(&after.dropped).wrapping_sub(group(&before.dropped))));
        Self { frames: of(|h| h.frames), queued: of(|h| h.queued), dropped: dropped.iter().sum() }
    }

    fn and(self, other: Self) -> Self {
        Self {
            frames: self.frames + other.frames,
            queued: self.queued + other.queued,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Status {
    /// What statuses show, the earliest first; nothing where there are none.
    #[must_use]
    pub fn of(statuses: &[ArchivedHousekeeping]) -> Option<Self> {
        let (first, last) = (statuses.first()?, statuses.last()?.housekeeping);
        let pairs = statuses.windows(2).map(|pair| Growth::between(&pair[0].housekeeping, &pair[1].housekeeping));
        Some(Self {
            uptime: last.uptime,
            period: last.period,
            waiting: last.waiting,
            slot: slot_name(last.slot),
            celsius: (last.celsius > i8::MIN).then_some(last.celsius),
            free_disk: free_percent(&last),
            millijoules: (last.millijoules > 0).then_some(last.millijoules),
            fault: fault_name(last.fault),
            fault_count: last.fault_count,
            since: first.received.clone(),
            growth: pairs.fold(Growth::default(), Growth::and),
            curve: statuses.iter().map(|status| status.housekeeping.waiting).collect(),
        })
    }
}

impl Archive {
    /// The last `most` statuses of a vehicle, the earliest first.
    pub fn housekeeping(&self, of: &Origin, most: u32) -> Result<Vec<ArchivedHousekeeping>> {
        let (vehicle, sender) = of.columns();
        let asked = "SELECT received, content FROM messages WHERE vehicle = ?1 AND kind = 'housekeeping'
             AND (vehicle > 0 OR sender = ?2) AND late = 0 ORDER BY id DESC LIMIT ?3";
        let rows: Vec<(String, String)> =
            self.rows(asked, params![vehicle, sender, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let status = |(received, content): (String, String)| {
            let unread = |cause| Error::Unread { archive: self.place.clone(), what: "a status", cause };
            Ok(ArchivedHousekeeping { received, housekeeping: serde_json::from_str(&content).map_err(unread)? })
        };
        rows.into_iter().rev().map(status).collect()
    }

    /// All vehicles of which anything is kept, as they are at `now` (seconds since 1970).
    pub fn vehicles(&self, now: u32) -> Result<Vec<Vehicle>> {
        let origin = "DISTINCT vehicle, CASE WHEN vehicle > 0 THEN '' ELSE sender END AS address";
        let asked = format!(
            "SELECT {origin} FROM captions UNION SELECT {origin} FROM messages UNION SELECT {origin} FROM reports
             ORDER BY vehicle, address LIMIT {MAX_VEHICLES}"
        );
        let origins = self.rows(&asked, &[], |row| Ok(Origin::of(row.get(0)?, row.get(1)?)))?;
        origins.iter().map(|origin| self.vehicle(origin, now)).collect()
    }

    fn vehicle(&self, origin: &Origin, now: u32) -> Result<Vehicle> {
        let (vehicle, sender) = origin.columns();
        let of = "WHERE vehicle = ?1 AND (vehicle > 0 OR sender = ?2)";
        let asked = format!(
            "SELECT max(received) FROM (SELECT received FROM ({HIGHEST_CAPTION} {of} ORDER BY sequence DESC LIMIT 1) AS highest
             UNION ALL SELECT max(received) FROM messages {of} AND late = 0
             UNION ALL SELECT max(received) FROM reports {of} AND late = 0) AS newest"
        );
        let heard = self.rows(&asked, params![vehicle, sender], |row| row.get::<Option<String>>(0))?;
        let heard: String = heard.into_iter().flatten().collect();
        let statuses = self.housekeeping(origin, MAX_STATUSES)?;
        let at = DateTime::parse_from_rfc3339(&heard).map_or(0, |at| at.timestamp());
        let silence = u32::try_from(i64::from(now) - at).unwrap_or(0);
        let period = statuses.last().map_or(0, |status| status.housekeeping.period);
        Ok(Vehicle {
            vehicle,
            sender: (vehicle == 0).then(|| sender.to_owned()),
            heard,
            silence,
            is_late: is_late(Duration::from_secs(silence.into()), period),
            status: Status::of(&statuses),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Provenance;
    use super::*;
    use crate::message::Message;
    use anyhow::{Context, Result};
    use cssa::trust::Reason;
    use cssa_wire::{Caption, CaptionPacket, Down, DownPacket, FaultKind, Report};

    fn keep(archive: &mut Archive, vehicle: u16, housekeeping: Housekeeping) -> Result<()> {
        let packet = DownPacket { vehicle, bundle: 7, body: Down::Housekeeping(housekeeping) };
        let message = Message::of(&packet).context("a message")?;
        archive.keep_message(
            "uav",
            &message,
            &packet.encode(None, cssa_wire::Checksum::Crc32)?,
            Provenance::Anybody,
        )?;
        Ok(())
    }

    #[test]
    fn counters_go_on_over_their_end_and_begin_anew_with_a_start() {
        let of = |uptime, frames, image, link| {
            let dropped = DroppedFrames { image, link, ..DroppedFrames::default() };
            Housekeeping { uptime, frames, queued: frames / 2, dropped, ..Housekeeping::default() }
        };
        let before = of(600, 65_530, 65_535, 4);
        assert_eq!(Growth::between(&before, &of(660, 4, 1, 4)), Growth { frames: 10, queued: 32_773, dropped: 2 });
        assert_eq!(Growth::between(&before, &of(10, 4, 1, 2)), Growth { frames: 4, queued: 2, dropped: 3 });
    }

    /// The map asks every two seconds, of archives with 100,000 messages.
    #[test]
    fn when_a_vehicle_was_heard_is_looked_up_not_searched() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        for (asked, index) in [
            (format!("{HIGHEST_CAPTION} WHERE vehicle = 12 ORDER BY sequence DESC LIMIT 1"), "captions_numbers"),
            ("SELECT max(received) FROM messages WHERE vehicle = 12 AND late = 0".into(), "messages_received"),
        ] {
            let plan = archive.rows(&format!("EXPLAIN QUERY PLAN {asked}"), &[], |row| row.get::<String>(3))?.concat();
            assert!(plan.contains(index) && !plan.contains("TEMP"), "{plan}");
        }
        Ok(())
    }

    /// Of what came and had been sent before what was here already nothing is said: it may have been recorded.
    #[test]
    fn a_vehicle_was_heard_when_its_last_numbers_came() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let caption = |sequence| Caption { sequence, text: "a river".into(), ..Caption::default() };
        let of = |sequence| CaptionPacket { vehicle: 12, bundle: 7, decimals: 5, captions: vec![caption(sequence)] };
        let report = |archive: &mut Archive, sequence| -> Result<bool> {
            let body = Down::Report(Report::of_run(sequence, Reason::Dark, 1_763_928_000, 40));
            let message = Message::of(&DownPacket { vehicle: 12, bundle: 7, body }).context("a message")?;
            Ok(archive.keep_message("uav", &message, &[], Provenance::Vehicle)?.is_late)
        };
        archive.keep("uav", &of(5))?;
        assert!(!report(&mut archive, 65_535)?);
        let before = "2025-11-23T20:00:00.000Z";
        for table in ["captions", "reports"] {
            archive.database.execute_batch(&format!("UPDATE {table} SET received = '{before}'"))?;
        }
        archive.keep("uav", &of(4))?;
        // The one after another one that is late, too.
        assert!(report(&mut archive, 65_533)? && report(&mut archive, 65_534)?);
        assert_eq!(archive.vehicles(cssa::clock::now())?[0].heard, before);
        assert!(!report(&mut archive, 3)?, "numbers come round");
        assert_ne!(archive.vehicles(cssa::clock::now())?[0].heard, before);
        archive.database.execute_batch("DELETE FROM reports")?;
        archive.keep("relay", &of(6))?;
        assert_ne!(archive.vehicles(cssa::clock::now())?[0].heard, before);
        Ok(())
    }

    #[test]
    fn a_vehicle_is_as_its_last_statuses_say() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let first = Housekeeping { uptime: 60, period: 60, frames: 65_000, waiting: 3, ..Housekeeping::default() };
        let first = Housekeeping { celsius: i8::MIN, free_disk: u8::MAX, ..first };
        let last = Housekeeping { uptime: 120, frames: 100, waiting: 5, fault: FaultKind::LinkErrors.code(), ..first };
        keep(&mut archive, 12, first)?;
        keep(&mut archive, 12, first)?;
        keep(&mut archive, 12, Housekeeping { slot: 1, celsius: 41, free_disk: 16, ..last })?;
        keep(&mut archive, 0, Housekeeping { period: 0, ..first })?;
        let heard = Archive::vehicles(&archive, cssa::clock::now())?;
        assert_eq!(heard.iter().map(|vehicle| vehicle.vehicle).collect::<Vec<_>>(), [0, 12]);
        assert_eq!((heard[0].sender.as_deref(), heard[1].sender.as_deref()), (Some("uav"), None));
        assert!(heard[1].silence < 30 && !heard[1].is_late, "{heard:?}");
        let status = heard[1].status.as_ref().context("a status")?;
        assert_eq!((&status.curve, status.growth.frames), (&vec![3, 5], 636));
        assert_eq!((status.slot, status.celsius, status.free_disk), (Some('a'), Some(41), Some(50)));
        assert_eq!((status.fault.as_deref(), status.millijoules), (Some("link_errors"), None));
        let unknown = heard[0].status.as_ref().context("a status")?;
        assert_eq!((unknown.slot, unknown.celsius, unknown.free_disk, &unknown.fault), (None, None, None, &None));
        let late: Vec<bool> =
            archive.vehicles(cssa::clock::now() + 200)?.iter().map(|vehicle| vehicle.is_late).collect();
        assert_eq!(late, [false, true], "one of them sends its status when it likes");
        assert_eq!(archive.housekeeping(&Origin::Vehicle(12), 1)?[0].housekeeping.uptime, 120);
        // The same bytes long after are another start's.
        let age = "UPDATE messages SET received = '2025-11-23T20:00:00.000Z'";
        archive.database.execute_batch(age)?;
        keep(&mut archive, 12, first)?;
        assert_eq!(archive.housekeeping(&Origin::Vehicle(12), 9)?.len(), 3);
        Ok(())
    }
}
