//! The way out: how mail leaves this machine. One recipient per SMTP transaction, connections reused per host.
mod dead;
mod delivery;
mod dial;
mod envelope;
mod offers;
mod pool;
mod round;
mod route;
mod session;
mod site;
mod step;
mod tls;
mod transcript;
mod wire;

pub use delivery::{BadDelivery, Delivery, Login, Relay};
pub use envelope::{Content, Envelope, Limits};
pub use round::Outcome;
pub use route::{NoTransport, Route, Transport, TransportOptions};
