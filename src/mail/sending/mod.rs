//! Sending: the one door for the API and SMTP submission, our own mails, and the way to the recipient's server.
pub mod accept;
mod checks;
mod error;
pub mod quota;
pub mod resolver;
pub mod schedule;
pub mod system;
pub mod transport;
pub mod verdict;

pub use accept::{Sending, Settings, Submission};
pub use error::SendError;
pub use quota::{Limits, Quota};
