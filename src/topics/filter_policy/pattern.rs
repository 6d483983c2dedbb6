//! Patterns: what a value may be.
use std::net::IpAddr;

use ipnet::IpNet;

use crate::topics::filter_policy::fact::Fact;
use crate::topics::filter_policy::number::Number;

/// One pattern of a policy.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pattern {
    /// Just this value.
    Exactly(Plain),
    /// Anything but these values.
    AnythingBut(Vec<Plain>),
    /// A text that none of these matches.
    Unlike(Vec<Pattern>),
    /// A text that starts so.
    Prefix(String),
    /// A text that ends so.
    Suffix(String),
    /// This text, in upper or lower case.
    IgnoreCase(String),
    /// A number within these bounds.
    Numeric(Vec<(Comparison, Number)>),
    /// The name is there, or is not.
    Exists(bool),
    /// An IP address of this network.
    Network(IpNet),
}

/// A value to be equal to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plain {
    Text(String),
    Number(Number),
    Flag(bool),
    Null,
}

/// How to compare numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Plain {
    fn is(&self, fact: &Fact) -> bool {
        match (self, fact) {
            // A number among the attributes is a text too: "100" and 100 both name it.
            (Self::Text(a), Fact::Text(b) | Fact::Number(_, b)) => a == b,
            (Self::Number(a), Fact::Number(b, _)) => a == b,
            (Self::Flag(a), Fact::Flag(b)) => a == b,
            (Self::Null, Fact::Null) => true,
            _ => false,
        }
    }
}

impl Comparison {
    fn holds(self, value: Number, bound: Number) -> bool {
        match self {
            Self::Equal => value == bound,
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

impl Pattern {
    /// Whether the values of a name match: any of them has to. `None` means that the message does not have the name.
    pub fn matches(&self, facts: Option<&[Fact]>) -> bool {
        match (self, facts) {
            (Self::Exists(wanted), facts) => *wanted == facts.is_some(),
            (_, None) => false,
            (pattern, Some(facts)) => facts.iter().any(|fact| pattern.matches_one(fact)),
        }
    }

    fn matches_one(&self, fact: &Fact) -> bool {
        let text = match fact {
            Fact::Text(text) => Some(text.as_str()),
            _ => None,
        };
        match self {
            Self::Exactly(plain) => plain.is(fact),
            Self::AnythingBut(plains) => *fact != Fact::Opaque && !plains.iter().any(|plain| plain.is(fact)),
            Self::Unlike(patterns) => text.is_some() && !patterns.iter().any(|pattern| pattern.matches_one(fact)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
            Self::IgnoreCase(wanted) => text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase()),
            Self::Numeric(bounds) => match fact {
                Fact::Number(number, _) => bounds.iter().all(|(comparison, bound)| comparison.holds(*number, *bound)),
                _ => false,
            },
            Self::Exists(wanted) => *wanted,
            Self::Network(network) => {
                text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|address| network.contains(&address))
            }
        }
    }
}
