//! What a message says: values by name, from its attributes or from its JSON body.
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::queues::MessageAttributes;
use crate::topics::filter_policy::number::Number;
use crate::topics::{Attribute, Value};

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A number, with the text that it was written as.
    Number(Number, String),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
    /// Something that is there and equals nothing: bytes.
    Opaque,
}

/// The values of a message. A name may have several: the elements of an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Facts {
    /// From message attributes.
    Attributes(BTreeMap<String, Vec<Fact>>),
    /// From a JSON body.
    Body(Json),
}

impl Facts {
    /// The values of message attributes. A `String.Array` that is no JSON array has no values.
    pub fn of_attributes(attributes: &MessageAttributes) -> Self {
        let values = |attribute: &Attribute| match &attribute.value {
            Value::Binary(_) => vec![Fact::Opaque],
            Value::Text(text) if attribute.data_type == "String.Array" => match serde_json::from_str(text) {
                Ok(Json::Array(elements)) => elements.iter().filter_map(leaf).collect(),
                _ => vec![],
            },
            Value::Text(text) if attribute.data_type.split('.').next() == Some("Number") => {
                let number = text.parse().ok().and_then(Number::new);
                vec![number.map_or_else(|| Fact::Text(text.clone()), |number| Fact::Number(number, text.clone()))]
            }
            Value::Text(text) => vec![Fact::Text(text.clone())],
        };
        Self::Attributes(attributes.iter().map(|(name, attribute)| (name.clone(), values(attribute))).collect())
    }

    /// The values of a JSON object, by names joined with dots. `None` for a body that is no JSON object.
    pub fn of_body(body: &str) -> Option<Self> {
        serde_json::from_str(body).ok().filter(Json::is_object).map(Self::Body)
    }

    /// The values of a name; `None` when the message does not have it.
    pub(super) fn get(&self, name: &str) -> Option<Vec<Fact>> {
        match self {
            Self::Attributes(all) => all.get(name).cloned(),
            Self::Body(json) => {
                let mut found = Vec::new();
                walk(json, name, &mut found);
                Some(found).filter(|found| !found.is_empty())
            }
        }
    }
}

/// Finds the values under `name` in an object, or in the objects of an array. SNS does not tell a dot in a key from a step
/// into an object, so each dot is tried as either.
fn walk(json: &Json, name: &str, found: &mut Vec<Fact>) {
    match json {
        Json::Array(elements) => elements.iter().for_each(|element| walk(element, name, found)),
        Json::Object(object) => {
            if let Some(value) = object.get(name) {
                leaves(value, found);
            }
            for (at, _) in name.match_indices('.') {
                if let Some(value) = object.get(&name[..at]) {
                    walk(value, &name[at + 1..], found);
                }
            }
        }
        _ => {}
    }
}

fn leaves(value: &Json, found: &mut Vec<Fact>) {
    match value {
        Json::Array(elements) => elements.iter().for_each(|element| leaves(element, found)),
        other => found.extend(leaf(other)),
    }
}

/// A value without parts. Objects and arrays in arrays of attributes are no values.
fn leaf(value: &Json) -> Option<Fact> {
    match value {
        Json::String(text) => Some(Fact::Text(text.clone())),
        Json::Number(number) => Some(Fact::Number(Number::new(number.as_f64()?)?, number.to_string())),
        Json::Bool(flag) => Some(Fact::Flag(*flag)),
        Json::Null => Some(Fact::Null),
        Json::Array(_) | Json::Object(_) => None,
    }
}
