//! What the ground has ordered, which stands above the configuration until it orders otherwise, also after a start.

use super::config::PolicyConfig;
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

    /// The policy that the configuration's is under these orders.
    #[must_use]
    pub fn over(&self, configured: &PolicyConfig) -> PolicyConfig {
        let mut policy = configured.clone();
        if let Some(thousandths) = self.least_confidence {
            policy.least_confidence = f32::from(thousandths) / 1000.0;
        }
        if let Some(watch) = &self.watch {
            policy.watch.clone_from(watch);
        }
        if let Some((metres, minutes)) = self.novelty {
            (policy.novelty_metres, policy.novelty_minutes) = (metres.into(), minutes.into());
        }
        policy.bytes_per_hour = self.bytes_per_hour.unwrap_or(policy.bytes_per_hour);
        policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ordered_is_as_configured() {
        let configured = PolicyConfig { least_confidence: 0.5, bytes_per_hour: 9, ..PolicyConfig::default() };
        assert_eq!(Orders::default().over(&configured), configured);
        let orders = Orders {
            least_confidence: Some(250),
            watch: Some([("ship".into(), 3)].into()),
            novelty: Some((100, 30)),
            ..Orders::default()
        };
        let policy = orders.over(&configured);
        assert_eq!((policy.least_confidence, policy.watch["ship"], policy.bytes_per_hour), (0.25, 3, 9));
        assert_eq!((policy.novelty_metres, policy.novelty_minutes), (100.0, 30.0));
        assert!(Orders::default().is_empty() && !orders.is_empty());
    }
}
