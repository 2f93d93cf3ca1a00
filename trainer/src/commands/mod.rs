//! What each command takes and does.

pub(crate) mod adapt;
pub(crate) mod average;
pub(crate) mod bench;
pub(crate) mod captions;
pub(crate) mod data;
mod machine;
pub(crate) mod score;
pub(crate) mod show;
pub(crate) mod training;
