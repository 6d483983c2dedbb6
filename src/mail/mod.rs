//! The mail core: messages, identities, configuration sets and events, sending.
pub mod content;
pub mod identity;
pub mod message;
pub mod sending;
