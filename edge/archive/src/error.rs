//! What goes wrong with an archive, and the kind by which it is counted.

use cssa::errors::chain;
use std::sync::Arc;

/// Whatever ends a run, or fails one tile of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or object that is not there.
    #[error("{0}: is not there")]
    Missing(String),
    /// A bucket, object or file that nobody here may read or write.
    #[error("{0}: no permission: check the credentials and the bucket's policy")]
    Forbidden(String),
    /// Whatever else a store or file system says.
    #[error("{place}: cannot be {action}: {cause}")]
    Store {
        /// The file or object.
        place: String,
        /// What was tried.
        action: &'static str,
        /// What the store said.
        cause: String,
    },
    /// An image whose pixels cannot be read.
    #[error("{place}: {cause}")]
    Image {
        /// The source.
        place: String,
        /// Why not.
        cause: String,
    },
    /// A tile that does not lie in its source.
    #[error("tile {id}: {found}, expected a part of {place}")]
    Outside {
        /// The tile.
        id: String,
        /// Where it lies.
        found: String,
        /// The source and its size.
        place: String,
    },
    /// A table, STAC document or shard that is not what it must be.
    #[error("{place}: {problem}")]
    Table {
        /// The file.
        place: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// A model that captions nothing.
    #[error("tile {id}: the model failed: {cause}")]
    Model {
        /// The tile.
        id: String,
        /// Why.
        cause: String,
    },
    /// The program was told to end.
    #[error("stopped: the same command goes on where it was")]
    Stopped,
    /// A bundle, a runtime or a provider that does not load.
    #[error("the {what} does not load: {cause}")]
    Load {
        /// What does not.
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// The system gives no threads or sockets.
    #[error("the system refuses: {0}")]
    System(String),
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The kind, for counts.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing(_) => "missing",
            Self::Forbidden(_) => "forbidden",
            Self::Store { .. } => "unreadable",
            Self::Image { .. } => "damaged or unsupported image",
            Self::Outside { .. } => "outside of its source",
            Self::Table { .. } => "table",
            Self::Model { .. } | Self::Load { .. } => "model",
            Self::Stopped => "stopped",
            Self::System(_) => "system",
        }
    }

    pub(crate) fn table(place: &str, problem: impl ToString) -> Self {
        Self::Table { place: place.into(), problem: problem.to_string() }
    }

    pub(crate) fn store(place: &str, action: &'static str, error: &object_store::Error) -> Self {
        use object_store::Error as E;
        match error {
            E::NotFound { .. } => Self::Missing(place.into()),
            E::PermissionDenied { .. } | E::Unauthenticated { .. } => Self::Forbidden(place.into()),
            error => {
                let said = chain(error);
                // The library has no kind for what a bucket says to who may not list it.
                if ["403 Forbidden", "401 Unauthorized"].iter().any(|status| said.contains(status)) {
                    return Self::Forbidden(place.into());
                }
                let cause = said.lines().next().unwrap_or_default().to_owned();
                Self::Store { place: place.into(), action, cause }
            }
        }
    }

    pub(crate) fn system(place: &str, action: &'static str, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing(place.into()),
            std::io::ErrorKind::PermissionDenied => Self::Forbidden(place.into()),
            _ => Self::Store { place: place.into(), action, cause: error.to_string() },
        }
    }
}

/// An error that many tiles of one source share.
pub(crate) type Shared<T> = std::result::Result<Arc<T>, Error>;
