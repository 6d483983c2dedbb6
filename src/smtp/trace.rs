//! The trace field on top of what our users hand over (RFC 5321, 4.4). Mail that comes in gets its field from the receiving
//! floor, which knows its id there.
use std::net::IpAddr;

use crate::base::{EmailAddress, Timestamp};

/// What the `Received` field tells.
#[derive(Debug)]
pub struct Hop<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    /// Where it connects from.
    pub peer: IpAddr,
    /// Our name.
    pub host: &'a str,
    /// With SMTPUTF8.
    pub smtputf8: bool,
    /// Our name for this message, in the log too.
    pub id: &'a str,
    /// The recipient, if there is only one: the others are nobody's business.
    pub only: Option<&'a EmailAddress>,
    /// When.
    pub at: Timestamp,
}

impl Hop<'_> {
    /// The field with its CRLF.
    pub fn field(&self) -> String {
        let helo: String = self.helo.chars().map(|c| if plain(c) { c } else { '?' }).collect();
        let peer = match self.peer {
            IpAddr::V4(ip) => format!("[{ip}]"),
            IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
        };
        let (host, with, id, date) = (self.host, self.protocol(), self.id, self.at.rfc2822());
        let only = self.only.map(|to| format!("\r\n\tfor <{to}>")).unwrap_or_default();
        format!("Received: from {helo} ({peer})\r\n\tby {host} with {with}\r\n\tid {id}{only};\r\n\t{date}\r\n")
    }

    /// The protocol's registered name (RFC 3848; RFC 6531, 4.3): after TLS and AUTH there are only these two.
    fn protocol(&self) -> &'static str {
        if self.smtputf8 { "UTF8SMTPSA" } else { "ESMTPSA" }
    }
}

fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._:[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_says_where_the_message_came_from_and_cannot_be_abused() {
        let only = "b@example.com".parse().expect("an address");
        let mut hop = Hop {
            helo: "client.example",
            peer: "192.0.2.7".parse().expect("an address"),
            host: "mx.example",
            smtputf8: false,
            id: "abc.1",
            only: Some(&only),
            at: Timestamp::from_secs(1_767_323_045),
        };
        assert_eq!(
            hop.field(),
            "Received: from client.example ([192.0.2.7])\r\n\tby mx.example with ESMTPSA\r\n\tid abc.1\r\n\tfor \
             <b@example.com>;\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n"
        );
        hop = Hop { helo: "x)(;\"<y>", peer: "::1".parse().expect("an address"), only: None, smtputf8: true, ..hop };
        assert!(
            hop.field()
                .starts_with("Received: from x?????y? ([IPv6:::1])\r\n\tby mx.example with UTF8SMTPSA\r\n\tid abc.1;")
        );
    }
}
