//! Builds everything, starts it and stops it.
pub mod admin;
mod admin_suppression;
mod classify;
mod data_dir;
mod decrypt;
mod greeting;
mod log;
mod master_key;
mod parts;
mod private;
mod process;
mod signals;
mod site;
mod smtp_listeners;
mod start;
mod steady;
mod ways;

pub use classify::{Asked as AskedOfRules, classify};
pub use decrypt::decrypt_object;
pub use greeting::greeting;
pub use log::{LogFilter, check_filter, start_log};
pub use parts::Parts;
pub use private::warn_if_open;
pub use process::use_small_pages;
pub use signals::{Asked, Signals};
pub use start::{Addresses, App, StartError};
