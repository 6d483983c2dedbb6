//! A field of a message's header, as events tell it.
use serde::{Deserialize, Serialize};

/// A header field as event records show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderLine {
    /// The name, as it was written.
    pub name: String,
    /// The value, unfolded, encoded words as they are.
    pub value: String,
}
