//! A connection to PostgreSQL, made anew where it was lost: never in the middle of a change.

use super::error::Result;
use super::row::Row;
use super::{DatabaseError, Dialect, Place};
use chrono::{DateTime, SecondsFormat, TimeDelta};
use postgres::types::private::BytesMut;
use postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};
use rusqlite::types::{ToSqlOutput, Value};
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// So long an answer to a connection, and to what was sent over it, is waited for.
const CONNECT: Duration = Duration::from_secs(10);
const UNANSWERED: Duration = Duration::from_secs(30);
/// Statements that stay prepared at most.
const MAX_STATEMENTS: usize = 100;
/// Of a session: a lock is waited for as an SQLite file is, a change that its program does not end is taken back, and what is
/// committed is on the disk.
const SESSION: &str =
    "SET lock_timeout = '10s'; SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '30s';
 SET standard_conforming_strings = on;
 SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');";
/// Who reads holds up nobody, and an export may take long.
const READ_ONLY: &str = "SET default_transaction_read_only = on; SET statement_timeout = 0;";
/// Ground programs write one after the other. The lock is the transaction's; its number is "CSSA".
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(1129534273);";

/// What a session may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A server's database.
pub(crate) struct Server {
    config: Config,
    access: Access,
    client: Option<Client>,
    statements: HashMap<String, Statement>,
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    Begun,
    /// The server would take its end for that of nothing.
    Failed,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Server").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Server {
    /// The database of a URL, with a connection.
    pub(crate) fn connect(place: &Place, access: Access) -> Result<Self> {
        let url =
            place.url().ok_or(DatabaseError::Url("is a file, expected postgres://USER:PASSWORD@HOST/DATABASE"))?;
        let config = config(url)?;
        let mut server = Self { config, access, client: None, statements: HashMap::new(), change: Change::None };
        server.client()?;
        Ok(server)
    }

