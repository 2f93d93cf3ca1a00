//! What arrived beside captions: reports of frames outside, and everything else as it came.

use super::bounded::{Bounded, Stored};
use super::lateness::{Noted, is_late, is_late_in_file};
use super::shared::is_lately;
use super::{Archive, Origin, now};
use crate::error::Result;
use crate::geopackage::datetime;
use crate::message::{Message, reason_of};
use cssa_wire::{Report, Time};
use rusqlite::params;
use serde::Serialize;

/// Seconds within which a status of the same bytes is the same one, which came by two ways.
const SAME_STATUS: u32 = 600;

/// A report of the archive: a run of frames that the model does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedReport {
    /// Where its packet came from.
    pub sender: String,
    /// Who sent it; 0: not given.
    pub vehicle: u16,
    /// Its number.
    pub sequence: u16,
    /// The name of the reason that most of the frames have.
    pub reason: String,
    /// When the run began, UTC, as RFC 3339 has it; absent where the vehicle did not know the time.
    pub since: Option<String>,
    /// Seconds from the vehicle's start to when the run began, where that is all that the vehicle knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_start: Option<u32>,
    /// Frames so far.
    pub frames: u32,
}

/// A message of the archive that is neither captions nor a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchivedMessage {
    /// Where its packet came from.
    pub sender: String,
    /// Who sent it; 0: not given.
    pub vehicle: u16,
    /// `housekeeping`, `answer` or `picture_part`.
    pub kind: String,
    /// What it says, as JSON.
    pub content: String,
    /// When it came, UTC, as RFC 3339 has it.
    pub received: String,
}

/// Whose a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Anybody can have sent it: it has no code of authentication.
    Anybody,
    /// Its vehicle's, as it came.
    Vehicle,
    /// Its vehicle's, out of a file: when it came says nothing.
    Record,
}

impl Archive {
    /// Keeps a message that came as `packet`: a report in its own table, everything else with its bytes, once. Only a status that anybody
    /// can have sent is kept anew where the same bytes came long ago: two starts begin alike. One that is the vehicle's and comes again was
    /// recorded, and one that is older than the last says nothing of now; nor does a report whose number is not ahead of the last one's. A
    /// vehicle that has a number is known by it, whatever address its packets come from.
    pub fn keep_message(
        &mut self,
        sender: &str,
        message: &Message,
        packet: &[u8],
        provenance: Provenance,
    ) -> Result<Stored> {
        let is_authentic = provenance != Provenance::Anybody;
        if let Some(report) = message.report {
            return self.keep_report(sender, message.vehicle, report, is_authentic);
        }
        let is_late = match message.housekeeping.filter(|_| is_authentic) {
            Some(status) => {
                let before = self.noted(&Origin::of(message.vehicle, sender.to_owned()))?;
                let now = Noted { status, received: cssa::clock::now(), is_late: false };
                if provenance == Provenance::Record { is_late_in_file(&before, &now) } else { is_late(&before, &now) }
            }
            None => false,
        };
        let insert = "INSERT INTO messages (sender, vehicle, bundle, kind, content, packet, received, authentic, late)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?10 WHERE NOT EXISTS
             (SELECT 1 FROM messages WHERE packet = ?6 AND (sender = ?1 OR vehicle > 0) AND (kind <> 'housekeeping' OR received > ?9 OR authentic > 0))";
        let lately = datetime(cssa::clock::now().saturating_sub(SAME_STATUS));
        let Message { vehicle, kind, .. } = message;
        let (bundle, content) = (format!("{:04x}", message.bundle), message.content.to_string());
        let values = params![sender, vehicle, bundle, kind, content, packet, now(), is_authentic, lately, is_late];
        let inserted = self.bounds.insert(&self.database, Bounded::Messages, sender, insert, values);
        let stored = inserted.map_err(self.refused())?;
        if stored.is_new {
            return Ok(Stored { is_late, ..stored });
        }
        // Beside it the row of the status that says how its vehicle is.
        let asked = "SELECT m.received, m.late, m.id, (SELECT n.id FROM messages n WHERE n.vehicle = m.vehicle AND n.kind = 'housekeeping'
               AND (n.vehicle > 0 OR n.sender = m.sender) AND n.late = 0 AND n.authentic >= m.authentic ORDER BY n.id DESC LIMIT 1)
             FROM messages m WHERE m.packet = ?1 AND (m.sender = ?2 OR m.vehicle > 0) ORDER BY m.id DESC LIMIT 1";
        let kept = self.rows(asked, params![packet, sender], |row| {
            let (id, newest): (i64, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok((row.get::<bool>(1)?, is_lately(&row.get::<String>(0)?) && newest == Some(id)))
        })?;
        let (is_late, came_lately) = kept.into_iter().next().unwrap_or_default();
        Ok(Stored { is_late, came_lately, ..stored })
    }

