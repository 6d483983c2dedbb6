//! Identities: the domains and addresses that an account may send from and receive for, and how they are verified.
pub mod dkim;
mod error;
mod identities;
pub mod lookup;
mod name;
mod verification;

pub use dkim::SigningKey;
pub use error::Error;
pub use identities::{Found, Identities, NewIdentity, Settings};
pub use lookup::{LookupFailed, TxtLookup};
pub use name::IdentityName;
pub use verification::{DnsRecord, dns_records};
