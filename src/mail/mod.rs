//! The mail core: messages, what refusals mean, identities, configuration sets and events, sending, receiving, and what comes
//! back.
pub mod bounce;
pub mod content;
pub mod feedback;
pub mod identity;
pub mod message;
pub mod receiving;
pub mod sending;