    fn keep_report(&mut self, sender: &str, vehicle: u16, report: Report, is_authentic: bool) -> Result<Stored> {
        let insert =
            "INSERT INTO reports (sender, vehicle, sequence, reason, since, frames, received, authentic, after_start, late)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS
             (SELECT 1 FROM reports WHERE vehicle = ?2 AND sequence = ?3 AND reason = ?4 AND since IS NOT DISTINCT FROM ?5 AND frames = ?6
              AND (sender = ?1 OR vehicle > 0) AND after_start IS NOT DISTINCT FROM ?9)";
        let (reason, since) = (reason_of(&report), Time::from(report.since));
        let (since, after_start) = (since.utc().map(datetime), since.after_start());
        let Report { sequence, frames, .. } = report;
        let last = if is_authentic { self.last_report(vehicle, sender)? } else { None };
        let is_late = last.is_some_and(|last| !(1..=u16::MAX / 2).contains(&sequence.wrapping_sub(last)));
        let values =
            params![sender, vehicle, sequence, reason, since, frames, now(), is_authentic, after_start, is_late];
        let inserted = self.bounds.insert(&self.database, Bounded::Reports, sender, insert, values);
        Ok(Stored { is_late, ..inserted.map_err(self.refused())? })
    }

    /// The number of the last report of a vehicle that was not older than those before it.
    fn last_report(&self, vehicle: u16, sender: &str) -> Result<Option<u16>> {
        let asked = "SELECT sequence FROM reports WHERE vehicle = ?1 AND (vehicle > 0 OR sender = ?2) AND authentic = 1 AND late = 0
             ORDER BY id DESC LIMIT 1";
        Ok(self.rows(asked, params![vehicle, sender], |row| row.get(0))?.into_iter().next())
    }

