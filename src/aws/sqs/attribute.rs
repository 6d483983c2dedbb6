//! Message attributes on the wire, and which of them a receive asks for.
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Deserializer, Serialize};

use crate::aws::protocol::{AnyText, Blob};
use crate::aws::sqs::error::SqsError;
use crate::queues::message_attributes::AttributeValue;
use crate::queues::{Error, MessageAttribute, MessageAttributes};

/// A message attribute, or a system attribute of a message to send.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageAttributeValue {
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "any_text")]
    string_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<Blob>,
    // AWS has no use for lists yet, and says so.
    #[serde(default, skip_serializing)]
    string_list_values: Vec<String>,
    #[serde(default, skip_serializing)]
    binary_list_values: Vec<String>,
    // The check of the attributes says that it is missing.
    #[serde(default)]
    data_type: String,
}

/// The check of the attributes says which characters there may be.
fn any_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<AnyText>::deserialize(deserializer)?.map(|text| text.0))
}

impl From<MessageAttribute> for MessageAttributeValue {
    fn from(attribute: MessageAttribute) -> Self {
        let (string_value, binary_value) = match attribute.value {
            AttributeValue::Text(text) => (Some(text), None),
            AttributeValue::Binary(bytes) => (None, Some(Blob(bytes))),
        };
        let (string_list_values, binary_list_values) = (vec![], vec![]);
        Self { string_value, binary_value, string_list_values, binary_list_values, data_type: attribute.data_type }
    }
}

/// Message attributes from the wire.
///
/// # Errors
/// InvalidParameterValue for one without exactly one value.
pub(super) fn read(given: BTreeMap<String, MessageAttributeValue>) -> Result<MessageAttributes, SqsError> {
    given.into_iter().map(|(name, value)| read_one(name, value)).collect()
}

fn read_one(name: String, given: MessageAttributeValue) -> Result<(String, MessageAttribute), SqsError> {
    let refused = |text: String| Err(Error::MessageAttribute(text).into());
    if !given.string_list_values.is_empty() || !given.binary_list_values.is_empty() {
        return refused("Message attribute list values in SendMessage operation are not supported.".to_owned());
    }
    let value = match (given.string_value, given.binary_value) {
        (Some(text), None) => AttributeValue::Text(text),
        (None, Some(blob)) => AttributeValue::Binary(blob.0),
        (Some(_), Some(_)) => {
            let shown: String = name.chars().take(256).collect();
            return refused(format!("Message (user) attribute '{shown}' must have a single value."));
        }
        // The check of the attributes names what is missing.
        (None, None) => AttributeValue::Text(String::new()),
    };
    Ok((name, MessageAttribute { data_type: given.data_type, value }))
}

const TRACE_HEADER: &str = "AWSTraceHeader";

/// The trace header among the system attributes of a message to send.
///
/// # Errors
/// InvalidParameterValue for any other system attribute.
pub(super) fn trace_header(given: BTreeMap<String, MessageAttributeValue>) -> Result<Option<String>, SqsError> {
    let mut header = None;
    for (name, value) in given {
        if name != TRACE_HEADER || value.data_type != "String" {
            let shown: String = name.chars().take(256).collect();
            let text = format!("Message system attribute name '{shown}' is invalid.");
            return Err(Error::MessageAttribute(text).into());
        }
        header = value.string_value;
    }
    Ok(header)
}

/// The MD5 of the system attributes, which so far can only be a trace header.
pub(super) fn system_md5(given: &BTreeMap<String, MessageAttributeValue>) -> Option<String> {
    let text = given.get(TRACE_HEADER)?.string_value.clone()?;
    let header = MessageAttribute { data_type: "String".to_owned(), value: AttributeValue::Text(text) };
    crate::queues::message_attributes::md5(&BTreeMap::from([(TRACE_HEADER.to_owned(), header)]))
}

/// The attributes that a receive asks for: by name, `All`, `.*`, or a prefix such as `order.*`.
pub(super) struct WantedAttributes<'a> {
    few: &'a [String],
    /// Where there are many.
    names: HashSet<&'a str>,
    prefixes: HashSet<&'a str>,
}

/// How many names of a request are compared one by one.
const FEW: usize = 16;

impl<'a> WantedAttributes<'a> {
    /// Those of this list.
    pub(super) fn new(list: &'a [String]) -> Self {
        let (few, many) = if list.len() <= FEW { (list, &[][..]) } else { (&[][..], list) };
        let prefixes =
            many.iter().filter_map(|w| if w == "All" || w == "*" { Some("") } else { w.strip_suffix(".*") }).collect();
        Self { few, names: many.iter().map(String::as_str).collect(), prefixes }
    }

    /// Whether it asks for this attribute.
    pub(super) fn has(&self, name: &str) -> bool {
        let listed = self.few.iter().any(|w| match w.as_str() {
            "All" | ".*" | "*" => true,
            w => w == name || w.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix)),
        });
        let prefixed = || (0..=name.len()).filter_map(|end| name.get(..end)).any(|start| self.prefixes.contains(start));
        listed || self.names.contains(name) || !self.prefixes.is_empty() && prefixed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_asked_for_by_name_prefix_or_all() {
        let wanted = |list: &[&str], name| {
            let few: Vec<String> = list.iter().map(|w| (*w).to_owned()).collect();
            let many: Vec<String> = few.iter().cloned().chain((0..100).map(|n| format!("x{n}"))).collect();
            let answers = [&few, &many].map(|list| WantedAttributes::new(list).has(name));
            assert_eq!(answers[0], answers[1], "{name} of {list:?}");
            answers[0]
        };
        assert!(
            wanted(&["All"], "a")
                && wanted(&["*"], "a")
                && wanted(&[".*"], "a")
                && wanted(&["a"], "a")
                && wanted(&["or.*"], "or.x")
        );
        assert!(!wanted(&[], "a") && !wanted(&["b"], "a") && !wanted(&["or.*"], "x.or"));
    }
}
