//! Where a subscription delivers to: its protocol and endpoint. Only the form is checked here; whether an HTTP endpoint
//! may be reached is decided at each delivery, after its name was looked up.
use reqwest::Url;

use crate::base::words::words;
use crate::base::{AccountId, Arn, EmailAddress};
use crate::outlets::{functions, streams};
use crate::topics::Error;

/// The protocols of SNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// POST over HTTP.
    Http,
    /// POST over HTTPS.
    Https,
    /// A queue of this server.
    Sqs,
    /// A function of the settings.
    Lambda,
    /// A mail with the text.
    Email,
    /// A mail with the JSON envelope.
    EmailJson,
    /// A text message to a phone.
    Sms,
    /// A push message to an app on a device.
    Application,
    /// A delivery stream of the settings.
    Firehose,
}

words!(Protocol {
    Http => "http",
    Https => "https",
    Sqs => "sqs",
    Lambda => "lambda",
    Email => "email",
    EmailJson => "email-json",
    Sms => "sms",
    Application => "application",
    Firehose => "firehose",
});

impl Protocol {
    /// Reads SNS's name of the protocol.
    pub fn parse(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Whether messages go out by POST to the subscriber's own address.
    pub fn is_web(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    /// Whether messages go out by mail.
    pub fn is_mail(self) -> bool {
        matches!(self, Self::Email | Self::EmailJson)
    }

    /// Whether the endpoint has to say that it wants to be subscribed, whoever subscribes it.
    pub fn needs_confirmation(self) -> bool {
        self.is_web() || self.is_mail()
    }

    /// Whether messages may come without an envelope (SNS developer guide, "Raw message delivery").
    pub fn may_be_raw(self) -> bool {
        self.is_web() || matches!(self, Self::Sqs | Self::Firehose)
    }
}

/// Checks that `endpoint` has the form that `protocol` wants.
pub fn check(protocol: Protocol, endpoint: &str) -> Result<(), Error> {
    match protocol {
        Protocol::Http | Protocol::Https => web(protocol, endpoint).map(drop),
        Protocol::Sqs => queue(endpoint).map(drop),
        Protocol::Lambda => function(endpoint).map(drop),
        Protocol::Email | Protocol::EmailJson => address(endpoint).map(drop),
        Protocol::Sms => phone(endpoint),
        Protocol::Application => device(endpoint).map(drop),
        Protocol::Firehose => stream(endpoint).map(drop),
    }
}

/// Whether the endpoint has to say that it wants to be subscribed by this account: a queue whose owner subscribes it wants it,
/// one that others subscribe is asked (SNS developer guide, "Sending Amazon SNS messages to an Amazon SQS queue in a different
/// account").
pub fn is_asked(protocol: Protocol, endpoint: &str, subscriber: &AccountId) -> bool {
    let foreign = || queue(endpoint).is_ok_and(|queue| queue.account != *subscriber);
    protocol.needs_confirmation() || (protocol == Protocol::Sqs && foreign())
}

/// The ARN of a function endpoint.
pub fn function(endpoint: &str) -> Result<Arn, Error> {
    let arn: Arn = endpoint.parse().map_err(|_| Error::Endpoint("Lambda endpoint ARN"))?;
    if functions::name_of(&arn).is_some() { Ok(arn) } else { Err(Error::Endpoint("Lambda endpoint ARN")) }
}

/// The ARN of a delivery stream endpoint.
pub fn stream(endpoint: &str) -> Result<Arn, Error> {
    let arn: Arn = endpoint.parse().map_err(|_| Error::Endpoint("Firehose endpoint ARN"))?;
    if streams::name_of(&arn).is_some() { Ok(arn) } else { Err(Error::Endpoint("Firehose endpoint ARN")) }
}

/// The ARN of an app on a device: `endpoint/PLATFORM/APPLICATION/ID`.
pub fn device(endpoint: &str) -> Result<Arn, Error> {
    let wrong = || Error::Endpoint("Application endpoint arn invalid");
    let arn: Arn = endpoint.parse().map_err(|_| wrong())?;
    let parts: Vec<&str> = arn.resource.split('/').collect();
    match parts.as_slice() {
        ["endpoint", platform, application, id]
            if arn.service == "sns" && ![platform, application, id].iter().any(|part| part.is_empty()) =>
        {
            Ok(arn)
        }
        _ => Err(wrong()),
    }
}

/// The address of a mail endpoint.
pub fn address(endpoint: &str) -> Result<EmailAddress, Error> {
    endpoint.parse().map_err(|_| Error::Endpoint("Email address"))
}

/// A phone number in E.164 form: `+` and 7 to 15 digits, the first not 0.
pub fn phone(number: &str) -> Result<(), Error> {
    let digits = number.strip_prefix('+').unwrap_or_default();
    let fine =
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if fine { Ok(()) } else { Err(Error::Phone(number.chars().take(32).filter(|c| !c.is_control()).collect())) }
}

/// The URL of an HTTP endpoint: of the protocol's scheme, `://` and a host, at most 2,048 bytes, no white space.
pub fn web(protocol: Protocol, endpoint: &str) -> Result<Url, Error> {
    let begins = endpoint.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case(protocol.as_str()));
    // `Url` drops tabs and line breaks silently, so they are looked for first.
    let visible = endpoint.len() <= 2_048 && !endpoint.chars().any(|c| c.is_control() || c.is_whitespace());
    let url = Url::parse(endpoint)
        .ok()
        .filter(|url| begins && visible && url.scheme() == protocol.as_str() && url.has_host());
    url.ok_or(Error::EndpointScheme)
}

/// An endpoint as it is shown: in the place of a password stands `****`, as on AWS.
pub fn shown(endpoint: &str) -> String {
    let parsed = if endpoint.contains('@') { Url::parse(endpoint).ok() } else { None };
    let Some(mut url) = parsed.filter(|url| url.password().is_some()) else { return endpoint.to_owned() };
    // As it was written but for the password, where it is written as most write it.
    let written = || {
        let (scheme, rest) = endpoint.split_once("://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}://{name}:****@{host}{path}"))
    };
    written().unwrap_or_else(|| {
        let _ = url.set_password(Some("****"));
        url.to_string()
    })
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
    fn passwords_are_not_shown() {
        for (endpoint, shown_as) in [
            ("https://ann:secret@Example.com/hook?a@b:c", "https://ann:****@Example.com/hook?a@b:c"),
            ("http://ann:a@b:c@example.com:8080", "http://ann:****@example.com:8080"),
            ("https://:secret@example.com/", "https://:****@example.com/"),
            ("https://ann@example.com/a:b@c", "https://ann@example.com/a:b@c"),
            ("https://example.com/?u=x:y@z", "https://example.com/?u=x:y@z"),
            ("https:ann:secret@example.com", "https://ann:****@example.com/"),
            ("https:///ann:secret@example.com/", "https://ann:****@example.com/"),
            ("https:\\\\ann:secret@example.com\\x", "https://ann:****@example.com/x"),
            ("ann@example.com", "ann@example.com"),
            ("arn:aws:sqs:us-east-1:123456789012:orders", "arn:aws:sqs:us-east-1:123456789012:orders"),
        ] {
            assert_eq!(shown(endpoint), shown_as);
        }
    }

