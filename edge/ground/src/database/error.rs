//! What a database says when it does not do what it is told.

use std::error::Error;

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
            // Classes of SQLSTATE: connection, resources, lock not available, operator intervention, deadlock, time of a transaction.
            Self::Postgres(error) => error.as_db_error().is_none_or(|error| {
                ["08", "53", "55", "57", "40", "25P03"].iter().any(|class| error.code().code().starts_with(class))
            }),
            Self::Sqlite(_) | Self::Failed | Self::Url(_) | Self::Unfit(_) => false,
        }
    }
}

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
