//! What can go wrong with identities.
use crate::mail::message;
use crate::mail::sending::system::SystemMailError;
use crate::store;

/// Why an identity was not made or found.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a domain nor an address.
    #[error("{0:?} is neither a domain nor an address")]
    Name(String),
    /// The account has it already.
    #[error("identity {0} exists already")]
    Exists(String),
    /// The account does not have it.
    #[error("identity {0} does not exist")]
    Missing(String),
    /// The configuration set that it should use by default does not exist.
    #[error("configuration set {0} does not exist")]
    ConfigurationSetMissing(String),
    /// The account has as many as it may.
    #[error("an account may have {0} identities")]
    TooMany(i64),
    /// The address was sent too many links.
    #[error("too many links were sent to {0}")]
    AskedTooOften(String),
    /// The verification mail could not be written.
    #[error("verification mail: {0}")]
    Mail(#[from] message::Error),
    /// A key could not be made.
    #[error("DKIM key: {0}")]
    Key(String),
    /// The verification mail could not be queued.
    #[error("verification mail: {0}")]
    SystemMail(#[from] SystemMailError),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}
