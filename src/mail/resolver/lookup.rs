//! The questions that verification asks the DNS.
use futures::future::BoxFuture;

/// Why the DNS did not say what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFailed {
    /// There is no such name.
    #[error("no such name")]
    NoName,
    /// The name has no record of this kind.
    #[error("no such record")]
    NoRecord,
    /// No usable answer: ask again later.
    #[error("the DNS did not answer: {0}")]
    Unavailable(String),
}

/// Looks records up, and never answers from what it was told before: whoever waits for a verification has just set them.
pub trait RecordLookup: Send + Sync + 'static {
    /// The TXT records of `name`, each joined from its strings.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>>;

    /// The hosts of the MX records of `name`, without dots at their ends, in lower case. Without records it is `NoRecord`.
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>>;
}
