//! Where a subscription delivers to: its protocol and endpoint. Only the form is checked here; whether an HTTP endpoint
//! may be reached is decided at each delivery, after its name was looked up.
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::base::Arn;
use crate::topics::Error;

/// The protocols that have a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// POST over HTTP.
    Http,
    /// POST over HTTPS.
    Https,
    /// A queue of this server.
    Sqs,
}

impl Protocol {
    /// Reads SNS's name of the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "sqs" => Some(Self::Sqs),
            _ => None,
        }
    }

    /// SNS's name of the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Sqs => "sqs",
        }
    }

    /// Whether messages go out by POST, and so are confirmed by their endpoint.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }
}

/// Checks that `endpoint` has the form that `protocol` wants.
pub fn check(protocol: Protocol, endpoint: &str) -> Result<(), Error> {
    if protocol.is_web() { web(protocol, endpoint).map(drop) } else { queue(endpoint).map(drop) }
}

/// The URL of an HTTP endpoint: of the protocol's scheme, with a host, at most 2,048 bytes, no white space.
pub fn web(protocol: Protocol, endpoint: &str) -> Result<Url, Error> {
    // `Url` drops tabs and line breaks silently, so they are looked for first.
    let visible = endpoint.len() <= 2_048 && !endpoint.chars().any(|c| c.is_control() || c.is_whitespace());
    let url = Url::parse(endpoint).ok().filter(|url| visible && url.scheme() == protocol.as_str() && url.has_host());
    url.ok_or(Error::EndpointScheme)
}

/// The ARN of a queue endpoint, standard or FIFO.
pub fn queue(endpoint: &str) -> Result<Arn, Error> {
    let arn: Arn = endpoint.parse().map_err(|_| Error::EndpointQueue)?;
    let name = arn.resource.strip_suffix(".fifo").unwrap_or(&arn.resource);
    let name_ok = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if arn.service != "sqs" || !name_ok || arn.resource.len() > 80 {
        return Err(Error::EndpointQueue);
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_must_have_the_form_of_their_protocol() {
        for (protocol, endpoint) in [
            (Protocol::Http, "http://example.com/hook?x=1"),
            (Protocol::Http, "http://127.0.0.1:8080"),
            (Protocol::Https, "https://user:word@example.com/"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:orders"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:orders.fifo"),
        ] {
            assert!(check(protocol, endpoint).is_ok(), "{endpoint}");
        }
        for (protocol, endpoint) in [
            (Protocol::Http, "https://example.com/"),
            (Protocol::Https, "http://example.com/"),
            (Protocol::Http, "http://"),
            (Protocol::Http, "http://exa\nmple.com/"),
            (Protocol::Http, "http://example.com/a b"),
            (Protocol::Http, "file:///etc/passwd"),
            (Protocol::Sqs, "arn:aws:sns:us-east-1:123456789012:orders"),
            (Protocol::Sqs, "http://example.com/"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:.fifo"),
        ] {
            assert!(check(protocol, endpoint).is_err(), "{endpoint}");
        }
        let long = format!("http://example.com/{}", "a".repeat(2_048));
        assert!(check(Protocol::Http, &long).is_err());
    }
}
