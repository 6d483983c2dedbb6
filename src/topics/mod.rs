//! The rules of SNS: topics, subscriptions and their confirmation, publishing with fan-out, signing, HTTP deliveries.
pub mod endpoint;
pub mod error;
pub mod message;

pub use error::Error;
pub use message::{Attribute, Publication, Value};
