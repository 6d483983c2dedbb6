//! Condition operators: how a value of the request is compared with one of the policy.
use std::net::IpAddr;

use ipnet::IpNet;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::access::policy::pattern::{fits, fits_arn};

/// Which comparison. `negated` operators want that no value of the policy compares; see `Test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Arn,
    IpAddress,
    Bool,
    Numeric(Order),
    Date(Order),
    /// Whether the key is absent.
    Null,
}

/// How two numbers or times stand to each other: request first, policy second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator as a policy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operator {
    pub compare: Compare,
    /// Holds when no value compares, or the key is absent.
    pub negated: bool,
    /// Holds when the key is absent.
    pub if_exists: bool,
    /// How many of a key's values must compare.
    pub set: Option<Set>,
}

/// The operators for keys with several values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

impl Operator {
    /// Reads the name.
    pub(super) fn read(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", name)) => (Some(Set::All), name),
            Some(("ForAnyValue", name)) => (Some(Set::Any), name),
            Some(_) => return None,
        };
        let (name, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |name| (name, true));
        let (compare, negated) = match name {
            "StringEquals" => (Compare::StringEquals, false),
            "StringNotEquals" => (Compare::StringEquals, true),
            "StringEqualsIgnoreCase" => (Compare::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Compare::StringEqualsIgnoreCase, true),
            "StringLike" => (Compare::StringLike, false),
            "StringNotLike" => (Compare::StringLike, true),
            // These two are the same (IAM user guide, "ARN condition operators").
            "ArnEquals" | "ArnLike" => (Compare::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Compare::Arn, true),
            "IpAddress" => (Compare::IpAddress, false),
            "NotIpAddress" => (Compare::IpAddress, true),
            "Bool" => (Compare::Bool, false),
            "Null" if !if_exists => (Compare::Null, false),
            "NumericNotEquals" => (Compare::Numeric(Order::Equals), true),
            "DateNotEquals" => (Compare::Date(Order::Equals), true),
            _ => match (name.strip_prefix("Numeric"), name.strip_prefix("Date")) {
                (Some(order), _) => (Compare::Numeric(Order::read(order)?), false),
                (_, Some(order)) => (Compare::Date(Order::read(order)?), false),
                _ => return None,
            },
        };
        (set.is_none() || compare != Compare::Null).then_some(Self { compare, negated, if_exists, set })
    }
}

impl Order {
    fn read(name: &str) -> Option<Self> {
        Some(match name {
            "Equals" => Self::Equals,
            "LessThan" => Self::Less,
            "LessThanEquals" => Self::LessOrEqual,
            "GreaterThan" => Self::Greater,
            "GreaterThanEquals" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    fn holds<T: PartialOrd>(self, request: &T, policy: &T) -> bool {
        match self {
            Self::Equals => request == policy,
            Self::Less => request < policy,
            Self::LessOrEqual => request <= policy,
            Self::Greater => request > policy,
            Self::GreaterOrEqual => request >= policy,
        }
    }
}

impl Compare {
    /// Whether a policy may give this value to compare with.
    pub(super) fn takes(self, value: &str) -> bool {
        match self {
            Self::StringEquals | Self::StringEqualsIgnoreCase | Self::StringLike => true,
            // AWS was recorded to take a text that is no ARN. It compares with none.
            Self::Arn => true,
            Self::IpAddress => network(value).is_some(),
            Self::Bool | Self::Null => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Self::Numeric(_) => value.parse::<f64>().is_ok(),
            Self::Date(_) => seconds(value).is_some(),
        }
    }

    /// Whether the request's value compares with the policy's.
    pub(super) fn holds(self, request: &str, policy: &str) -> bool {
        match self {
            Self::StringEquals => request == policy,
            Self::StringEqualsIgnoreCase => request.to_lowercase() == policy.to_lowercase(),
            Self::StringLike => fits(policy, request),
            Self::Arn => policy == "*" || fits_arn(policy, request),
            Self::IpAddress => {
                request.parse::<IpAddr>().is_ok_and(|ip| network(policy).is_some_and(|net| net.contains(&ip)))
            }
            Self::Bool => request.eq_ignore_ascii_case(policy),
            Self::Numeric(order) => match (request.parse::<f64>(), policy.parse::<f64>()) {
                (Ok(request), Ok(policy)) => order.holds(&request, &policy),
                _ => false,
            },
            Self::Date(order) => match (seconds(request), seconds(policy)) {
                (Some(request), Some(policy)) => order.holds(&request, &policy),
                _ => false,
            },
            // Decided by whether there is a value at all.
            Self::Null => false,
        }
    }
}

/// An address, or a network in CIDR form.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A time as ISO 8601, with or without a time of day, or as seconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    OffsetDateTime::parse(&whole, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}
