//! The way out: how mail leaves this machine. One recipient per SMTP transaction, connections reused per host.
mod delivery;
mod pool;
mod route;
mod session;
mod socket;
mod transcript;

pub use delivery::{BadDelivery, Delivery, Login, Relay};
pub use route::{Outcome, Transport, TransportOptions};
pub use session::{Envelope, Limits};
