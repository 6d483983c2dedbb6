//! What a service's error is on the wire: one row per error, from which each protocol picks its columns.
use crate::base::memory::Full;
use crate::store;
use crate::workers::NotDone;

/// Whose fault an error is, as AWS writes it in `<Type>` and after the code in `x-amzn-query-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: trying again changes nothing.
    Sender,
    /// Ours.
    Receiver,
}

impl Fault {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }
}

/// One row of a service's error table. Make it with [`ErrorShape::sender`], then change what differs:
/// `ErrorShape::sender("QueueDoesNotExist", 400).query("AWS.SimpleQueueService.NonExistentQueue", 400)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorShape {
    /// The name in `__type` and `x-amzn-errortype`. A name with `#` is written as it is, any other gets the service's
    /// namespace in front where the protocol wants one.
    pub shape: &'static str,
    /// The `<Code>` of the Query protocol, also in the header `x-amzn-query-error`.
    pub query_code: &'static str,
    /// The HTTP status on the JSON protocols.
    pub status: u16,
    /// The HTTP status on Query, and on JSON for callers that send `x-amzn-query-mode: true`.
    pub query_status: u16,
    /// The text on Query, where it is another than on the JSON protocols.
    pub query_text: Option<&'static str>,
    /// On Query the answer is an empty element of this name, and nothing else.
    pub query_bare: bool,
    /// Whose fault it is.
    pub fault: Fault,
    /// An error whose text must not reach the peer: it gets a bland one, the log gets the cause.
    pub internal: bool,
}

impl ErrorShape {
    /// An error of the caller's, called the same on all protocols.
    pub const fn sender(shape: &'static str, status: u16) -> Self {
        Self {
            shape,
            query_code: shape,
            status,
            query_status: status,
            query_text: None,
            query_bare: false,
            fault: Fault::Sender,
            internal: false,
        }
    }

    /// An error of ours whose text the caller may read, such as `ConcurrentModificationException`.
    pub const fn receiver(shape: &'static str, status: u16) -> Self {
        Self { fault: Fault::Receiver, ..Self::sender(shape, status) }
    }

    /// The unexpected: HTTP 500 under `shape`, a bland text for the peer, the cause in the log.
    pub const fn internal(shape: &'static str) -> Self {
        Self { internal: true, ..Self::receiver(shape, 500) }
    }

    /// What can be done later and not now, as AWS's services say it.
    pub const fn unavailable() -> Self {
        Self::receiver("ServiceUnavailable", 503)
    }

    /// A failure of the store: what passes can be done later, and says more only where that is the caller's business too; all
    /// else is `internal`.
    pub fn of_store(error: &store::Error, internal: Self) -> Self {
        match error {
            store::Error::Full => Self::unavailable(),
            error if error.is_passing() => Self { internal: true, ..Self::unavailable() },
            _ => internal,
        }
    }

    /// The same error with another code and status on Query.
    pub const fn query(self, query_code: &'static str, query_status: u16) -> Self {
        Self { query_code, query_status, ..self }
    }

    /// The same error with another text on Query.
    pub const fn query_text(self, text: &'static str) -> Self {
        Self { query_text: Some(text), ..self }
    }

    /// The same error without a text on Query.
    pub const fn query_bare(self) -> Self {
        Self { query_bare: true, ..self }
    }
}

/// The answer of most services to a caller who asks for too much at once.
pub const THROTTLED: ErrorShape =
    ErrorShape::sender("com.amazon.coral.service#ThrottlingException", 429).query("ThrottlingException", 429);
/// The answer of a server that has no room for a request now.
const UNAVAILABLE: ErrorShape =
    ErrorShape::receiver("com.amazon.coral.service#ServiceUnavailableException", 503).query("ServiceUnavailable", 503);

/// The answer to a request for which there is no memory; `throttled` is the service's row for a caller who has most of it.
pub fn no_room(full: Full, throttled: ErrorShape) -> Failure {
    match full {
        Full::Holder => {
            Failure::new(throttled, "Rate exceeded: too much of yours is under way. Please try again later.")
        }
        Full::House => {
            Failure::new(UNAVAILABLE, "The server has no room for this request now. Please try again later.")
        }
    }
}

/// The answer where all places for connections are taken.
pub fn no_place() -> Failure {
    Failure::new(UNAVAILABLE, "The server has too many connections now. Please try again later.")
}

/// A service's error enum. Its `Display` is the text that AWS would send, save for rows that are
/// [`ErrorShape::internal`]: their `Display` and sources go to the log only.
pub trait ServiceError: std::error::Error {
    /// The error's row.
    fn shape(&self) -> ErrorShape;
}

/// An error on its way to the wire: its row, the peer's text and the log's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The row.
    pub shape: ErrorShape,
    /// What the peer reads.
    pub message: String,
    /// What only the log reads: the causes of an internal error.
    pub cause: Option<String>,
}

impl Failure {
    /// An error with a text for the peer and no hidden cause.
    pub fn new(shape: ErrorShape, message: impl Into<String>) -> Self {
        Self { shape, message: message.into(), cause: None }
    }

    /// The unexpected: a bland text for the peer, `cause` for the log.
    pub fn internal(shape: ErrorShape, cause: impl Into<String>) -> Self {
        let message = "We encountered an internal error. Please try again.".to_owned();
        Self { shape, message, cause: Some(cause.into()) }
    }
}

impl Failure {
    /// Work for the request that was not done: too much of its account's waits.
    pub fn not_done(error: NotDone) -> Self {
        match error {
            NotDone::Crowded => {
                Self::new(ErrorShape::sender("ThrottlingException", 400).query("Throttling", 400), "Rate exceeded")
            }
            NotDone::Broken => Self::internal(ErrorShape::internal("InternalFailure"), error.to_string()),
        }
    }
}

impl<E: ServiceError> From<E> for Failure {
    fn from(error: E) -> Self {
        let shape = error.shape();
        if !shape.internal {
            return Self::new(shape, error.to_string());
        }
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(below) = source {
            cause.push_str(": ");
            cause.push_str(&below.to_string());
            source = below.source();
        }
        Self::internal(shape, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("The queue is gone.")]
        Gone,
        #[error("store")]
        Store(#[from] std::fmt::Error),
    }

    impl ServiceError for Sample {
        fn shape(&self) -> ErrorShape {
            match self {
                Self::Gone => ErrorShape::sender("Gone", 400),
                Self::Store(_) => ErrorShape::internal("InternalFailure"),
            }
        }
    }

    #[test]
    fn the_text_of_an_internal_error_stays_at_home() {
        let known = Failure::from(Sample::Gone);
        assert_eq!((known.message.as_str(), known.cause), ("The queue is gone.", None));
        let unexpected = Failure::from(Sample::from(std::fmt::Error));
        assert!(!unexpected.message.contains("store"));
        assert!(unexpected.cause.is_some_and(|cause| cause.starts_with("store: ")));
        assert_eq!(unexpected.shape.status, 500);
    }
}
