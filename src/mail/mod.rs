//! The mail core: messages, what refusals mean, identities, what the DNS publishes, configuration sets and events, sending, receiving, and what comes
//! back.
pub mod bounce;
pub mod content;
pub mod feedback;
pub mod identity;
pub mod marks;
pub mod message;
pub mod own;
pub mod published;
pub mod receiving;
pub mod resolver;
pub mod sending;
