//! Values that cannot be wrong once made: time, ids, ARNs, addresses, secrets.
pub mod address;
pub mod arn;
mod budget;
pub mod clock;
mod headroom;
mod hex;
pub mod ids;
pub mod patience;
mod quiet;
pub mod reach;
mod regions;
pub mod secret;
mod shares;

pub use address::{Domain, EmailAddress};
pub use arn::{AccountId, Arn, Region};
pub use budget::{Budget, Caller, Spent};
pub use clock::{Clock, Instant, Timestamp};
pub use headroom::Headroom;
pub use hex::hex;
pub use quiet::Quiet;
pub use reach::Reach;
pub use regions::Regions;
pub use secret::Secret;
pub use shares::{Share, Shares};
