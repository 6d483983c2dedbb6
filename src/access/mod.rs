//! Who may call: accounts, access keys, and the root key that a new installation starts with.
mod account;
mod error;
mod key;
pub mod policy;
mod root;

pub use account::{
    begin_deletion, create_account, find_deletable, is_account, list_accounts, resume_account, suspend_account,
};
pub use error::Error;
pub use key::{
    Access, KeyInUse, Trust, activate_key, create_key, deactivate_key, delete_key, find_key, list_keys, seal_secrets,
};
pub use root::{RootKey, ensure_root};

pub use crate::store::accounts::{AccessKey, Account, State};
