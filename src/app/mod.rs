//! Builds everything, starts it and stops it.
pub mod admin;
mod admin_suppression;
mod data_dir;
mod decrypt;
mod descriptors;
mod master_key;
mod parts;
mod start;
mod ways;

pub use decrypt::decrypt_object;
pub use parts::Parts;
pub use start::{Addresses, App, StartError};
