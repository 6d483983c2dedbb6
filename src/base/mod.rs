//! Values that cannot be wrong once made: time, ids, ARNs, addresses, secrets.
pub mod address;
pub mod arn;
mod budget;
pub mod clock;
mod hex;
pub mod ids;
pub mod memory;
pub mod patience;
pub mod places;
pub mod reach;
pub mod secret;
mod seldom;
mod shares;

pub use address::{Domain, EmailAddress};
pub use arn::{AccountId, Arn, Region};
pub use budget::{Budget, Caller, Spent};
pub use clock::{Clock, Instant, Timestamp};
pub use hex::hex;
pub use memory::Memory;
pub use places::Places;
pub use reach::Reach;
pub use secret::Secret;
pub use seldom::Seldom;
pub use shares::{Share, Shares};
