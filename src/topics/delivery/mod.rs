//! Deliveries over HTTP: what may be reached, when a failed one is tried again, and the worker that posts.
mod letter;
pub mod policy;
mod post;
mod reach;
pub mod schedule;
mod verdict;
mod worker;

pub use post::{Posted, Poster};
pub use reach::Reach;
pub use worker::Deliverer;