    #[test]
    fn endpoints_must_have_the_form_of_their_protocol() {
        for (protocol, endpoint) in [
            (Protocol::Http, "http://example.com/hook?x=1"),
            (Protocol::Http, "http://127.0.0.1:8080"),
            (Protocol::Https, "https://user:word@example.com/"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:orders"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:orders.fifo"),
            (Protocol::Lambda, "arn:aws:lambda:us-east-1:123456789012:function:resize:live"),
            (Protocol::Email, "ann@example.com"),
            (Protocol::EmailJson, "ann@example.com"),
            (Protocol::Sms, "+15550100"),
            (Protocol::Application, "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app/5e3e9847-3183-3f18"),
            (Protocol::Firehose, "arn:aws:firehose:us-east-1:123456789012:deliverystream/events"),
        ] {
            assert_eq!(Protocol::parse(protocol.as_str()), Some(protocol));
            assert!(check(protocol, endpoint).is_ok(), "{endpoint}");
        }
        for (protocol, endpoint) in [
            (Protocol::Http, "https://example.com/"),
            (Protocol::Https, "http://example.com/"),
            (Protocol::Http, "http://"),
            (Protocol::Http, "http:example.com"),
            (Protocol::Http, "http:\\\\ann:secret@example.com"),
            (Protocol::Http, "http://exa\nmple.com/"),
            (Protocol::Http, "http://example.com/a b"),
            (Protocol::Http, "file:///etc/passwd"),
            (Protocol::Sqs, "arn:aws:sns:us-east-1:123456789012:orders"),
            (Protocol::Sqs, "http://example.com/"),
            (Protocol::Sqs, "arn:aws:sqs:us-east-1:123456789012:.fifo"),
            (Protocol::Lambda, "arn:aws:lambda:us-east-1:123456789012:layer:resize"),
            (Protocol::Lambda, "resize"),
            (Protocol::Email, "ann@example.com\r\nBcc: bob@example.com"),
            (Protocol::Email, "ann"),
            (Protocol::Sms, "5550100"),
            (Protocol::Sms, "+1 555 0100"),
            (Protocol::Application, "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/app"),
            (Protocol::Firehose, "arn:aws:firehose:us-east-1:123456789012:stream/events"),
        ] {
            assert!(check(protocol, endpoint).is_err(), "{endpoint}");
        }
        let long = format!("http://example.com/{}", "a".repeat(2_048));
        assert!(check(Protocol::Http, &long).is_err());
    }
}
