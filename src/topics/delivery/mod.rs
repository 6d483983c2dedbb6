//! Deliveries: what may be reached, when a failed one is tried again, and the worker that carries messages to where they go.
mod bus;
mod carry;
mod challenge;
mod direct;
mod function_event;
pub(in crate::topics) mod history;
mod letter;
mod parcel;
pub mod policy;
mod post;
pub mod schedule;
pub mod signed;
mod traffic;
#[cfg(test)]
mod traffic_tests;
mod verdict;
mod worker;

pub(in crate::topics) use parcel::Found;
pub use post::{Lookup, Posted, Poster};
pub use worker::Deliverer;
