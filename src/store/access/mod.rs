//! Accounts and keys, and the master key that seals what is stored.
pub mod accounts;
pub mod master_key;
