//! The rules of SNS: topics, subscriptions and their confirmation, publishing with fan-out, signing, HTTP deliveries.
pub mod error;
pub mod handle;
pub mod message;

pub use error::Error;
pub use handle::Topics;
pub use message::{Attribute, Publication, Value};
