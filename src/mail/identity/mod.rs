//! Identities: the domains and addresses that an account may send from and receive for, and how they are verified.
pub mod authorization;
mod changes;
mod create;
pub mod dkim;
mod error;
mod identities;
pub mod keys;
mod links;
pub mod looks;
pub mod mail_from;
mod name;
pub mod policies;
mod seen;
pub mod standing;
mod templates;
pub mod verification;

pub use dkim::Origin;
pub use error::Error;
pub use identities::{Found, Identities, KeyChoice, NewIdentity, Settings};
pub use keys::Pair;
pub use links::{Asking, Looked, Opened};
pub use mail_from::{ReversePath, reverse_path};
pub use name::IdentityName;
pub use templates::Invitation;
