//! What a packet says of its vehicle beside what it holds.

use crate::message::Part;
use cssa_wire::Key;

/// Whether a packet shows that its vehicle is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It brought what was not here; a status says how often the next ones come.
    OfNow(Option<u16>),
    /// All of it was here already, or is older than what is here; or that is still to be seen.
    None,
}

/// A part of a picture that waits to be kept.
#[derive(Debug)]
pub(super) struct WaitingPart {
    pub(super) sender: String,
    pub(super) vehicle: u16,
    pub(super) part: Part,
    pub(super) port: Option<usize>,
    pub(super) key: Key,
}

impl News {
    pub(super) fn of(is_new: bool) -> Self {
        if is_new { Self::OfNow(None) } else { Self::None }
    }
}
