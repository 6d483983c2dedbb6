//! Accounts and keys, the master key that seals what is stored, and what an account holds as a whole.
pub mod account_holdings;
pub mod account_removal;
pub mod accounts;
pub mod master_key;
pub mod reset;
