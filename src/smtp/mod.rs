//! The SMTP server: mail that comes in (`Inbound`, the MX), mail that our own users hand over (`Submission`), and on a developer's
//! machine mail of anybody (`Capture`).
//!
//! The protocol does no I/O: [`session::Session`] is fed bytes and gives events, `connection` does what they ask for, and
//! [`Upstream`] is all that either knows of the floors below.
pub mod auth;
mod catcher;
pub mod command;
mod connection;
pub mod data;
mod gate;
pub mod limits;
pub mod line;
pub mod listener;
pub mod parameters;
mod post_office;
pub mod reply;
pub mod session;
pub mod tls;
pub mod trace;
pub mod upstream;
mod validity;

pub use auth::{KeyHolder, Login, Principal};
pub use catcher::Catcher;
pub use limits::Limits;
pub use listener::{Listener, Service};
pub use post_office::PostOffice;
pub use session::Mode;
pub use tls::Tls;
pub use upstream::{InboundMessage, Refusal, SubmittedMessage, Upstream};
