//! What a database says when it does not do what it is told.

use std::error::Error;
use std::io;

/// Classes of SQLSTATE that pass: connection, resources, lock not available, operator's intervention, deadlock, a change that took too long.
const PASSING: [&str; 6] = ["08", "53", "55", "57", "40", "25P03"];

/// Why a database does not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// What SQLite says, or what is wrong with a value of a row.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// What PostgreSQL says, or the way to it.
    #[error("{}", said(.0))]
    Postgres(postgres::Error),
    /// The connection was lost in the middle of a change, of which nothing is kept.
    #[error("the connection to the server was lost")]
    Lost,
    /// A statement of a change failed, of which nothing is kept.
    #[error("a part of the change failed before")]
    Failed,
    /// A URL that cannot be used. What is wrong with it is not repeated: that may be a part of a password.
    #[error("{0}")]
    Url(&'static str),
    /// The server lacks something that an archive needs.
    #[error("{0}")]
    Unfit(String),
}

impl From<postgres::Error> for DatabaseError {
    fn from(error: postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl DatabaseError {
    /// Whether the server may be had again by waiting, however long: it is away, starts, or has no room.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Lost => true,
            Self::Postgres(error) => match error.as_db_error() {
                Some(answer) => PASSING.iter().any(|class| answer.code().code().starts_with(class)),
                // Neither is a value that PostgreSQL has no place for.
                None => error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>()),
            },
            Self::Sqlite(_) | Self::Failed | Self::Url(_) | Self::Unfit(_) => false,
        }
    }
}

pub(super) type Result<T, E = DatabaseError> = std::result::Result<T, E>;

/// A server's answer in one line.
fn said(error: &postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let hint = error.hint().map_or(String::new(), |hint| format!(" ({hint})"));
        return format!("{}{hint}", error.message());
    }
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}
