//! What a source asks and says of the frames that it reads.

use crate::error::Result;

/// What is remembered of frames, by their keys.
pub trait Ledger {
    /// Whether a frame needs no second look.
    fn is_settled(&self, key: &str) -> bool;

    /// A frame is about to be decoded: should the program end by that, this is the one to blame.
    fn begin(&self, _key: &str) {}

    /// Puts on the disk what is settled.
    fn flush(&self) -> Result<()> {
        Ok(())
    }
}

impl<F: Fn(&str) -> bool> Ledger for F {
    fn is_settled(&self, key: &str) -> bool {
        self(key)
    }
}
