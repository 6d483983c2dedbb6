//! The rules of SNS: topics, subscriptions and their confirmation, publishing with fan-out, signing, HTTP deliveries.
pub mod attributes;
pub mod confirmation;
pub mod delivery;
pub mod endpoint;
pub mod envelope;
pub mod error;
pub mod filter_policy;
mod handle;
mod job;
pub mod message;
pub mod page;
pub mod publish;
pub mod signing;
pub mod subscription;
mod sweep;
pub mod topic;

pub use crate::queues::message_attributes::{AttributeValue as Value, MessageAttribute as Attribute};
pub use attributes::Attributes;
pub use error::Error;
pub use handle::Topics;
pub use message::Publication;
pub use page::Page;
pub use subscription::{By, Listed, Wish};
pub use topic::NewTopic;
