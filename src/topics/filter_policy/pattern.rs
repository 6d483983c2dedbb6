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
    pub(super) fn matches(&self, facts: Option<&[Fact<'_>]>, budget: &mut Budget) -> Result<bool, Spent> {
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
            Self::IgnoreCase(wanted) => {
                let octets = wanted.len().min(fact.size());
                let is_plain = matches!(fact, Fact::Text(text) if are_ascii(text, wanted));
                1 + if is_plain { octets / 4 } else { octets * 4 }
            }
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
            Self::IgnoreCase(wanted) => text.is_some_and(|text| same_letters(text, wanted)),
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

/// Whether two texts are the same but for upper and lower case. EventBridge, whose patterns these are, takes a character's
/// upper or lower case for it, of which either may be several characters: ΰ and its upper case, ς and Σ, ß and SS
/// (<https://github.com/aws/event-ruler>). Here those are the same in both directions.
fn same_letters(one: &str, other: &str) -> bool {
    if are_ascii(one, other) { one.eq_ignore_ascii_case(other) } else { folded(one).eq(folded(other)) }
}

/// Whether both are plain up to where the shorter one ends: then each octet is a character of its own.
fn are_ascii(one: &str, other: &str) -> bool {
    one.bytes().zip(other.bytes()).all(|(a, b)| a.is_ascii() && b.is_ascii())
}

/// The same for all texts that differ in case only, whatever the place of a character in its word.
fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_is_the_same_as_its_upper_and_its_lower_case() {
        for c in '\0'..=char::MAX {
            let (text, upper, lower) = (c.to_string(), c.to_uppercase().to_string(), c.to_lowercase().to_string());
            if upper == lower {
                continue;
            }
            for (one, other) in [(&text, &upper), (&text, &lower), (&upper, &lower)] {
                assert!(same_letters(one, other) && same_letters(other, one), "{one} {other}");
            }
        }
    }
}
