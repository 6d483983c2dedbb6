//! The only SQL. Opens SQLite or PostgreSQL, runs transactions with group commit, wakes who waits for a queue.
//!
//! Rooms named after a noun hold that noun's row and its queries. They take the transaction, so that the floor
//! above composes them, and they decide nothing.
pub mod access;
mod backlog;
pub mod captured;
mod claims;
pub mod configuration_sets;
pub mod deduplication;
pub mod deleted_queues;
pub mod dialect;
pub mod dkim_keys;
mod error;
pub mod fan_outs;
pub mod feedback;
mod groups;
mod hints;
pub mod identities;
pub mod identity_policies;
pub mod inbound_mails;
mod jobs;
mod lane;
mod lanes;
pub mod mails;
pub mod master_key;
mod merged_claims;
mod merged_messages;
pub mod messages;
pub mod move_tasks;
mod open;
mod ordered;
pub mod platforms;
pub mod publications;
pub mod purges;
pub mod queues;
pub mod receipt_filters;
pub mod receipt_rules;
pub mod receive_attempts;
pub mod replays;
pub mod sending_accounts;
pub mod signing_keys;
pub mod sms;
mod spread;
pub mod sql;
pub mod streams;
pub mod subscriptions;
pub mod throttles;
pub mod topic_archive;
pub mod topic_order;
pub mod topics;
mod tx;
pub mod vault;
pub mod verification_links;
pub mod verification_templates;
mod wake;
mod wal;

pub use error::Error;
pub use open::{Database, Store};
pub use sql::{Row, Value};
pub use tx::Tx;
pub use wake::Waiter;

pub(crate) use sql::args;
