//! One SMTP session as a state machine without I/O: bytes in, replies and [`Event`]s out (RFC 5321, 3 and 4.1.4).
mod login;
mod machine;
mod transfer;
mod verbs;

#[cfg(test)]
mod reference_tests;
#[cfg(test)]
mod submission_tests;
#[cfg(test)]
mod tests;

pub use machine::{Event, Mode, Session, Site, Wants};
