//! What arrived beside captions: reports of frames outside, and everything else as it came.

use super::{Archive, now};
use crate::error::Result;
use crate::geopackage::datetime;
use crate::message::{Message, reason_of};
use cssa_wire::Report;
use rusqlite::params;
use serde::Serialize;

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
    /// When the run began, UTC, as RFC 3339 has it.
    pub since: String,
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

impl Archive {
    /// Keeps a message that came as `packet`: a report in its own table, everything else with its bytes. Gives whether it is new.
    pub fn keep_message(&mut self, sender: &str, message: &Message, packet: &[u8]) -> Result<bool> {
        if let Some(report) = message.report {
            return self.keep_report(sender, message.vehicle, report);
        }
        let insert = "INSERT INTO messages (sender, vehicle, bundle, kind, content, packet, received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let Message { vehicle, kind, .. } = message;
        let (bundle, content) = (format!("{:04x}", message.bundle), message.content.to_string());
        let inserted = self.database.execute(insert, params![sender, vehicle, bundle, kind, content, packet, now()]);
        Ok(inserted.map_err(self.refused())? == 1)
    }

    fn keep_report(&mut self, sender: &str, vehicle: u16, report: Report) -> Result<bool> {
        let insert = "INSERT INTO reports (sender, vehicle, sequence, reason, since, frames, received)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let (reason, since) = (reason_of(&report), datetime(report.since));
        let values = params![sender, vehicle, report.sequence, reason, since, report.frames, now()];
        Ok(self.database.execute(insert, values).map_err(self.refused())? == 1)
    }

    /// What is known of the last `most` runs, the newest first: of each run its newest report.
    pub fn reports(&self, most: u32) -> Result<Vec<ArchivedReport>> {
        let asked = "SELECT sender, vehicle, sequence, reason, since, frames FROM reports
             WHERE id IN (SELECT max(id) FROM reports GROUP BY sender, vehicle, since) ORDER BY id DESC LIMIT ?1";
        self.rows(asked, [most], |row| {
            Ok(ArchivedReport {
                sender: row.get(0)?,
                vehicle: row.get(1)?,
                sequence: row.get(2)?,
                reason: row.get(3)?,
                since: row.get(4)?,
                frames: row.get(5)?,
            })
        })
    }

    /// The last `most` other messages, the newest first.
    pub fn messages(&self, most: u32) -> Result<Vec<ArchivedMessage>> {
        let asked = "SELECT sender, vehicle, kind, content, received FROM messages ORDER BY id DESC LIMIT ?1";
        self.rows(asked, [most], |row| {
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
            let taken = [0; 2].map(|_| archive.keep_message("uav", &message, &[n as u8]));
            assert_eq!(taken.map(|taken| taken.ok()), [Some(true), Some(false)]);
        }
        let over = Down::Report(Report::of_run(3, Reason::Smeared, 1_763_928_000, 77));
        let over = Message::of(&DownPacket { vehicle: 12, bundle: 7, body: over }).context("a message")?;
        assert!(archive.keep_message("uav", &over, &[9])?);
        let reports = archive.reports(9)?;
        assert_eq!((reports.len(), reports[0].reason.as_str(), reports[0].frames), (1, "smeared", 77), "one run");
        assert_eq!((reports[0].vehicle, reports[0].since.as_str()), (12, "2025-11-23T20:00:00.000Z"));
        let messages = archive.messages(9)?;
        assert_eq!(
            messages.iter().map(|message| message.kind.as_str()).collect::<Vec<_>>(),
            ["answer", "housekeeping"]
        );
        assert!(messages[1].content.contains("\"waiting\":9"), "{}", messages[1].content);
        Ok(())
    }
}
