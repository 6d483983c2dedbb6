//! What a message says: values by name, from its attributes or from its JSON body.
use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::{Budget, Spent};
use crate::queues::MessageAttributes;
use crate::topics::filter_policy::number::Number;
use crate::topics::{Attribute, Value};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number, with the text that it was written as.
    Number(Number, String),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
}

impl Fact<'_> {
    fn owned(self) -> Fact<'static> {
        match self {
            Self::Text(text) => Fact::Text(text.into_owned().into()),
            Self::Number(number, text) => Fact::Number(number, text),
            Self::Flag(flag) => Fact::Flag(flag),
            Self::Null => Fact::Null,
        }
    }

    /// Octets of its text.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_, text) => text.len(),
            Self::Flag(_) | Self::Null => 0,
        }
    }

    /// Whether it is a value at all: neither `null` nor an empty text.
    pub(super) fn is_something(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Null => false,
            Self::Number(..) | Self::Flag(_) => true,
        }
    }
}

/// The values of a message. A name may have several: the elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// From message attributes.
    Attributes(BTreeMap<String, Vec<Fact<'static>>>),
    /// From a JSON body.
    Body(Json),
}

impl Facts {
    /// The values of message attributes. A `String.Array` that is no JSON array has no values. Binary attributes are not
    /// compared, and so they are not there (SNS developer guide, "Filter policy constraints").
    pub fn of_attributes(attributes: &MessageAttributes) -> Self {
        let values = |attribute: &Attribute| match &attribute.value {
            Value::Binary(_) => None,
            Value::Text(text) => Some(values(&attribute.data_type, text)),
        };
        let all = attributes.iter().filter_map(|(name, attribute)| Some((name.clone(), values(attribute)?)));
        Self::Attributes(all.collect())
    }

    /// Whether there is nothing that could be compared. An empty body is one all the same.
    pub(super) fn is_bare(&self) -> bool {
        matches!(self, Self::Attributes(all) if all.is_empty())
    }

    /// The values of a JSON object, by names joined with dots. `None` for a body that is no JSON object.
    pub fn of_body(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok().filter(Json::is_object).map(Self::Body)
    }

    /// The values of each of these names, in their order; `None` for a name that the message does not have. `names` are
    /// sorted, each once.
    pub(super) fn under(
        &self,
        names: &[String],
        budget: &mut Budget,
    ) -> Result<Vec<Option<Cow<'_, [Fact<'_>]>>>, Spent> {
        match self {
            Self::Attributes(all) => {
                budget.spend(names.len())?;
                Ok(names.iter().map(|name| all.get(name).map(|facts| Cow::Borrowed(facts.as_slice()))).collect())
            }
            Self::Body(json) => {
                let mut walk = Walk { names, found: vec![Vec::new(); names.len()], budget };
                walk.descend(json, Span { from: 0, to: names.len(), at: 0 })?;
                Ok(walk.found.into_iter().map(|found| (!found.is_empty()).then_some(Cow::Owned(found))).collect())
            }
        }
    }
}

/// The values of one attribute.
fn values(data_type: &str, text: &str) -> Vec<Fact<'static>> {
    let plain = || vec![Fact::Text(text.to_owned().into())];
    if data_type == "String.Array" {
        return match serde_json::from_str(text) {
            Ok(Json::Array(elements)) => elements.iter().filter_map(leaf).map(Fact::owned).collect(),
            _ => vec![],
        };
    }
    if data_type.split('.').next() == Some("Number") {
        let number = text.parse().ok().and_then(Number::new);
        return number.map_or_else(plain, |number| vec![Fact::Number(number, text.to_owned())]);
    }
    plain()
}

/// Finds the values under all names in one walk, in an object or in the objects of an array. SNS does not tell a dot in a
/// key from a step into an object; so the keys on the way, joined with dots, are what a name begins with.
struct Walk<'n, 'f, 'b> {
    names: &'n [String],
    found: Vec<Vec<Fact<'f>>>,
    budget: &'b mut Budget,
}

/// Those of the sorted names that begin with the keys on the way, and how many octets these are.
#[derive(Clone, Copy)]
struct Span {
    from: usize,
    to: usize,
    at: usize,
}

impl<'f> Walk<'_, 'f, '_> {
    fn descend(&mut self, json: &'f Json, span: Span) -> Result<(), Spent> {
        match json {
            Json::Array(elements) => {
                for element in elements {
                    self.budget.spend(1)?;
                    self.descend(element, span)?;
                }
            }
            Json::Object(object) => {
                for (key, value) in object {
                    self.budget.spend_on(key.len())?;
                    self.member(key, value, span)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn member(&mut self, key: &str, value: &'f Json, Span { from, to, at }: Span) -> Result<(), Spent> {
        let names = self.names;
        let rest = |name: &String| name.as_bytes().get(at..).unwrap_or_default().cmp(key.as_bytes());
        let starts = |name: &String| name.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(key.as_bytes()));
        let from = from + part(names, from, to).partition_point(|name| rest(name).is_lt());
        let to = from + part(names, from, to).partition_point(starts);
        let at = at + key.len();
        if part(names, from, to).first().is_some_and(|name| name.len() == at) {
            self.leaves(value, from)?;
        }
        let next = |name: &String| name.as_bytes().get(at).copied();
        let from = from + part(names, from, to).partition_point(|name| next(name).is_none_or(|octet| octet < b'.'));
        let to = from + part(names, from, to).partition_point(|name| next(name) == Some(b'.'));
        if from < to { self.descend(value, Span { from, to, at: at + 1 }) } else { Ok(()) }
    }

    fn leaves(&mut self, value: &'f Json, name: usize) -> Result<(), Spent> {
        self.budget.spend(1)?;
        match value {
            Json::Array(elements) => elements.iter().try_for_each(|element| self.leaves(element, name)),
            other => {
                if let Some(found) = self.found.get_mut(name) {
                    found.extend(leaf(other));
                }
                Ok(())
            }
        }
    }
}

fn part(names: &[String], from: usize, to: usize) -> &[String] {
    names.get(from..to).unwrap_or_default()
}

/// A value without parts. Objects and arrays in arrays of attributes are no values.
fn leaf(value: &Json) -> Option<Fact<'_>> {
    match value {
        Json::String(text) => Some(Fact::Text(text.as_str().into())),
        Json::Number(number) => Some(Fact::Number(Number::new(number.as_f64()?)?, number.to_string())),
        Json::Bool(flag) => Some(Fact::Flag(*flag)),
        Json::Null => Some(Fact::Null),
        Json::Array(_) | Json::Object(_) => None,
    }
}
