//! What keeps an archive: an SQLite file (a GeoPackage), or a database of a PostgreSQL server with PostGIS. Archives speak one SQL that both
//! understand, with parameters ?1, ?2 …; [`Dialect`] has every place where they differ.
//!
//! Of both: one transaction writes at a time ([`Database::write`]), so that what it counts stays true until it ends, and rows get
//! their numbers in the order in which they are seen. What a transaction has committed is on the disk.

mod dialect;
mod error;
mod place;
mod row;
mod server;

pub use error::DatabaseError;
pub use place::Place;

use error::Result;

pub(crate) use dialect::Dialect;
pub(crate) use row::Row;
pub(crate) use server::{Access, Server};

use rusqlite::{Connection, ToSql, params_from_iter};
use std::cell::RefCell;
use std::ops::Deref;

/// An open database.
#[derive(Debug)]
pub(crate) struct Database {
    session: RefCell<Session>,
}

#[derive(Debug)]
enum Session {
    Sqlite(Connection),
    Postgres(Box<Server>),
}

impl From<Connection> for Database {
    fn from(connection: Connection) -> Self {
        Self { session: RefCell::new(Session::Sqlite(connection)) }
    }
}

impl From<Server> for Database {
    fn from(server: Server) -> Self {
        Self { session: RefCell::new(Session::Postgres(Box::new(server))) }
    }
}

impl Database {
    pub(crate) fn dialect(&self) -> Dialect {
        match &*self.session.borrow() {
            Session::Sqlite(_) => Dialect::GeoPackage,
            Session::Postgres(_) => Dialect::PostGis,
        }
    }

    /// What a query finds.
    pub(crate) fn query<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        mut row: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = match &mut *self.session.borrow_mut() {
            Session::Sqlite(connection) => {
                let mut statement = connection.prepare(sql)?;
                let found = statement.query_and_then(params_from_iter(parameters), Row::of_sqlite)?;
                found.collect::<rusqlite::Result<Vec<Row>>>()?
            }
            Session::Postgres(server) => server.query(sql, parameters)?,
        };
        Ok(rows.iter().map(&mut row).collect::<rusqlite::Result<_>>()?)
    }

    /// The first row that a query finds.
    pub(crate) fn first<T>(
        &self,
        sql: &str,
        parameters: &[&dyn ToSql],
        row: impl FnMut(&Row) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, parameters, row)?.into_iter().next())
    }

    /// Changes rows; gives how many.
    pub(crate) fn execute(&self, sql: &str, parameters: &[&dyn ToSql]) -> Result<u64> {
        match &mut *self.session.borrow_mut() {
            Session::Sqlite(connection) => Ok(connection.prepare(sql)?.execute(params_from_iter(parameters))? as u64),
            Session::Postgres(server) => server.execute(sql, parameters),
        }
    }

    /// Statements without parameters, in the dialect of the database.
    pub(crate) fn execute_batch(&self, sql: &str) -> Result<()> {
        match &mut *self.session.borrow_mut() {
            Session::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Session::Postgres(server) => server.execute_batch(sql),
        }
    }

    /// Begins to write, once nobody else does; what is not committed has never been.
    pub(crate) fn write(&self) -> Result<Transaction<'_>> {
        match &mut *self.session.borrow_mut() {
            Session::Sqlite(connection) => connection.execute_batch("BEGIN IMMEDIATE")?,
            Session::Postgres(server) => server.begin()?,
        }
        Ok(Transaction { database: self, is_committed: false })
    }
}

/// A change of a database that is made as a whole.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    database: &'a Database,
    is_committed: bool,
}

impl Transaction<'_> {
    pub(crate) fn commit(mut self) -> Result<()> {
        match &mut *self.database.session.borrow_mut() {
            Session::Sqlite(connection) => connection.execute_batch("COMMIT")?,
            Session::Postgres(server) => server.commit()?,
        }
        self.is_committed = true;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.database
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_committed {
            return;
        }
        match &mut *self.database.session.borrow_mut() {
            // One that could not begin, or that SQLite has taken back by itself, has no end.
            Session::Sqlite(connection) => drop(connection.execute_batch("ROLLBACK")),
            Session::Postgres(server) => server.roll_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::params;

    #[test]
    fn what_is_not_committed_has_never_been() -> Result<()> {
        let database = Database::from(Connection::open_in_memory()?);
        database.execute_batch("CREATE TABLE numbers (number INTEGER)")?;
        let insert = "INSERT INTO numbers (number) VALUES (?1)";
        let count = || database.query("SELECT number FROM numbers", &[], |row| row.get::<u32>(0));
        let writing = database.write()?;
        writing.execute(insert, params![1])?;
        drop(writing);
        assert_eq!(count()?, [0; 0]);
        let writing = database.write()?;
        assert_eq!(writing.execute(insert, params![2])?, 1);
        writing.commit()?;
        assert_eq!(count()?, [2]);
        Ok(())
    }
}
