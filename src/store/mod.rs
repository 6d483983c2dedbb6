//! The only SQL. Opens SQLite or PostgreSQL, runs transactions with group commit, wakes who waits for a queue.
//!
//! Rooms named after a noun hold that noun's row and its queries. They take the transaction, so that the floor
//! above composes them, and they decide nothing.
mod access;
mod engine;
mod identity;
mod mail;
mod opening;
mod queue;
mod topic;
pub mod vault;
mod whole;

pub use access::{accounts, master_key};
pub use engine::{dialect, lineage, sql};
pub use identity::{
    dkim_keys, identities, identity_notifications, identity_policies, verification_links, verification_templates,
};
pub use mail::{
    accepted, account_settings, captured, configuration_sets, event_destinations, event_types, feedback, forwards,
    headers_record, idempotent_sends, import_jobs, inbound_mails, mail_attempts, mail_figures, mails, outgoing,
    receipt_filters, receipt_rules, sending_accounts, sending_use, suppressed, templates,
};
pub use queue::{
    backlog, census, deduplication, deleted_queues, given_up, messages, move_tasks, purges, queued_jobs, queues,
    receive_attempts, settled,
};
pub use topic::{
    ended, fan_outs, platforms, publications, replays, signing_keys, sms, streams, subscriptions, throttles,
    topic_archive, topic_order, topics,
};

pub use whole::{account_holdings, account_removal, reset};

pub use engine::database::Database;
pub use engine::error::Error;
pub use engine::gather::{Gather, Reads};
pub use engine::handle::Store;
pub use engine::json::{Json, Pairs};
pub use engine::open::NOTICES;
pub use engine::sql::Row;
pub use engine::tx::Tx;
pub use engine::value::Value;
pub use engine::wake::Waiter;

pub(crate) use engine::value::args;