    /// The connection, a new one where it was lost.
    fn client(&mut self) -> Result<&mut Client> {
        let is_lost = self.client.as_ref().is_none_or(Client::is_closed);
        if is_lost && self.change != Change::None {
            return Err(DatabaseError::Lost);
        }
        if is_lost {
            self.statements.clear();
            self.client = None;
            let mut client = self.config.connect(NoTls)?;
            client.batch_execute(SESSION)?;
            if self.access == Access::Read {
                client.batch_execute(READ_ONLY)?;
            }
            self.client = Some(client);
        }
        self.client.as_mut().ok_or(DatabaseError::Lost)
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement> {
        self.client()?;
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        if self.statements.len() >= MAX_STATEMENTS {
            self.statements.clear();
        }
        let statement = self.client()?.prepare(&Dialect::PostGis.numbered(sql))?;
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn query(&mut self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<Vec<Row>> {
        let rows = self.run(sql, parameters, |client, statement, parameters| client.query(statement, parameters))?;
        Ok(rows.iter().map(values).collect::<Result<Vec<_>, _>>()?)
    }

    pub(super) fn execute(&mut self, sql: &str, parameters: &[&dyn rusqlite::ToSql]) -> Result<u64> {
        self.run(sql, parameters, |client, statement, parameters| client.execute(statement, parameters))
    }

    fn run<T>(
        &mut self,
        sql: &str,
        parameters: &[&dyn rusqlite::ToSql],
        action: impl FnOnce(&mut Client, &Statement, &[&(dyn ToSql + Sync)]) -> Result<T, postgres::Error>,
    ) -> Result<T> {
        let given = parameters.iter().map(|given| Parameter::of(*given)).collect::<Result<Vec<_>>>()?;
        let given: Vec<&(dyn ToSql + Sync)> = given.iter().map(|given| given as &(dyn ToSql + Sync)).collect();
        let done = self.prepared(sql).and_then(|statement| {
            let (found, expected) = (given.len(), statement.params().len());
            if found != expected {
                return Err(rusqlite::Error::InvalidParameterCount(found, expected).into());
            }
            Ok(action(self.client()?, &statement, &given)?)
        });
        self.noted(done)
    }

    pub(super) fn execute_batch(&mut self, sql: &str) -> Result<()> {
        let done = self.client().and_then(|client| Ok(client.batch_execute(sql)?));
        self.noted(done)
    }

    /// A change of which anything failed cannot be committed any more.
    fn noted<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() && self.change != Change::None {
            self.change = Change::Failed;
        }
        done
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        if let Err(error) = self.client()?.batch_execute(BEGIN) {
            // It may have begun, and wait for the others.
            self.change = Change::Failed;
            self.roll_back();
            return Err(error.into());
        }
        self.change = Change::Begun;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        match self.change {
            Change::Begun => {
                self.client()?.batch_execute("COMMIT")?;
                self.change = Change::None;
                Ok(())
            }
            Change::None | Change::Failed => Err(DatabaseError::Failed),
        }
    }

    pub(super) fn roll_back(&mut self) {
        self.change = Change::None;
        let Some(client) = &mut self.client else { return };
        if client.is_closed() || client.batch_execute("ROLLBACK").is_err() {
            // The server takes back what a connection leaves.
            self.client = None;
        }
    }
}

/// How to connect to a URL.
fn config(url: &str) -> Result<Config> {
    let has =
        |setting: &str| url.rsplit_once('?').is_some_and(|(_, query)| query.split('&').any(|part| part == setting));
    if ["require", "verify-ca", "verify-full"].iter().any(|mode| has(&format!("sslmode={mode}"))) {
        return Err(DatabaseError::Url(
            "sslmode asks for TLS, which ground does not speak: leave it out, and reach a server of another machine through a tunnel \
             (ssh -L) or a private network",
        ));
    }
    let unread = |_| {
        DatabaseError::Url(
            "cannot be read, expected postgres://USER:PASSWORD@HOST:PORT/DATABASE with %40 for @, %2F for /, %3A for : and so on in a password",
        )
    };
    let mut config: Config = url.parse().map_err(unread)?;
    if config.get_password().is_none()
        && let Some(password) = std::env::var_os("PGPASSWORD")
    {
        config.password(password.as_encoded_bytes());
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(UNANSWERED).keepalives_idle(UNANSWERED);
    }
    if config.get_application_name().is_none() {
        config.application_name("ground");
    }
    Ok(config)
}

/// A value for a column of whatever type the server found for it.
#[derive(Debug)]
struct Parameter(Value);

impl Parameter {
    fn of(given: &dyn rusqlite::ToSql) -> Result<Self> {
        match given.to_sql()? {
            ToSqlOutput::Borrowed(value) => Ok(Self(Value::try_from(value).map_err(rusqlite::Error::from)?)),
            ToSqlOutput::Owned(value) => Ok(Self(value)),
            other => Err(DatabaseError::Unfit(format!("{other:?} is no value of PostgreSQL"))),
        }
    }
}

type Unfit = Box<dyn Error + Sync + Send>;

impl ToSql for Parameter {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Unfit> {
        match (&self.0, kind) {
            (Value::Null, _) => Ok(IsNull::Yes),
            (Value::Integer(value), &Type::INT8) => value.to_sql(kind, out),
            (Value::Integer(value), &Type::INT4) => i32::try_from(*value)?.to_sql(kind, out),
            (Value::Integer(value), &Type::FLOAT8) => (*value as f64).to_sql(kind, out),
            (Value::Real(value), &Type::FLOAT8) => value.to_sql(kind, out),
            (Value::Text(time), &Type::TIMESTAMPTZ) => {
                let since = DateTime::parse_from_rfc3339(time)?.to_utc() - epoch();
                since.num_microseconds().ok_or("a time that PostgreSQL does not hold")?.to_sql(&Type::INT8, out)
            }
            // PostgreSQL has no text with a zero, and a packet may be anybody's.
            (Value::Text(text), kind) if <&str as ToSql>::accepts(kind) => {
                text.replace('\0', "\u{fffd}").to_sql(kind, out)
            }
            (Value::Blob(bytes), &Type::BYTEA) => bytes.to_sql(kind, out),
            (value, kind) => Err(format!("{:?} for a parameter of type {kind}", value.data_type()).into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value of a column.
struct Column(Value);

impl<'a> FromSql<'a> for Column {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Unfit> {
        Ok(Self(match *kind {
            Type::BOOL => Value::Integer(bool::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Integer(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::FLOAT8 => Value::Real(f64::from_sql(kind, raw)?),
            Type::BYTEA => Value::Blob(Vec::from_sql(kind, raw)?),
            Type::TIMESTAMPTZ => {
                let since = TimeDelta::microseconds(i64::from_sql(&Type::INT8, raw)?);
                let time = epoch().checked_add_signed(since).ok_or("a time that no calendar has")?;
                Value::Text(time.to_rfc3339_opts(SecondsFormat::Millis, true))
            }
            _ => Value::Text(String::from_sql(&Type::TEXT, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Unfit> {
        Ok(Self(Value::Null))
    }

    fn accepts(kind: &Type) -> bool {
        let numbers = [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::FLOAT8, Type::BYTEA, Type::TIMESTAMPTZ];
        numbers.contains(kind) || <&str as ToSql>::accepts(kind)
    }
}

/// From when PostgreSQL counts.
fn epoch() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(946_684_800, 0).unwrap_or_default()
}

fn values(row: &postgres::Row) -> Result<Row, postgres::Error> {
    let columns = (0..row.len()).map(|column| Ok(row.try_get::<_, Column>(column)?.0));
    columns.collect::<Result<_, _>>().map(Row::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn what_is_wrong_with_a_url_does_not_say_its_password() {
        for (url, said) in [
            ("postgres://cssa:secret@db/fleet?sslmode=require", "asks for TLS"),
            ("postgres://cssa:secret@db/fleet?sslmode=verify-full", "asks for TLS"),
            ("postgres://cssa:se?cret@127.0.0.1:1/fleet", "onnect"),
            ("postgres://cssa:secret@db:port/fleet", "%40 for @"),
            ("postgres://cssa:secret@db/fleet?secret=1", "%40 for @"),
            ("postgres://cssa:secret@127.0.0.1:1/fleet", "onnect"),
        ] {
            let place = Place::from(OsString::from(url));
            let error = Server::connect(&place, Access::Read).err().map(|error| format!("{error} {error:?}"));
            assert!(error.as_ref().is_some_and(|error| error.contains(said) && !error.contains("cret")), "{error:?}");
        }
    }
}
