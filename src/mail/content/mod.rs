//! Configuration sets and the events that they publish.
mod bridge;
pub mod configuration_set;
pub mod destination;
pub mod event;
#[cfg(test)]
mod event_tests;
pub mod feedback;
mod forwarding;
mod metrics;
mod prepared;
pub mod publish;
mod tags;
pub mod template;
pub mod templates;

pub use configuration_set::{ConfigurationSets, Error, NameFault, check_name};
pub use destination::{NewDestination, exactly_one};
pub use event::{Bounce, BouncedRecipient, Complaint, DelayedRecipient, Delivery, DeliveryDelay, Event};
pub use feedback::Feedback;
pub use prepared::{Data, Prepared};
pub use publish::{publish_event, tells_delivery};
pub use template::data::Data as TemplateData;
pub use template::{Template, TemplateError};
pub use templates::Templates;

pub use crate::store::configuration_sets::SetOptions;
pub use crate::store::event_destinations::{Dimension, DimensionSource, Target};
