//! Mail: composing and signing it, sending it, receiving it.
pub mod message;
pub mod sending;
