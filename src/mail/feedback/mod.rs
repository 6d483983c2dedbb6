//! Feedback: what comes back from the world. Return paths and marks that tie it to a mail, the reading of bounces and
//! complaints, and what is done about them.
pub mod automatic;
pub mod complaint;
pub mod dsn;
mod html;
pub mod judged;
pub mod letter;
pub mod loose;
mod passage;
mod record;
pub mod report;
#[cfg(test)]
mod reports_tests;
pub mod returned;
mod speech;

pub use returned::Returned;
