//! Of a mail that is checked: who sent it, as the client said.
use std::net::IpAddr;

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// What the client called itself.
    pub helo: &'a str,
    /// The reverse path; empty for the null one.
    pub source: &'a str,
}
