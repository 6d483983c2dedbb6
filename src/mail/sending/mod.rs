//! Sending: the one door for the API and SMTP submission, our own mails, and the way to the recipient's server.
//! Sending: the one door for the API, SMTP submission and our own mails, and the way from there to the recipient's server.
pub mod accept;
pub mod capture;
mod checked;
mod checks;
mod error;
pub mod notices;
pub mod outbound;
pub mod quota;
mod record;
pub mod resolver;
mod retention;
pub mod schedule;
pub mod system;
pub mod transport;
pub mod verdict;

pub use accept::{Grants, Sending, Settings, Submission};
pub use error::SendError;
pub use notices::Notices;
pub use outbound::Outbound;
pub use quota::{Limits, Quota};
