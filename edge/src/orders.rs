//! What the ground has ordered, which stands above the configuration until it orders otherwise, also after a start.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The orders that stand; what is `None` is as the configuration has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Orders {
    /// Caption nothing.
    pub paused: bool,
    /// `policy.least_confidence`, in thousandths.
    pub least_confidence: Option<u16>,
    /// `policy.watch`.
    pub watch: Option<BTreeMap<String, u8>>,
    /// `policy.novelty_metres` and `policy.novelty_minutes`.
    pub novelty: Option<(u16, u16)>,
    /// `policy.bytes_per_hour`.
    pub bytes_per_hour: Option<u32>,
    /// `link.bytes_per_second`.
    pub bytes_per_second: Option<u32>,
}

impl Orders {
    /// Whether the configuration stands as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
