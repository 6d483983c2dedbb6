//! Messages as bytes (RFC 5322 and MIME): composing them, and reading and rewriting the header of those that come whole.
mod authors;
pub mod body_hash;
pub mod canonical;
pub mod compose;
pub(in crate::mail) mod decoding;
pub mod dkim;
#[cfg(test)]
mod dkim_tests;
mod error;
pub mod fields;
#[cfg(test)]
mod fields_tests;
pub mod headers;
pub mod headers_record;
mod leaves;
pub(in crate::mail) mod line_ends;
pub mod mailbox;
pub mod mime;
pub mod parse;
pub mod parts;
pub mod recipients;
pub mod recode;
pub mod report;
pub mod rewrite;
mod shape;

pub use compose::{Attachment, Disposition, Draft, compose};
pub use error::Error;
pub use mailbox::Mailbox;
pub use recipients::Recipients;
pub use rewrite::{Finished, Known, Stamp, finish, finish_knowing};
