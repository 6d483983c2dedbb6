//! The mail core: messages, identities, configuration sets and events, sending.
pub mod content;
pub mod identity;
//! Mail: composing and signing it, sending it, receiving it.
pub mod message;
pub mod sending;
