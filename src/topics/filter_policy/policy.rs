//! A whole policy: names with their patterns, all of which must match, and alternatives.
use serde_json::{Map, Value as Json};

use crate::topics::filter_policy::fact::Facts;
use crate::topics::filter_policy::parse;
use crate::topics::filter_policy::pattern::Pattern;

/// How many names a policy may have at its top.
const KEYS_MAX: usize = 5;
/// How complex a policy may be: the product of the numbers of patterns, each times its depth.
const COMBINATIONS_MAX: u64 = 150;
/// How long a name may be, with the names that it stands in, in bytes. Ours: looking a name up takes longer the longer it is.
const NAME_BYTES_MAX: usize = 4_096;
/// How long a policy may be, in bytes.
const BYTES_MAX: usize = 262_144;

/// What a policy looks at (FilterPolicyScope).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Message attributes.
    #[default]
    Attributes,
    /// The message, a JSON object.
    Body,
}

impl Scope {
    /// Reads FilterPolicyScope.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "MessageAttributes" => Some(Self::Attributes),
            "MessageBody" => Some(Self::Body),
            _ => None,
        }
    }
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Names within names, in a policy for attributes.
    Nested,
    /// Something else, in AWS's words.
    Other(String),
}

impl From<&str> for Fault {
    fn from(text: &str) -> Self {
        Self::Other(text.to_owned())
    }
}

/// A filter policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FilterPolicy(Node);

/// Names that all must match, and alternatives of each of which one must.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    names: Vec<(String, Vec<Pattern>)>,
    alternatives: Vec<Vec<Node>>,
}

impl FilterPolicy {
    /// Reads a policy.
    pub fn parse(json: &str, scope: Scope) -> Result<Self, Fault> {
        if json.len() > BYTES_MAX {
            return Err("Filter policy is too large".into());
        }
        let Ok(Json::Object(object)) = serde_json::from_str(json) else {
            return Err("failed to parse JSON.".into());
        };
        if object.len() > KEYS_MAX {
            return Err("Filter policy can not have more than 5 keys".into());
        }
        if combinations(&object, 1, 1) > COMBINATIONS_MAX {
            return Err("Filter policy is too complex".into());
        }
        let mut node = Node::default();
        node.read(&object, "", scope)?;
        Ok(Self(node))
    }

    /// Whether a message with these values passes.
    pub fn matches(&self, facts: &Facts) -> bool {
        self.0.matches(facts)
    }
}

impl Node {
    fn read(&mut self, object: &Map<String, Json>, prefix: &str, scope: Scope) -> Result<(), Fault> {
        for (key, value) in object {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            if path.len() > NAME_BYTES_MAX {
                return Err("Filter policy has a key that is too long".into());
            }
            match value {
                Json::Object(_) if scope == Scope::Attributes => return Err(Fault::Nested),
                Json::Object(inner) => self.read(inner, &path, scope)?,
                Json::Array(several) if several.is_empty() => return Err("Empty arrays are not allowed".into()),
                Json::Array(several) => match alternatives(key, several) {
                    Some(objects) => {
                        let read = |object: &&Map<String, Json>| {
                            let mut node = Node::default();
                            node.read(object, prefix, scope).map(|()| node)
                        };
                        self.alternatives.push(objects.iter().map(read).collect::<Result<_, Fault>>()?);
                    }
                    None => {
                        let patterns = several.iter().map(parse::pattern).collect::<Result<_, _>>();
                        self.names.push((path, patterns.map_err(Fault::Other)?));
                    }
                },
                _ => {
                    let shown: String = key.chars().take(100).collect();
                    return Err(Fault::Other(format!("\"{shown}\" must be an object or an array")));
                }
            }
        }
        Ok(())
    }

    fn matches(&self, facts: &Facts) -> bool {
        let any = |(name, patterns): &(String, Vec<Pattern>)| {
            let values = facts.get(name);
            patterns.iter().any(|pattern| pattern.matches(values.as_deref()))
        };
        self.names.iter().all(any) && self.alternatives.iter().all(|nodes| nodes.iter().any(|node| node.matches(facts)))
    }
}

/// The alternatives of an `$or`: an array of objects under that name. Anything else under it is a plain name.
fn alternatives<'a>(key: &str, several: &'a [Json]) -> Option<Vec<&'a Map<String, Json>>> {
    if key != "$or" {
        return None;
    }
    several.iter().map(Json::as_object).collect()
}

/// SNS's measure: numbers of patterns multiply, each counts as often as it is deep; alternatives add up.
fn combinations(object: &Map<String, Json>, depth: u64, so_far: u64) -> u64 {
    object.iter().fold(so_far, |so_far, (key, value)| match value {
        Json::Object(inner) => combinations(inner, depth + 1, so_far),
        Json::Array(several) => match alternatives(key, several) {
            Some(objects) => {
                objects.iter().map(|object| combinations(object, depth, so_far)).fold(0, u64::saturating_add)
            }
            None => so_far.saturating_mul(several.len() as u64).saturating_mul(depth),
        },
        _ => so_far,
    })
}
