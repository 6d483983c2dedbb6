//! Builds everything, starts it and stops it.
pub mod admin;
mod admin_suppression;
mod data_dir;
mod decrypt;
mod master_key;
mod parts;
mod process;
mod start;
mod ways;

pub use decrypt::decrypt_object;
pub use parts::Parts;
pub use process::use_small_pages;
pub use start::{Addresses, App, StartError};
