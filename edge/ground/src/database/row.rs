//! A row of either database, as SQLite's values.

use rusqlite::types::{FromSql, Value};

/// A row that a query found.
#[derive(Debug)]
pub(crate) struct Row(Vec<Value>);

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    pub(super) fn of_sqlite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let columns = row.as_ref().column_count();
        (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>().map(Self)
    }

    /// The value of a column.
    pub(crate) fn get<T: FromSql>(&self, column: usize) -> rusqlite::Result<T> {
        let value = self.0.get(column).ok_or(rusqlite::Error::InvalidColumnIndex(column))?;
        let unread = |cause| rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(cause));
        T::column_result(value.into()).map_err(unread)
    }
}