    /// What is known of the last `most` runs, the newest first: of each run its newest report. A report of the same second that tells of no
    /// more frames than the one before it is of another run. Numbers go on at 0 after 65,535: they count from that of the report that came
    /// first, half of them to each side.
    pub fn reports(&self, most: u32) -> Result<Vec<ArchivedReport>> {
        let asked = "SELECT sender, vehicle, sequence, reason, since, frames, after_start FROM (SELECT *, lead(frames) OVER
               (PARTITION BY origin, vehicle, since, after_start ORDER BY (sequence - first + 98304) & 65535, id) AS longer
               FROM (SELECT *, first_value(sequence) OVER (PARTITION BY origin, vehicle, since, after_start ORDER BY id) AS first
                 FROM (SELECT *, CASE WHEN vehicle > 0 THEN '' ELSE sender END AS origin FROM reports) AS named) AS counted) AS runs
             WHERE longer IS NULL OR longer <= frames ORDER BY id DESC LIMIT ?1";
        self.rows(asked, params![most], |row| {
            Ok(ArchivedReport {
                sender: row.get(0)?,
                vehicle: row.get(1)?,
                sequence: row.get(2)?,
                reason: row.get(3)?,
                since: row.get(4)?,
                frames: row.get(5)?,
                after_start: row.get(6)?,
            })
        })
    }

    /// The last `most` other messages, the newest first.
    pub fn messages(&self, most: u32) -> Result<Vec<ArchivedMessage>> {
        let asked = "SELECT sender, vehicle, kind, content, received FROM messages ORDER BY id DESC LIMIT ?1";
        self.rows(asked, params![most], |row| {
            Ok(ArchivedMessage {
                sender: row.get(0)?,
                vehicle: row.get(1)?,
                kind: row.get(2)?,
                content: row.get(3)?,
                received: row.get(4)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounded::Limits;
    use super::*;
    use anyhow::{Context, Result};
    use cssa::trust::Reason;
    use cssa_wire::{Answer, CommandResult, Down, DownPacket, Housekeeping};

    #[test]
    fn reports_and_messages_are_kept_once() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        let answer = Answer { station: 1, counter: 5, result: CommandResult::Done, value: &[] };
        for (n, body) in [
            Down::Report(Report::of_run(2, Reason::Smeared, 1_763_928_000, 40)),
            Down::Housekeeping(Housekeeping { waiting: 9, ..Housekeeping::default() }),
            Down::Answer(answer),
        ]
        .into_iter()
        .enumerate()
        {
            let message = Message::of(&DownPacket { vehicle: 12, bundle: 7, body }).context("a message")?;
            // Another address is the same vehicle's, where it has a number.
            let taken = ["uav", "uav", "relay"]
                .map(|sender| archive.keep_message(sender, &message, &[n as u8], Provenance::Anybody));
            assert_eq!(taken.map(|taken| taken.is_ok_and(|stored| stored.is_new)), [true, false, false]);
            let unnumbered = Message::of(&DownPacket { vehicle: 0, bundle: 7, body }).context("a message")?;
            let taken = ["uav", "relay"]
                .map(|sender| archive.keep_message(sender, &unnumbered, &[n as u8, 9], Provenance::Anybody));
            assert_eq!(taken.map(|taken| taken.is_ok_and(|stored| stored.is_new)), [true; 2]);
        }
        let over = Down::Report(Report::of_run(3, Reason::Smeared, 1_763_928_000, 77));
        let over = Message::of(&DownPacket { vehicle: 12, bundle: 7, body: over }).context("a message")?;
        assert!(archive.keep_message("relay", &over, &[9], Provenance::Vehicle)?.is_new);
        let reports = archive.reports(9)?;
        assert_eq!((reports.len(), reports[0].reason.as_str(), reports[0].frames), (3, "smeared", 77), "runs of three");
        assert_eq!((reports[0].vehicle, reports[0].since.as_deref()), (12, Some("2025-11-23T20:00:00.000Z")));
        // Another run of the same second, in its two reports, of which the first comes last.
        for (sequence, frames) in [(5, 6), (4, 3)] {
            let body = Down::Report(Report::of_run(sequence, Reason::Noisy, 1_763_928_000, frames));
            let message = Message::of(&DownPacket { vehicle: 12, bundle: 7, body }).context("a message")?;
            assert!(archive.keep_message("uav", &message, &[sequence as u8, 8], Provenance::Vehicle)?.is_new);
        }
        let reports = archive.reports(9)?;
        let of_second: Vec<_> = reports.iter().filter(|report| report.vehicle == 12).collect();
        let runs: Vec<_> = of_second.iter().map(|report| (report.reason.as_str(), report.frames)).collect();
        assert_eq!(runs, [("noisy", 6), ("smeared", 77)]);
        // A run over the end of the numbers is one.
        for (sequence, frames) in [(u16::MAX - 1, 100), (0, 300), (u16::MAX, 200)] {
            let body = Down::Report(Report::of_run(sequence, Reason::Dark, 1_763_930_000, frames));
            let message = Message::of(&DownPacket { vehicle: 13, bundle: 7, body }).context("a message")?;
            assert!(archive.keep_message("uav", &message, &[sequence as u8, 7], Provenance::Vehicle)?.is_new);
        }
        let of_run: Vec<u32> =
            archive.reports(9)?.iter().filter(|report| report.vehicle == 13).map(|report| report.frames).collect();
        assert_eq!(of_run, [300]);
        let messages = archive.messages(9)?;
        let kinds: Vec<&str> = messages.iter().map(|message| message.kind.as_str()).collect();
        assert_eq!(kinds, ["answer", "answer", "answer", "housekeeping", "housekeeping", "housekeeping"]);
        assert!(messages[5].content.contains("\"waiting\":9"), "{}", messages[5].content);
        Ok(())
    }

    #[test]
    fn messages_are_bounded_and_those_that_are_not_authentic_go_out_first() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut archive = Archive::open(&folder.path().join("captions.gpkg"))?;
        archive.bounds.limits = Limits { of_sender: 4, total: 5 };
        for n in 0..20 {
            let (sender, whose) = if n < 2 { ("uav", Provenance::Vehicle) } else { ("junk", Provenance::Anybody) };
            for body in [
                Down::Housekeeping(Housekeeping { sequence: n, ..Housekeeping::default() }),
                Down::Report(Report::of_run(n, Reason::Dark, u32::from(n), 1)),
            ] {
                let message = Message::of(&DownPacket { vehicle: 12, bundle: 7, body }).context("a message")?;
                let stored = archive.keep_message(sender, &message, &[n as u8], whose)?;
                assert_eq!(stored, Stored { is_new: true, displaced: u64::from(n >= 5), ..Stored::default() }, "{n}");
            }
        }
        let sequences: Vec<u16> = archive.reports(99)?.iter().map(|report| report.sequence).collect();
        assert_eq!((sequences, archive.messages(99)?.len()), (vec![19, 18, 17, 1, 0], 5));
        Ok(())
    }
}
