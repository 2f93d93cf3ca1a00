//! Reports of runs of frames outside that wait for the link: one a run, the newest state of it.

use super::database::{pack, unpack};
use super::{REPORT_SEQUENCE, REPORTS, Store};
use crate::error::Result;
use crate::outside_run::Run;
use cssa_wire::Report;
use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata};

/// Runs that wait at most; then the oldest go.
const MAX_REPORTS: u64 = 64;

impl Store {
    /// Queues a report of a run, in place of one of the same run that was not sent yet.
    pub fn report(&self, run: &Run) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            {
                let mut numbers = write.open_table(REPORT_SEQUENCE)?;
                let sequence = numbers.get(())?.map_or(0, |number| number.value());
                numbers.insert((), sequence.wrapping_add(1))?;
                let mut reports = write.open_table(REPORTS)?;
                let report = Report::of_run(sequence, run.reason(), run.since, run.frames);
                reports.insert((run.since, run.number), pack(&report)?.as_slice())?;
                while reports.len()? > MAX_REPORTS {
                    reports.pop_first()?;
                }
            }
            Ok(write.commit()?)
        })
    }

    /// The oldest report that was not sent yet.
    pub fn next_report(&self) -> Result<Option<Report>> {
        self.file.with(|database| {
            let reports = database.begin_read()?.open_table(REPORTS)?;
            let first = reports.first()?;
            first.map(|(_, report)| unpack(report.value())).transpose()
        })
    }

    /// A report was sent; a newer one of the same run stays.
    pub fn reported(&self, sent: &Report) -> Result<()> {
        self.file.with(|database| {
            let write = database.begin_write()?;
            // Numbers of reports are their own.
            write.open_table(REPORTS)?.retain(|_, report| unpack::<Report>(report).ok() != Some(*sent))?;
            Ok(write.commit()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside_run::{OutsideRuns, Said};
    use anyhow::Result;
    use cssa::trust::Reason;

    #[test]
    fn a_run_has_one_report_waiting_and_a_sent_one_goes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path(), 10)?;
        let mut runs = OutsideRuns::default();
        for time in 1..9 {
            if let (_, Said::Report(run)) = runs.next(Some(Reason::Dark), time) {
                store.report(&run)?;
            }
        }
        let first = store.next_report()?;
        assert_eq!(first.map(|report| (report.sequence, report.since, report.frames)), Some((0, 1, 3)));
        runs.over().iter().try_for_each(|run| store.report(run))?;
        let whole = store.next_report()?;
        assert_eq!(whole.map(|report| (report.sequence, report.since, report.frames)), Some((1, 1, 8)));
        first.iter().try_for_each(|sent| store.reported(sent))?;
        assert_eq!(store.next_report()?, whole, "what was sent is not the newest");
        whole.iter().try_for_each(|sent| store.reported(sent))?;
        assert_eq!(store.next_report()?, None);
        Ok(())
    }
}
