//! A whole policy: names with their patterns, all of which must match, and alternatives.
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::base::{Budget, Spent};
use crate::topics::filter_policy::fact::{Fact, Facts};
use crate::topics::filter_policy::parse;
use crate::topics::filter_policy::pattern::Pattern;
use crate::topics::json_fault;

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
pub enum PolicyScope {
    /// Message attributes.
    #[default]
    Attributes,
    /// The message, a JSON object.
    Body,
}

impl PolicyScope {
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
pub struct FilterPolicy {
    root: Node,
    /// All names, sorted, each once.
    names: Vec<String>,
}

/// Names that all must match, each by its place among all, and alternatives of each of which one must.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    names: Vec<(usize, Vec<Pattern>)>,
    alternatives: Vec<Vec<Node>>,
}

impl FilterPolicy {
    /// Reads a policy.
    pub fn parse(json: &str, scope: PolicyScope) -> Result<Self, Fault> {
        if json.len() > BYTES_MAX {
            return Err("Filter policy is too large".into());
        }
        let Ok(Json::Object(object)) = serde_json::from_str(json) else {
            return Err(Fault::Other(json_fault::words(json)));
        };
        if object.len() > KEYS_MAX {
            return Err("Filter policy can not have more than 5 keys".into());
        }
        if combinations(&object, 1, 1) > COMBINATIONS_MAX {
            return Err("Filter policy is too complex".into());
        }
        let mut reader = Reader { scope, path: String::new(), names: BTreeMap::new() };
        let mut root = reader.node(&object)?;
        // The places in the order of the names, by those in the order of their appearance.
        let mut places = vec![0; reader.names.len()];
        for (place, appeared) in reader.names.values().enumerate() {
            if let Some(slot) = places.get_mut(*appeared) {
                *slot = place;
            }
        }
        root.place(&places);
        Ok(Self { root, names: reader.names.into_keys().collect() })
    }

    /// Whether a message with these values passes.
    ///
    /// # Errors
    /// When there are not steps enough: what is compared is the values that the policy names, each with each pattern of
    /// its name.
    pub fn matches(&self, facts: &Facts, budget: &mut Budget) -> Result<bool, Spent> {
        // That a name is missing counts only where something else is there.
        if facts.is_bare() && !self.names.is_empty() {
            return Ok(false);
        }
        let found = facts.under(&self.names, budget)?;
        let found: Vec<Option<&[Fact<'_>]>> = found.iter().map(Option::as_deref).collect();
        self.root.matches(&found, budget)
    }
}

/// Reads the nodes of a policy.
struct Reader {
    scope: PolicyScope,
    /// The names that the present one stands in, and itself, joined with dots.
    path: String,
    /// The names of patterns, in the order of their appearance.
    names: BTreeMap<String, usize>,
}

impl Reader {
    fn node(&mut self, object: &Map<String, Json>) -> Result<Node, Fault> {
        let mut node = Node::default();
        self.read(object, &mut node)?;
        Ok(node)
    }

    fn read(&mut self, object: &Map<String, Json>, node: &mut Node) -> Result<(), Fault> {
        let outside = self.path.len();
        for (key, value) in object {
            if outside > 0 {
                self.path.push('.');
            }
            self.path.push_str(key);
            if self.path.len() > NAME_BYTES_MAX {
                return Err("Filter policy has a key that is too long".into());
            }
            match value {
                Json::Object(_) if self.scope == PolicyScope::Attributes => return Err(Fault::Nested),
                Json::Object(inner) => self.read(inner, node)?,
                Json::Array(several) if several.is_empty() => return Err("Empty arrays are not allowed".into()),
                Json::Array(several) => match alternatives(key, several) {
                    Some(objects) => {
                        self.path.truncate(outside);
                        let nodes = objects.iter().map(|object| self.node(object)).collect::<Result<_, Fault>>()?;
                        node.alternatives.push(nodes);
                    }
                    None => {
                        let patterns = several.iter().map(parse::pattern).collect::<Result<_, _>>();
                        let (next, path) = (self.names.len(), self.path.clone());
                        let place = *self.names.entry(path).or_insert(next);
                        node.names.push((place, patterns.map_err(Fault::Other)?));
                    }
                },
                _ => {
                    let shown: String = key.chars().take(100).collect();
                    return Err(Fault::Other(format!("\"{shown}\" must be an object or an array")));
                }
            }
            self.path.truncate(outside);
        }
        Ok(())
    }
}

impl Node {
    fn place(&mut self, places: &[usize]) {
        for (name, _) in &mut self.names {
            *name = places.get(*name).copied().unwrap_or(*name);
        }
        self.alternatives.iter_mut().flatten().for_each(|node| node.place(places));
    }

    fn matches(&self, found: &[Option<&[Fact<'_>]>], budget: &mut Budget) -> Result<bool, Spent> {
        for (name, patterns) in &self.names {
            let values = found.get(*name).copied().flatten();
            if !any(patterns, |pattern| pattern.matches(values, budget))? {
                return Ok(false);
            }
        }
        for nodes in &self.alternatives {
            if !any(nodes, |node| node.matches(found, budget))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether one of `all` passes.
fn any<T>(all: &[T], mut passes: impl FnMut(&T) -> Result<bool, Spent>) -> Result<bool, Spent> {
    for one in all {
        if passes(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The alternatives of an `$or`: an array of two or more objects under that name, none of which has an operator's name. With
/// anything else under it `$or` is a plain name.
fn alternatives<'a>(key: &str, several: &'a [Json]) -> Option<Vec<&'a Map<String, Json>>> {
    if key != "$or" || several.len() < 2 {
        return None;
    }
    let alternative = |one: &'a Json| one.as_object().filter(|object| !object.keys().any(|key| reserved(key)));
    several.iter().map(alternative).collect()
}

/// Names of operators, those to come included: they say that an object is a pattern (EventBridge's open source Ruler, whose
/// patterns these are: README, "The "$or" Primitive").
fn reserved(name: &str) -> bool {
    const NAMES: [&str; 24] = [
        "exactly",
        "equals-ignore-case",
        "prefix",
        "suffix",
        "anything-but",
        "exists",
        "wildcard",
        "numeric",
        "cidr",
        "=",
        "<",
        "<=",
        ">",
        ">=",
        "regex",
        "not-wildcard",
        "not-equals-ignore-case",
        "date-after",
        "date-on-or-after",
        "date-before",
        "date-on-or-before",
        "in-date-range",
        "ip-address-in-range",
        "ip-address-not-in-range",
    ];
    NAMES.contains(&name)
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
