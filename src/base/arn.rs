//! Accounts, regions and ARNs: `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is wrong with a text that should have been an account id, a region or an ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct NotValid(String, &'static str);

macro_rules! checked_text {
    ($name:ident, $what:literal, $check:expr) => {
        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotValid;
            fn from_str(text: &str) -> Result<Self, NotValid> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(NotValid(text.to_owned(), $what)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotValid;
            fn try_from(text: String) -> Result<Self, NotValid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// An AWS account id: 12 digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

checked_text!(AccountId, "an account id of 12 digits", |t| t.len() == 12 && t.bytes().all(|b| b.is_ascii_digit()));

impl AccountId {
    /// The account of a developer's machine, 000000000000.
    pub fn development() -> Self {
        Self("000000000000".to_owned())
    }
}

/// A region's name, such as `us-east-1`: up to 32 lower-case letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

checked_text!(Region, "a region's name", |t| (1..=32).contains(&t.len())
    && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));

impl Region {
    /// The region where none is named, us-east-1.
    pub fn default_region() -> Self {
        Self("us-east-1".to_owned())
    }
}

/// A resource's full name. Its parts hold no surprises: service, region and account have no `:`; the resource may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    /// `sqs`, `sns`, `ses`.
    pub service: String,
    /// The region that the resource lives in.
    pub region: Region,
    /// The account that owns the resource.
    pub account: AccountId,
    /// What the service calls it: a queue's name, `topic:subscription-id`, `identity/example.com`.
    pub resource: String,
}

impl Arn {
    /// Makes the ARN of `resource`.
    pub fn new(service: &str, region: &Region, account: &AccountId, resource: impl Into<String>) -> Self {
        Self {
            service: service.to_owned(),
            region: region.clone(),
            account: account.clone(),
            resource: resource.into(),
        }
    }
}

impl FromStr for Arn {
    type Err = NotValid;
    fn from_str(text: &str) -> Result<Self, NotValid> {
        let wrong = || NotValid(text.to_owned(), "an ARN");
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or_else(wrong);
        if next()? != "arn" || !next()?.starts_with("aws") {
            return Err(wrong());
        }
        let service = next()?.to_owned();
        let region = next()?.parse()?;
        let account = next()?.parse()?;
        let resource = next()?.to_owned();
        if service.is_empty() || resource.is_empty() {
            return Err(wrong());
        }
        Ok(Self { service, region, account, resource })
    }
}

impl TryFrom<String> for Arn {
    type Error = NotValid;
    fn try_from(text: String) -> Result<Self, NotValid> {
        text.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> String {
        arn.to_string()
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { service, region, account, resource } = self;
        write!(f, "arn:aws:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_survives_a_round_trip_and_a_broken_one_is_refused() {
        let text = "arn:aws:sns:eu-west-1:123456789012:orders:5be1-77";
        let arn: Arn = text.parse().expect("a good ARN");
        assert_eq!((arn.service.as_str(), arn.resource.as_str()), ("sns", "orders:5be1-77"));
        assert_eq!(arn.to_string(), text);
        for bad in [
            "",
            "arn",
            "arn:aws:sqs:us-east-1:123456789012",
            "arn:aws:sqs:us-east-1:12:q",
            "arn:aws:sqs:US:123456789012:q",
        ] {
            assert!(bad.parse::<Arn>().is_err(), "{bad}");
        }
    }
}
