//! Sending: the door for everything that is sent, and the way from there to the recipient's server.
pub mod capture;
pub mod resolver;
pub mod schedule;
pub mod transport;
pub mod verdict;
