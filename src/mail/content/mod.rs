//! Configuration sets and the events that they publish.
pub mod configuration_set;
pub mod event;
pub mod headers_record;
pub mod publish;
mod tags;

pub use configuration_set::{ConfigurationSets, EVENT_TYPES, Error, EventDestination};
pub use event::{Bounce, BounceType, BouncedRecipient, Complaint, DelayedRecipient, Delivery, DeliveryDelay, Event};
pub use publish::publish_event;
