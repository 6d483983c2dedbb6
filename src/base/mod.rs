//! Values that cannot be wrong once made: time, ids, ARNs, addresses, secrets.
pub mod address;
pub mod arn;
pub mod clock;
mod hex;
pub mod ids;
pub mod patience;
pub mod reach;
pub mod secret;

pub use address::{Domain, EmailAddress};
pub use arn::{AccountId, Arn, Region};
pub use clock::{Clock, Timestamp};
pub use hex::hex;
pub use reach::Reach;
pub use secret::Secret;
