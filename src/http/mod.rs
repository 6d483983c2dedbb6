//! HTTP: the listener, the AWS endpoint on it, health and metrics; a router that others add their pages to.
mod aws_endpoint;
mod body;
mod connection;
pub mod deliveries;
mod desk;
pub mod dev_state;
mod exposition;
mod figures;
mod health;
pub mod home;
mod hosts;
pub mod inbox;
mod json;
pub mod links;
mod listener;
#[cfg(test)]
mod listener_tests;
mod meters;
mod metrics;
mod page;
pub mod peek;
mod peer;
mod query;
mod room;
mod routes;
mod stalled;
pub mod subscriptions;
pub mod verification;

pub use aws_endpoint::AwsEndpoint;
pub use figures::Figures;
pub use health::{Beside, Health};
pub use hosts::Hosts;
pub use json::json;
pub use listener::{Bounds, Listener};
pub use metrics::Metrics;
pub use peer::Peer;
pub use routes::{Routes, Site};
