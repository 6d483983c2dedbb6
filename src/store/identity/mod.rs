//! Identities: who may send, how each stands, and its keys, policies and links.
pub mod dkim_keys;
pub mod identities;
pub mod identity_notifications;
pub mod identity_policies;
mod tables;
pub mod verification_links;
pub mod verification_templates;
pub(super) mod words;
