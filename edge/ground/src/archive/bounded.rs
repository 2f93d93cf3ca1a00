//! Tables that anybody can fill: so many rows of a sender, so many of all. Over that, the oldest go out, those that are not authentic
//! before all others.

use super::Archive;
use crate::error::Result;
use rusqlite::{Params, Transaction};

/// Rows that a bounded table has at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of one sender.
    pub(super) of_sender: u32,
    /// Of all.
    pub(super) total: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { of_sender: 10_000, total: 100_000 }
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// It was not there yet.
    pub is_new: bool,
    /// Rows that went out for it.
    pub displaced: u64,
}

/// A table with bounds. Each has the columns `id`, `sender` and `authentic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bounded {
    Undecoded,
    Messages,
    Reports,
}

impl Bounded {
    fn table(self) -> &'static str {
        match self {
            Self::Undecoded => "undecoded",
            Self::Messages => "messages",
            Self::Reports => "reports",
        }
    }

    fn rows(self) -> &'static str {
        match self {
            Self::Undecoded => "packets that wait for their bundle",
            Self::Messages => "messages",
            Self::Reports => "reports",
        }
    }

    /// Deletes the oldest row that is least worth among those of `whose`; the sender of the most rows comes first.
    fn displace(self, database: &Transaction<'_>, whose: Option<&str>) -> rusqlite::Result<u64> {
        let table = self.table();
        let delete = format!(
            "WITH candidates AS (SELECT id, sender, authentic FROM {table} WHERE ?1 IS NULL OR sender = ?1),
             least AS (SELECT id, sender FROM candidates WHERE authentic = (SELECT min(authentic) FROM candidates))
             DELETE FROM {table} WHERE id = (SELECT min(id) FROM least WHERE sender =
               (SELECT sender FROM least GROUP BY sender ORDER BY count(*) DESC, min(id) LIMIT 1))"
        );
        Ok(database.execute(&delete, [whose])? as u64)
    }
}

impl Archive {
    /// Inserts a row of `sender`, and keeps the table within its bounds; the first time that rows go out of it is logged.
    pub(super) fn keep_bounded(
        &mut self,
        table: Bounded,
        sender: &str,
        insert: &str,
        values: impl Params,
    ) -> Result<Stored> {
        let (refused, limits) = (self.refused(), self.limits);
        let keep = || -> rusqlite::Result<Stored> {
            let keeping = self.database.transaction()?;
            let is_new = keeping.execute(insert, values)? == 1;
            let count = |whose: Option<&str>| {
                let asked = format!("SELECT count(*) FROM {} WHERE ?1 IS NULL OR sender = ?1", table.table());
                keeping.query_row(&asked, [whose], |row| row.get::<_, u32>(0))
            };
            let mut displaced = 0;
            for (whose, most) in [(Some(sender), limits.of_sender), (None, limits.total)] {
                if is_new && count(whose)? > most {
                    displaced += table.displace(&keeping, whose)?;
                }
            }
            keeping.commit()?;
            Ok(Stored { is_new, displaced })
        };
        let stored = keep().map_err(refused)?;
        if stored.displaced > 0 && !self.displaced.contains(&table) {
            self.displaced.push(table);
            let (Limits { of_sender, total }, rows) = (limits, table.rows());
            tracing::warn!("{sender}: {rows} go out for new ones: {of_sender} of one sender are kept at most, {total} of all");
        }
        Ok(stored)
    }
}
