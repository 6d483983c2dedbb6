//! The ways out that topics and mail share: functions that are invoked, streams into the object store, event buses,
//! gateways.
pub mod barred;
pub mod buses;
pub mod client;
pub mod envelope;
pub mod functions;
pub mod gateway;
pub mod object;
pub mod objects;
pub mod remote;
pub mod signature;
pub mod streams;

pub use barred::Barred;
pub use buses::EventBuses;
pub use functions::Functions;
pub use gateway::Gateway;
pub use objects::Objects;
pub use streams::Streams;
