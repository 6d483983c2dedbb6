//! Signatures of messages, by which an HTTP endpoint knows that a message comes from this server.
pub mod canonical;
pub mod key;
pub mod signer;

pub use canonical::Version;
pub use key::Key;
pub use signer::Signer;
