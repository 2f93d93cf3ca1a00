//! Why a place or a time is not known.

/// Why a place or a time is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Nothing says anything of it.
    #[error("{0}: none")]
    Absent(&'static str),
    /// A segment, directory or packet that ends too early or leads outside of the file.
    #[error("{part}: {found}")]
    Structure {
        /// Which, and where it lies.
        part: String,
        /// What is wrong with it.
        found: String,
    },
    /// A tag's value that is none.
    #[error("{tag} is {found}, expected {expected}")]
    Value {
        /// The tag's name.
        tag: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A time of which no tag says the zone, and what it is taken for.
    #[error("no zone: {0}")]
    Zoneless(String),
    /// A receiver that says of its own position that it is none.
    #[error("no fix: {0}")]
    NoFix(String),
    /// A coordinate system that is not known here, or that cannot be transformed to WGS 84.
    #[error("coordinate system: {0}")]
    System(String),
    /// A point that lies where its coordinate system has none.
    #[error("{0}: no place on earth")]
    Outside(String),
}

impl Problem {
    /// The kind, for counters.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Absent(_) => "absent",
            Self::Structure { .. } => "damaged_tags",
            Self::Value { .. } => "unusable_tags",
            Self::Zoneless(_) => "times_without_zone",
            Self::NoFix(_) => "tags_without_fix",
            Self::System(_) => "unknown_coordinate_systems",
            Self::Outside(_) => "places_outside",
        }
    }

    pub(crate) fn structure(part: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Structure { part: part.into(), found: found.into() }
    }

    pub(crate) fn value(tag: &'static str, found: impl Into<String>, expected: &'static str) -> Self {
        Self::Value { tag, found: found.into(), expected }
    }
}
