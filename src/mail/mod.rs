//! The mail core: messages, identities, configuration sets and events, sending, receiving.
pub mod content;
pub mod identity;
pub mod message;
pub mod receiving;
pub mod sending;
