//! Deliveries over HTTP: what may be reached, when a failed one is tried again, and the worker that posts.
pub mod policy;
pub mod reach;
pub mod schedule;

pub use reach::Reach;
