//! Patterns: what a value may be.
use std::net::IpAddr;

use ipnet::IpNet;

use crate::base::{Budget, Spent};
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
    /// The name is there with a value that is neither `null` nor empty, or is not there.
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
    fn is(&self, fact: &Fact<'_>) -> bool {
        match (self, fact) {
            // A number among the attributes is a text too: "100" and 100 both name it.
            (Self::Text(a), Fact::Text(b)) => a == b,
            (Self::Text(a), Fact::Number(_, b)) => a == b,
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
    pub fn matches(&self, facts: Option<&[Fact<'_>]>, budget: &mut Budget) -> Result<bool, Spent> {
        budget.spend(1)?;
        match (self, facts) {
            (Self::Exists(wanted), None) => return Ok(!wanted),
            (Self::Exists(false), Some(_)) | (_, None) => return Ok(false),
            (pattern, Some(facts)) => {
                for fact in facts {
                    budget.spend(pattern.steps(fact))?;
                    if pattern.matches_one(fact) {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// How much work it is to compare it with a value.
    fn steps(&self, fact: &Fact<'_>) -> usize {
        match self {
            Self::AnythingBut(plains) => 1 + plains.len(),
            Self::Unlike(patterns) => patterns.iter().map(|pattern| pattern.steps(fact)).sum(),
            Self::IgnoreCase(wanted) => 1 + wanted.len().min(fact.size()) / 4,
            _ => 1 + fact.size() / 512,
        }
    }

    fn matches_one(&self, fact: &Fact<'_>) -> bool {
        let text = match fact {
            Fact::Text(text) => Some(text.as_ref()),
            _ => None,
        };
        match self {
            Self::Exactly(plain) => plain.is(fact),
            Self::AnythingBut(plains) => !plains.iter().any(|plain| plain.is(fact)),
            Self::Unlike(patterns) => text.is_some() && !patterns.iter().any(|pattern| pattern.matches_one(fact)),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
            Self::IgnoreCase(wanted) => text.is_some_and(|text| lower(text).eq(lower(wanted))),
            Self::Numeric(bounds) => match fact {
                Fact::Number(number, _) => bounds.iter().all(|(comparison, bound)| comparison.holds(*number, *bound)),
                _ => false,
            },
            Self::Exists(wanted) => *wanted && fact.is_something(),
            Self::Network(network) => {
                text.and_then(|text| text.parse::<IpAddr>().ok()).is_some_and(|address| network.contains(&address))
            }
        }
    }
}

/// In lower case, character by character. The sigma at the end of a word is the same letter as within.
fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}
