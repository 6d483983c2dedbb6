//! The ways out that topics and mail share: functions that are invoked.
pub mod client;
pub mod functions;

pub use functions::Functions;
