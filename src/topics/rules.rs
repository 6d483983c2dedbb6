//! How a topic treats what is published to it, by its attributes: in order or not, kept or not, signed how.
use sha2::{Digest, Sha256};

use crate::store;
use crate::store::topics::Topic;
use crate::topics::message::MAX_BYTES;
use crate::topics::signing::Version;
use crate::topics::{Attributes, Error, Publication, archive, attributes, large};

/// What every FIFO topic's name ends with; it counts to the 256 characters.
pub(in crate::topics) const SUFFIX: &str = ".fifo";

/// The rules of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::topics) struct Rules {
    /// Whether it keeps the order of each group, and drops what was published before.
    pub fifo: bool,
    /// Whether messages without a deduplication id are known by their content.
    pub content_based: bool,
    /// Whether a deduplication id counts within its group only (FifoThroughputScope).
    pub per_group: bool,
    /// For how many days messages are kept for replays.
    pub archived_days: Option<u32>,
    /// How messages are signed.
    pub version: Version,
    /// How many bytes a message may have.
    pub max_bytes: usize,
}

impl Rules {
    /// Reads the rules of a topic.
    pub(super) fn of(topic: &Topic) -> Result<Self, store::Error> {
        // Most topics have no attributes that matter here.
        Ok(Self { fifo: topic.name.ends_with(SUFFIX), ..Self::from(&attributes::read(&topic.attributes)?) })
    }

    /// Checks what a message says of its group and deduplication. A standard topic passes a group on, and knows no
    /// deduplication.
    pub(super) fn check(&self, publication: &Publication) -> Result<(), Error> {
        match (self.fifo, &publication.deduplication_id) {
            (false, Some(_)) => Err(Error::DeduplicationHere),
            (false, None) => Ok(()),
            (true, _) if publication.group.is_none() => Err(Error::GroupMissing),
            (true, None) if !self.content_based => Err(Error::DeduplicationMissing),
            (true, _) => Ok(()),
        }
    }
}

impl From<&Attributes> for Rules {
    fn from(attributes: &Attributes) -> Self {
        let is = |name: &str, value: &str| attributes.get(name).is_some_and(|set| set == value);
        let size = attributes.get("MaximumMessageSize").and_then(|value| large::size(value).ok());
        let version = attributes.get("SignatureVersion").and_then(|text| Version::parse(text));
        Self {
            fifo: is("FifoTopic", "true"),
            content_based: is("ContentBasedDeduplication", "true"),
            per_group: is("FifoThroughputScope", "MessageGroup"),
            archived_days: attributes.get("ArchivePolicy").and_then(|policy| archive::days(policy).ok()),
            version: version.unwrap_or_default(),
            max_bytes: size.unwrap_or(MAX_BYTES),
        }
    }
}

/// What a message is known by that has no deduplication id: its content, not its attributes.
pub(in crate::topics) fn content_id(message: &str) -> String {
    Sha256::digest(message.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
