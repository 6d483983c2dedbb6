//! Builds everything, starts it and stops it.
pub mod admin;
mod certificate;
mod check;
mod data_dir;
mod greeting;
mod lineage;
mod log;
mod master_key;
mod parts;
mod private;
mod process;
mod server_file;
mod signals;
mod site;
mod smtp_listeners;
mod start;
mod steady;
mod ways;

pub use check::{check_settings, unreachable};
pub use greeting::greeting;
pub use log::{LogFilter, start_log};
pub use parts::Parts;
pub use private::warn_if_open;
pub use process::use_small_pages;
pub use signals::{Asked, Signals};
pub use start::{Addresses, App, StartError};
