//! Values that cannot be wrong once made: time, ids, ARNs, addresses, secrets.
pub mod address;
pub mod arn;
mod budget;
pub mod clock;
mod hex;
pub mod ids;
pub mod patience;
pub mod reach;
pub mod secret;
mod shares;
mod silence;

pub use address::{Domain, EmailAddress};
pub use arn::{AccountId, Arn, Region};
pub use budget::{Budget, Caller, Spent};
pub use clock::{Clock, Instant, Timestamp};
pub use hex::hex;
pub use reach::Reach;
pub use secret::Secret;
pub use shares::{Share, Shares};
pub use silence::Silence;
