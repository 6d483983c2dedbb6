//! Topics: subscriptions, publications, and what they deliver through: platforms, text messages, streams.
pub mod ended;
pub mod fan_outs;
pub mod platforms;
pub mod publications;
pub mod replays;
pub mod signing_keys;
pub mod sms;
pub mod streams;
pub mod subscriptions;
pub mod throttles;
pub mod topic_archive;
pub mod topic_order;
pub mod topics;
