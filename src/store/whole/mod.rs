//! What concerns all tables: what an account holds, taking it away, emptying the store.
pub mod account_holdings;
pub mod account_removal;
pub mod reset;
