//! The options of a configuration set that have no column of their own: JSON in the store.
use serde::{Deserialize, Serialize};

use crate::store::configuration_sets::ConfigurationSet;
use crate::store::suppressed::Reason;

/// What a configuration set says beside sending and delivery. A member that is absent was not set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct SetOptions {
    /// Tags of the set itself.
    pub tags: Vec<(String, String)>,
    /// Whether figures are kept.
    pub reputation_metrics: bool,
    /// Since when the figures count, in microseconds since the epoch: when sending was switched on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_start: Option<i64>,
    /// Which reasons suppress; absent: those of the account. An empty list suppresses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_reasons: Option<Vec<Reason>>,
}

impl SetOptions {
    /// The options of `set`; what cannot be read counts as not set.
    pub fn of(set: &ConfigurationSet) -> Self {
        serde_json::from_str(&set.options).unwrap_or_default()
    }

    /// The form in the store.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
