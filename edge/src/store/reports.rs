//! Reports of runs of frames outside that wait for the link: one a run, the newest state of it.

use super::database::{pack, unpack};
use super::{COUNTERS, Change, REPORT_SEQUENCE, REPORTS, Store, add};
use crate::error::Result;
use crate::outside_run::Run;
use cssa::trust::Reason;
use cssa_wire::{Report, Time};
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};
use serde::{Deserialize, Serialize};

/// Runs that wait at most; then the oldest go.
const MAX_REPORTS: u64 = 64;
/// Counts those that went.
const DISPLACED: &str = "reports_displaced";

/// A report that waits for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingReport {
    /// When its run began, and what tells apart runs of one second.
    pub run: (u32, u32),
    /// What it says; its number counts reports that went out.
    pub report: Report,
    /// Whether it has a number: it went out, or is about to.
    is_numbered: bool,
    /// How often it went out while somebody listened.
    pub sent: u8,
}

impl Store {
    /// Queues a report of a run, in place of an earlier state of it.
    pub fn report(&self, run: &Run) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut reports = write.open_table(REPORTS)?;
                let (key, report) = ((run.since, run.number), Report::of_run(0, run.reason(), run.since, run.frames));
                let waiting = WaitingReport { run: key, report, is_numbered: false, sent: 0 };
                reports.insert(key, pack(&waiting)?.as_slice())?;
                while reports.len()? > MAX_REPORTS {
                    reports.pop_first()?;
                    add(&mut write.open_table(COUNTERS)?, DISPLACED, 1)?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// The oldest report that is `due` by its run, with its number; and whether it gets that only now.
    pub fn next_report(&self, due: impl Fn((u32, u32)) -> bool) -> Result<Option<(WaitingReport, bool)>> {
        self.file.with(|database| {
            let mut found = None;
            for entry in database.begin_read()?.open_table(REPORTS)?.iter()? {
                let (run, waiting) = entry?;
                if due(run.value()) {
                    found = Some(unpack::<WaitingReport>(waiting.value())?);
                    break;
                }
            }
            let Some(mut waiting) = found else { return Ok(None) };
            if waiting.is_numbered {
                return Ok(Some((waiting, false)));
            }
            let write = database.begin_write()?;
            {
                let mut numbers = write.open_table(REPORT_SEQUENCE)?;
                let sequence = numbers.get(())?.map_or(0, |number| number.value());
                numbers.insert((), sequence.wrapping_add(1))?;
                (waiting.report.sequence, waiting.is_numbered) = (sequence, true);
                write.open_table(REPORTS)?.insert(waiting.run, pack(&waiting)?.as_slice())?;
            }
            write.commit()?;
            Ok(Some((waiting, true)))
        })
    }

    /// A report went out to somebody who listens; it goes when it did so `sends` times. A newer state of its run stays. Whether it is
    /// gone.
    pub fn reported(&self, change: Change, sent: &WaitingReport, sends: u8) -> Result<bool> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            let mut is_gone = true;
            {
                let mut reports = write.open_table(REPORTS)?;
                let times = u8::from(change.is_new(&write)?);
                let kept =
                    reports.get(sent.run)?.map(|waiting| unpack::<WaitingReport>(waiting.value())).transpose()?;
                if let Some(kept) = kept.filter(|kept| kept.is_numbered && kept.report == sent.report) {
                    let again = WaitingReport { sent: kept.sent.saturating_add(times), ..kept };
                    if again.sent >= sends {
                        reports.remove(sent.run)?;
                    } else {
                        reports.insert(sent.run, pack(&again)?.as_slice())?;
                        is_gone = false;
                    }
                }
            }
            write.commit()?;
            Ok(is_gone)
        })
    }

    /// Reports that wait.
    pub fn waiting_reports(&self) -> Result<u64> {
        self.file.with(|database| Ok(database.begin_read()?.open_table(REPORTS)?.len()?))
    }
}

impl WaitingReport {
    /// A line for whoever reads no packets.
    #[must_use]
    pub fn line(&self) -> String {
        let Report { since, frames, .. } = self.report;
        let reason = self.report.outside().map_or("unknown", Reason::name);
        let since = match Time::from(since) {
            Time::Utc(since) => format!("{:02}:{:02} UTC", since / 3600 % 24, since / 60 % 60),
            Time::AfterStart(seconds) => format!("{seconds} s after the start"),
        };
        format!("{frames} frames outside since {since}: {reason}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside_run::{OutsideRuns, Said};
    use crate::store::ChangeKind;
    use anyhow::Result;

    fn first(store: &Store) -> Result<Option<(u16, u32, u32)>> {
        let next = store.next_report(|_| true)?;
        Ok(next.map(|(waiting, _)| (waiting.report.sequence, waiting.report.since, waiting.report.frames)))
    }

    #[test]
    fn a_run_has_one_report_waiting_and_one_that_was_sent_goes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 10)?;
        let mut runs = OutsideRuns::default();
        for time in 1..9 {
            if let (_, Said::Report(run)) = runs.next(Some(Reason::Dark), time) {
                store.report(&run)?;
            }
        }
        assert_eq!(store.next_report(|_| false)?, None, "none is due");
        assert_eq!((first(&store)?, first(&store)?), (Some((0, 1, 3)), Some((0, 1, 3))), "a number once given stays");
        let Some((early, is_new)) = store.next_report(|_| true)? else { anyhow::bail!("no report") };
        runs.over().iter().try_for_each(|run| store.report(run))?;
        assert_eq!(first(&store)?, Some((1, 1, 8)), "the whole run in place of its beginning");
        assert!(
            !is_new && store.reported(store.change(ChangeKind::Reported), &early, 1)?,
            "what was sent is not the newest"
        );
        let Some((whole, _)) = store.next_report(|_| true)? else { anyhow::bail!("no report") };
        assert_eq!(whole.line(), "8 frames outside since 1 s after the start: dark");
        assert_eq!(
            (store.reported(store.change(ChangeKind::Reported), &whole, 2)?, store.waiting_reports()?),
            (false, 1),
            "it is to go out twice"
        );
        assert_eq!(
            (store.reported(store.change(ChangeKind::Reported), &whole, 2)?, store.waiting_reports()?),
            (true, 0)
        );
        Ok(())
    }

    #[test]
    fn reports_that_are_displaced_are_counted() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 10)?;
        for start in 0..70 {
            let mut runs = OutsideRuns::default();
            (0..5).for_each(|second| _ = runs.next(Some(Reason::Foggy), 100 * start + second));
            runs.over().iter().try_for_each(|run| store.report(run))?;
        }
        assert_eq!((store.waiting_reports()?, store.counters()?[DISPLACED]), (64, 6));
        assert_eq!(first(&store)?, Some((0, 600, 5)), "numbers are for what goes out");
        Ok(())
    }
}
