//! The one question that verification asks the DNS.
use futures::future::BoxFuture;

/// Why the DNS did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFailed {
    /// There is no such record.
    #[error("no TXT record")]
    NotFound,
    /// No usable answer: ask again later.
    #[error("the DNS did not answer: {0}")]
    Unavailable(String),
}

/// Looks up TXT records.
pub trait TxtLookup: Send + Sync + 'static {
    /// The TXT records of `name`, each joined from its strings.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>>;
}
