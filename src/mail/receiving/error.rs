//! What can go wrong when mail is received or receipt rules are changed.
use crate::store;

/// Why a call about receiving failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No rule set of this name.
    #[error("rule set {0} does not exist")]
    RuleSetMissing(String),
    /// No rule of this name in the rule set.
    #[error("rule {0} does not exist")]
    RuleMissing(String),
    /// The name of a rule set is taken.
    #[error("rule set {0} already exists")]
    RuleSetExists(String),
    /// The name of a rule is taken in its rule set.
    #[error("rule {0} already exists")]
    RuleExists(String),
    /// The name of an IP filter is taken.
    #[error("filter {0} already exists")]
    FilterExists(String),
    /// There would be too many of something; the text says of what, in SES's words.
    #[error("{0}")]
    LimitExceeded(String),
    /// The active rule set cannot be deleted.
    #[error("rule set {0} is active and cannot be deleted")]
    RuleSetActive(String),
    /// An action names a topic that does not exist, or that belongs to someone else.
    #[error("topic {0} is not valid")]
    InvalidTopic(String),
    /// An action names a function by what is no ARN of one.
    #[error("{0} is not the ARN of a function")]
    InvalidFunction(String),
    /// An action names a function that the settings do not know.
    #[error("function {0} is not known")]
    UnknownFunction(String),
    /// An action names a bucket that cannot be.
    #[error("{0:?} is not the name of a bucket")]
    NoBucket(String),
    /// An action names a prefix or a key that cannot be used.
    #[error("bucket {bucket} cannot be used: {why}")]
    InvalidBucket {
        /// The bucket's name as it was given.
        bucket: String,
        /// What is wrong.
        why: String,
    },
    /// A value is out of its form or range.
    #[error("{0}")]
    Invalid(String),
    /// A mail without a recipient.
    #[error("the mail has no recipient")]
    NoRecipients,
    /// The mail came through more servers than [`crate::mail::receiving::MAX_HOPS`]: it runs in a loop (RFC 5321, 6.3).
    #[error("the mail came through too many servers")]
    TooManyHops,
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] store::Error),
}
