//! Marks: every token that leaves the house and is known again when it comes back. Today they stand in return paths and in a header
//! field of what goes out.
mod key;
mod mark;
mod return_path;

pub use mark::{Mark, Marks};
pub use return_path::{Purpose, ReturnPaths};
