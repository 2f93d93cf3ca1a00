//! A setting that is none.

/// A name that stands for none of the values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?}, expected one of {expected:?}")]
pub struct UnknownName {
    /// The name.
    pub found: String,
    /// Those that there are.
    pub expected: &'static [&'static str],
}
