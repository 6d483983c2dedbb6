//! Settings: what can be set, where it comes from, its default and its unit.
mod address;
mod dev;
mod doors;
mod encryption;
mod feedback;
mod file;
mod given;
mod hostname;
mod objects;
mod octets;
mod outlets;
mod settings;
mod smtp;

pub use address::Listen;
pub use dev::{Dev, DevGiven};
pub use doors::Doors;
pub use encryption::{Encryption, KmsKey, KmsState};
pub use feedback::{Feedback, FeedbackGiven};
pub use given::{DatabaseFrom, Given};
pub use objects::{ObjectStoreKind, Objects};
pub use octets::Octets;
pub use outlets::{EventBuses, Functions, Gateways, Streams};
pub use settings::{Mode, Problem, Settings};
pub use smtp::SmtpClients;
