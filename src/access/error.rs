//! What can go wrong with accounts and keys.
use crate::base::AccountId;
use crate::store;

/// A failure in managing accounts or keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such account.
    #[error("account {0} does not exist")]
    AccountMissing(AccountId),
    /// The account's number is taken.
    #[error("account {0} exists already")]
    AccountExists(AccountId),
    /// The root account stays as it is.
    #[error("account {0} is the root account; it cannot be {1}")]
    Root(AccountId, &'static str),
    /// The account is on its way out.
    #[error("account {0} is being deleted")]
    Deleting(AccountId),
    /// No such key.
    #[error("access key {0} does not exist")]
    KeyMissing(String),
    /// The key belongs to another account.
    #[error("access key {0} belongs to account {1}")]
    KeyOfAnother(String, AccountId),
    /// An account may have only so many active keys.
    #[error("account {0} has {1} access keys already; deactivate one that is not used")]
    TooManyKeys(AccountId, usize),
    /// A key id or secret of a form that no client could use, or a name that nobody could read.
    #[error("{0}")]
    NotUsable(&'static str),
    /// The credentials file could not be written.
    #[error("cannot write {0}: {1}")]
    File(String, std::io::Error),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}
