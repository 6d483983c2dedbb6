//! Sending: the one door for the API and SMTP submission, and our own mails.
pub mod accept;
mod checks;
mod error;
pub mod quota;
pub mod system;

pub use accept::{Sending, Settings, Submission};
pub use error::SendError;
pub use quota::{Limits, Quota};
//! Sending: the door for everything that is sent, and the way from there to the recipient's server.
pub mod resolver;
pub mod schedule;
pub mod transport;
pub mod verdict;
