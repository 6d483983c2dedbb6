//! The only SQL. Opens SQLite or PostgreSQL, runs transactions with group commit, wakes who waits for a queue.
//!
//! Rooms named after a noun hold that noun's row and its queries. They take the transaction, so that the floor
//! above composes them, and they decide nothing.
mod access;
mod engine;
mod identity;
mod mail;
mod queue;
mod topic;
pub mod vault;

pub use access::{account_holdings, account_removal, accounts, master_key, reset};
pub use engine::{dialect, lineage, sql};
pub use identity::{
    dkim_keys, identities, identity_notifications, identity_policies, verification_links, verification_templates,
};
pub use mail::{
    accepted, account_settings, captured, configuration_sets, event_destinations, event_types, feedback, forwards,
    headers_record, idempotent_sends, import_jobs, inbound_mails, mail_figures, mails, outgoing, receipt_filters,
    receipt_rules, sending_accounts, sending_use, settled, suppressed, templates,
};
pub use queue::{
    backlog, census, deduplication, deleted_queues, ended, given_up, messages, move_tasks, purges, queued_jobs, queues,
    receive_attempts,
};
pub use topic::{
    fan_outs, platforms, publications, replays, signing_keys, sms, streams, subscriptions, throttles, topic_archive,
    topic_order, topics,
};

pub use engine::error::Error;
pub use engine::gather::{Gather, Reads};
pub use engine::json::{Json, Pairs};
pub use engine::open::{Database, NOTICES, Store};
pub use engine::sql::{Row, Value};
pub use engine::tx::Tx;
pub use engine::wake::Waiter;

pub(crate) use engine::sql::args;
