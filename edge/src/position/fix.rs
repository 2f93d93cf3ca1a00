//! What receivers say.

use cssa_wire::Position;
use std::time::Duration;

/// A fix further away from the moment that is asked for is not taken.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// What a receiver said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fix {
    /// Where.
    pub position: Position,
    /// UTC in seconds since 1970, where it is known.
    pub time: Option<u32>,
}
