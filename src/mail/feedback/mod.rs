//! Feedback: what comes back from the world. Return paths and marks that tie it to a mail, the reading of bounces and
//! complaints, and what is done about them.
pub mod automatic;
pub mod complaint;
pub mod dsn;
mod html;
pub mod judged;
mod key;
pub mod letter;
pub mod loose;
pub mod mark;
mod passage;
mod record;
pub mod report;
#[cfg(test)]
mod reports_tests;
pub mod return_path;
pub mod returned;
mod speech;

pub use mark::{Mark, Marks};
pub use return_path::{Purpose, ReturnPaths};
pub use returned::Returned;
