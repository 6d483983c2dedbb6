//! The options of a configuration set that have no column of their own: JSON in its row.
use serde::{Deserialize, Serialize};

use crate::store::engine::json::Pairs;
use crate::store::mail::suppressed::Reason;

/// What a configuration set says beside sending and delivery. A member that is absent was not set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct SetOptions {
    /// Tags of the set itself.
    pub tags: Pairs,
    /// Whether figures are kept.
    pub reputation_metrics: bool,
    /// Since when the figures count, in microseconds since the epoch: when sending was switched on again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_start: Option<i64>,
    /// Which reasons suppress; absent: those of the account. An empty list suppresses nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_reasons: Option<Vec<Reason>>,
}
