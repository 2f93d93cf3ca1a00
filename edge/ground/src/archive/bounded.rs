//! Tables that anybody can fill: so many rows of a sender, so many of all. Over that, the oldest go out, those that are not authentic
//! before all others.

use crate::database::{Database, DatabaseError, Transaction};
use rusqlite::ToSql;

/// A table that is full makes room for a hundredth of its rows at once: finding what is least worth takes as long as for one.
const TOGETHER: u32 = 100;

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
    /// It says how its vehicle was, not how it is: a later one came before it.
    pub is_late: bool,
    /// It is a vehicle's newest status, which is not new and came within the last minute: perhaps another program that shares the archive
    /// has kept it.
    pub came_lately: bool,
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

    /// How many rows there are, of a sender or of all.
    fn count(self, database: &Transaction<'_>, whose: Option<&str>) -> Result<u32, DatabaseError> {
        let asked = format!("SELECT count(*) FROM {}", self.of(whose));
        let whose = whose.as_ref().map(|sender| sender as &dyn ToSql);
        Ok(database.first(&asked, whose.as_slice(), |row| row.get(0))?.unwrap_or(0))
    }

    /// Deletes the `most` oldest rows that are least worth, of a sender or of the one that has the most such rows.
    fn displace(self, database: &Transaction<'_>, whose: Option<&str>, most: u32) -> Result<u64, DatabaseError> {
        let delete = format!(
            "WITH candidates AS (SELECT id, sender, authentic FROM {}),
             worst AS (SELECT id, sender FROM candidates WHERE authentic = (SELECT min(authentic) FROM candidates))
             DELETE FROM {} WHERE id IN (SELECT id FROM worst WHERE sender =
               (SELECT sender FROM worst GROUP BY sender ORDER BY count(*) DESC, min(id) LIMIT 1) ORDER BY id LIMIT {most})",
            self.of(whose),
            self.table(),
        );
        let whose = whose.as_ref().map(|sender| sender as &dyn ToSql);
        database.execute(&delete, whose.as_slice())
    }

    fn of(self, whose: Option<&str>) -> String {
        format!("{}{}", self.table(), if whose.is_some() { " WHERE sender = ?1" } else { "" })
    }
}

/// Keeps tables within their bounds.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) limits: Limits,
    /// Tables out of which rows went since the start.
    named: Vec<Bounded>,
}

impl Bounds {
    /// Inserts a row of `sender`; the first time that rows go out of a table for new ones is logged.
    pub(super) fn insert(
        &mut self,
        database: &Database,
        table: Bounded,
        sender: &str,
        insert: &str,
        values: &[&dyn ToSql],
    ) -> Result<Stored, DatabaseError> {
        let Limits { of_sender, total } = self.limits;
        let inserting = database.write()?;
        let is_new = inserting.execute(insert, values)? == 1;
        let mut displaced = 0;
        for (whose, most) in [(Some(sender), of_sender), (None, total)] {
            if is_new && table.count(&inserting, whose)? > most {
                displaced += table.displace(&inserting, whose, (most / TOGETHER).max(1))?;
            }
        }
        inserting.commit()?;
        if displaced > 0 && !self.named.contains(&table) {
            self.named.push(table);
            let rows = table.rows();
            tracing::warn!(
                "{sender}: {rows} go out for new ones: {of_sender} of one sender are kept at most, {total} of all"
            );
        }
        Ok(Stored { is_new, displaced, ..Stored::default() })
    }
}
