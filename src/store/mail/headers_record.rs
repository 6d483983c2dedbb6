//! What event records tell of a mail's headers: JSON beside the mail.
use serde::{Deserialize, Serialize};

use crate::base::HeaderLine;

/// The headers of an accepted mail, as far as records tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadersRecord {
    /// The sender, with the display name if there is one.
    pub source: Option<String>,
    /// All recipients of the envelope.
    pub destination: Vec<String>,
    /// Whether some headers did not fit.
    pub truncated: bool,
    /// The headers in order.
    pub headers: Vec<HeaderLine>,
    /// Common headers that did not fit there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<HeaderLine>,
}
