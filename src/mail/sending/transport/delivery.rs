//! The delivery setting: `capture`, `mx`, `relay://host:port` or `relay://user:password@host:port`.
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::base::Secret;

/// What happens to outbound mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is kept for the inbox and goes nowhere; counts as delivered.
    Capture,
    /// It goes to the mail hosts of the recipient's domain. TLS is used where it is offered; certificates are not
    /// verified, because without DANE or MTA-STS nothing says which name to verify (RFC 7435).
    Mx,
    /// It goes to a smart host.
    Relay(Relay),
}

/// A smart host. Without a login TLS is used where it is offered, as with `mx`. With one it is required and the
/// certificate must verify (Mozilla's roots, the host's name), so that the password reaches nobody else; only with a host
/// on loopback may the login go in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// A name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Who we are to it.
    pub login: Option<Login>,
}

/// A user and a password for AUTH PLAIN or LOGIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// The text is none of the forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("delivery must be capture, mx, relay://host:port or relay://user:password@host:port: {0}")]
pub struct BadDelivery(&'static str);

impl FromStr for Delivery {
    type Err = BadDelivery;
    fn from_str(text: &str) -> Result<Self, BadDelivery> {
        match text {
            "capture" => Ok(Self::Capture),
            "mx" => Ok(Self::Mx),
            _ => {
                let rest = text.strip_prefix("relay://").ok_or(BadDelivery("unknown mode"))?;
                Ok(Self::Relay(relay(rest.strip_suffix('/').unwrap_or(rest))?))
            }
        }
    }
}

fn relay(text: &str) -> Result<Relay, BadDelivery> {
    let (login, place) = match text.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, text),
    };
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').ok_or(BadDelivery("a user needs a password"))?;
        let (user, password) = (decoded(user)?, decoded(password)?);
        if user.is_empty() || password.is_empty() {
            return Err(BadDelivery("the user or the password is empty"));
        }
        Ok(Login { user, password: Secret::new(password) })
    });
    let (host, port) = place.rsplit_once(':').ok_or(BadDelivery("the port is missing"))?;
    let port =
        port.parse().ok().filter(|port| *port != 0).ok_or(BadDelivery("the port is not a number from 1 to 65535"))?;
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let fine = match inner {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)),
    };
    if !fine {
        return Err(BadDelivery("the host is not a name or an address"));
    }
    Ok(Relay { host: inner.unwrap_or(host).to_owned(), port, login: login.transpose()? })
}

fn decoded(text: &str) -> Result<String, BadDelivery> {
    let bad = BadDelivery("the user or the password is not UTF-8 text without control characters");
    let text = percent_decode_str(text).decode_utf8().map_err(|_| bad.clone())?;
    if text.chars().any(char::is_control) { Err(bad) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_settings_are_read() {
        let relay = |host: &str, port, login: Option<(&str, &str)>| {
            let login = login.map(|(user, password)| Login { user: user.into(), password: Secret::new(password) });
            Delivery::Relay(Relay { host: host.into(), port, login })
        };
        for (text, delivery) in [
            ("capture", Delivery::Capture),
            ("mx", Delivery::Mx),
            ("relay://smart.example:587", relay("smart.example", 587, None)),
            ("relay://127.0.0.1:1025/", relay("127.0.0.1", 1025, None)),
            ("relay://[::1]:25", relay("::1", 25, None)),
            ("relay://me%40x:p%3Aw@smart:25", relay("smart", 25, Some(("me@x", "p:w")))),
        ] {
            assert_eq!(text.parse::<Delivery>(), Ok(delivery), "{text}");
        }
    }

    #[test]
    fn bad_settings_are_refused_with_the_reason_and_without_the_password() {
        for text in [
            "",
            "smtp://a:1",
            "relay://",
            "relay://host",
            "relay://host:0",
            "relay://host:99999",
            "relay://:25",
            "relay://hunter2@host:25",
            "relay://user:@host:25",
            "relay://u:hunter2%0a@host:25",
            "relay://u:hunter2@ho st:25",
            "relay://[nope]:25",
        ] {
            let error = text.parse::<Delivery>().expect_err(text).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
