//! Who may call: accounts, access keys, and the root key that a new installation starts with.
mod account;
mod error;
mod key;
pub mod policy;
mod root;

pub use account::{create_account, is_account, list_accounts};
pub use error::Error;
pub use key::{Access, Trust, create_key, deactivate_key, list_keys, seal_secrets};
pub use root::{RootKey, ensure_root};

pub use crate::store::access::{AccessKey, Account};
