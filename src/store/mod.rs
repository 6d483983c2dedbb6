//! The only SQL. Opens SQLite or PostgreSQL, runs transactions with group commit, wakes who waits for a queue.
//!
//! Rooms named after a noun hold that noun's row and its queries. They take the transaction, so that the floor
//! above composes them, and they decide nothing.
pub mod captured;
pub mod dialect;
mod error;
mod lane;
pub mod mails;
pub mod messages;
mod open;
pub mod queues;
pub mod sql;
mod tx;
mod wake;

pub use error::Error;
pub use open::{Database, Store};
pub use sql::{Row, Value};
pub use tx::Tx;
pub use wake::Waiter;

pub(crate) use sql::args;
