//! Addresses as people write them: where a listener is to be, and where a name server is.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, de};

/// The port of DNS.
const DNS: u16 = 53;

/// Where a listener is to be. Written as `IP:PORT`, `localhost:PORT`, `:PORT` (all addresses of IPv4), `PORT` (this machine alone) or
/// `none`; a port of 0 is one that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    None,
    /// At this address.
    At(SocketAddr),
}

impl Listen {
    /// The address, if there is to be a listener.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::None => None,
            Self::At(address) => Some(address),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

/// Text that is no address in any of the forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: write {1}")]
pub struct NoAddress(String, &'static str);

impl FromStr for Listen {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let forms = "IP:PORT, localhost:PORT, :PORT for all addresses, PORT for this machine alone, or none";
        let wrong = || NoAddress(text.to_owned(), forms);
        if text == "none" {
            return Ok(Self::None);
        }
        if let Ok(port) = text.parse() {
            return Ok(Self::At(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        }
        if let Some(port) = text.strip_prefix(':').and_then(|port| port.parse().ok()) {
            return Ok(Self::At(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))));
        }
        with_port(text).map(Self::At).ok_or_else(wrong)
    }
}

/// `IP:PORT`, or `localhost:PORT`.
fn with_port(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().ok()?))),
        None => text.parse().ok(),
    }
}

/// A name server: `IP` or `IP:PORT` (`[IP]:PORT` for IPv6), `localhost:PORT`; without a port, DNS's own.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, NoAddress> {
    let alone = text.parse::<IpAddr>().ok().map(|ip| SocketAddr::from((ip, DNS)));
    alone.or_else(|| with_port(text)).ok_or_else(|| NoAddress(text.to_owned(), "IP, IP:PORT or localhost:PORT"))
}

/// A list of name servers in the file of settings.
pub(super) fn name_servers<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<SocketAddr>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| name_server(text).map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Form;
        impl Visitor<'_> for Form {
            type Value = Listen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"127.0.0.1:4566\", a port, or \"none\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Listen, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, port: i64) -> Result<Listen, E> {
                port.to_string().parse().map_err(E::custom)
            }
        }
        from.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_addresses_in_several_forms() {
        for (text, address) in [
            ("127.0.0.1:4566", "127.0.0.1:4566"),
            ("localhost:4566", "127.0.0.1:4566"),
            ("4566", "127.0.0.1:4566"),
            (":4566", "0.0.0.0:4566"),
            ("[::1]:25", "[::1]:25"),
            ("0", "127.0.0.1:0"),
        ] {
            assert_eq!(text.parse(), Ok(Listen::At(address.parse().expect("an address"))), "{text}");
        }
        assert_eq!("none".parse(), Ok(Listen::None));
        for text in ["", "70000", "mail.example.com:25", "1.1.1.1", "localhost", "::1", "None"] {
            let problem = text.parse::<Listen>().expect_err(text).to_string();
            assert!(problem.contains("write IP:PORT, localhost:PORT, :PORT"), "{problem}");
        }
    }

    #[test]
    fn a_name_server_needs_no_port() {
        for (text, address) in [
            ("1.1.1.1", "1.1.1.1:53"),
            ("1.1.1.1:5353", "1.1.1.1:5353"),
            ("::1", "[::1]:53"),
            ("localhost:8600", "127.0.0.1:8600"),
        ] {
            assert_eq!(name_server(text), Ok(address.parse().expect("an address")), "{text}");
        }
        assert!(name_server("dns.example.com").expect_err("a name").to_string().contains("write IP, IP:PORT"));
    }
}
