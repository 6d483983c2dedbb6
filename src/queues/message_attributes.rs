//! Message attributes of SQS and SNS: their types, limits, size and MD5.
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use crate::base::hex;
use crate::queues::Error;
use crate::queues::characters::forbidden;

/// A message's attributes by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// A message has at most so many (SQS developer guide, "Message metadata").
pub const COUNT_MAX: usize = 10;
const NAME_MAX: usize = 256;
const TYPE_MAX: usize = 256;

/// One attribute: a type such as `String`, `Number.int` or `Binary`, and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, with a label after a dot if the sender likes.
    #[serde(rename = "t")]
    pub data_type: String,
    /// What it holds.
    #[serde(rename = "v")]
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttributeValue {
    /// For `String` and `Number`.
    #[serde(rename = "s")]
    Text(String),
    /// For `Binary`.
    #[serde(rename = "b", with = "base64_text")]
    Binary(Vec<u8>),
}

mod base64_text {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

impl MessageAttribute {
    fn bytes(&self) -> &[u8] {
        match &self.value {
            AttributeValue::Text(text) => text.as_bytes(),
            AttributeValue::Binary(bytes) => bytes,
        }
    }
}

/// What attributes add to a message's size: names, types and values, in bytes.
pub fn size(attributes: &MessageAttributes) -> usize {
    attributes.iter().map(|(name, a)| name.len() + a.data_type.len() + a.bytes().len()).sum()
}

/// The MD5 that clients compare: over name, type and value of each, sorted by name (SQS developer guide,
/// "Calculating the MD5 message digest for message attributes"). `None` when there are none.
pub fn md5(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let put = |bytes: &mut Vec<u8>, part: &[u8]| {
        bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    // A BTreeMap is sorted by name already.
    for (name, attribute) in attributes {
        put(&mut bytes, name.as_bytes());
        put(&mut bytes, attribute.data_type.as_bytes());
        bytes.push(if matches!(attribute.value, AttributeValue::Text(_)) { 1 } else { 2 });
        put(&mut bytes, attribute.bytes());
    }
    Some(hex(&Md5::digest(&bytes)))
}

/// The MD5 of a message's body, in hex.
pub fn body_md5(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// Checks attributes as SQS does.
///
/// # Errors
/// [`Error::MessageAttribute`], with AWS's sentence.
pub fn check(attributes: &MessageAttributes) -> Result<(), Error> {
    if attributes.len() > COUNT_MAX {
        let count = attributes.len();
        return Err(Error::MessageAttribute(format!(
            "Number of message attributes [{count}] exceeds the allowed maximum [{COUNT_MAX}]."
        )));
    }
    attributes.iter().try_for_each(|(name, attribute)| check_one(name, attribute))
}

fn check_one(name: &str, attribute: &MessageAttribute) -> Result<(), Error> {
    let wrong = |text: String| Err(Error::MessageAttribute(text));
    check_name(name)?;
    let shown: String = name.chars().take(NAME_MAX).collect();
    let empty = attribute.bytes().is_empty();
    if attribute.data_type.is_empty() {
        let part = if empty { "value" } else { "type" };
        return wrong(format!(
            "The message (user) attribute '{shown}' must contain a non-empty message attribute {part}."
        ));
    }
    let whole: String = attribute.data_type.chars().take(TYPE_MAX).collect();
    let base = whole.split('.').next().unwrap_or_default();
    if !matches!(base, "String" | "Number" | "Binary") {
        return wrong(format!(
            "The type of message (user) attribute '{shown}' is invalid. You must use only the following supported type \
             prefixes: Binary, Number, String."
        ));
    }
    if empty {
        return wrong(format!("Message (user) attribute '{shown}' must contain a non-empty value of type '{whole}'."));
    }
    if attribute.data_type.len() > TYPE_MAX {
        return wrong(format!("Message (user) attribute type must be shorter than {TYPE_MAX} bytes."));
    }
    match &attribute.value {
        AttributeValue::Text(_) if base == "Binary" => {
            wrong(format!("Message (user) attribute '{shown}' with type '{whole}' must use field 'Binary'."))
        }
        AttributeValue::Binary(_) if base != "Binary" => {
            wrong(format!("Message (user) attribute '{shown}' with type '{whole}' must use field 'String'."))
        }
        AttributeValue::Text(text) => check_text(&shown, base, text),
        AttributeValue::Binary(_) => Ok(()),
    }
}

fn check_text(shown: &str, base: &str, text: &str) -> Result<(), Error> {
    if let Some(odd) = forbidden(text) {
        return Err(Error::MessageAttribute(format!(
            "Invalid binary character '#x{:X}' was found in the message attribute '{shown}' value, the set of allowed \
             characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].",
            u32::from(odd)
        )));
    }
    if base == "Number" && text.parse::<f64>().is_err() {
        let text = format!("Can't cast the value of message (user) attribute '{shown}' to a number.");
        return Err(Error::MessageAttribute(text));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), Error> {
    let wrong = |text: &str| Err(Error::MessageAttribute(text.to_owned()));
    let lower = name.to_ascii_lowercase();
    if name.len() > NAME_MAX {
        return wrong("Message (user) attribute name must be shorter than 256 bytes.");
    }
    if name.is_empty() {
        return wrong("The request must contain non-empty message (user) attribute names.");
    }
    if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        return wrong(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for \
             internal use.",
        );
    }
    if name.starts_with('.') {
        return wrong("Message (user) attribute name must not begin with character '.'.");
    }
    if name.ends_with('.') {
        return wrong("Message (user) attribute name must not end with character '.'.");
    }
    if name.contains("..") {
        return wrong("Message (user) attribute name must not have successive '.' characters.");
    }
    // What AWS says is narrower than what it takes: letters and digits of every script. It does end with a blank.
    if !name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return wrong(
            "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens \
             and underscores. ",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data_type: &str, value: &str) -> MessageAttribute {
        MessageAttribute { data_type: data_type.to_owned(), value: AttributeValue::Text(value.to_owned()) }
    }

    #[test]
    fn digests_are_those_that_aws_clients_compute() {
        let one = BTreeMap::from([("k".to_owned(), text("String", "v"))]);
        assert_eq!(md5(&one).as_deref(), Some("0a77b0642718c3d9dd47090567d11e0d"));
        let binary = MessageAttribute { data_type: "Binary".to_owned(), value: AttributeValue::Binary(vec![0, 1]) };
        let three = BTreeMap::from([
            ("c".to_owned(), text("String.custom", "x")),
            ("a".to_owned(), text("Number", "1")),
            ("b".to_owned(), binary),
        ]);
        assert_eq!(md5(&three).as_deref(), Some("dcfb54bfe506cdb07aed8daf2c8493b7"));
        assert_eq!(md5(&BTreeMap::new()), None);
        assert_eq!(body_md5("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn attributes_that_aws_refuses_are_refused() {
        for (name, good) in [("a.b-C_1", text("Number.int", "-1.5e3")), ("größe-数", text("String", "tab\t"))] {
            check(&BTreeMap::from([(name.to_owned(), good)])).expect("a good attribute");
        }
        for (name, attribute) in [
            ("", text("String", "x")),
            (".a", text("String", "x")),
            ("a..b", text("String", "x")),
            ("AWS.x", text("String", "x")),
            ("a b", text("String", "x")),
            ("a", text("Text", "x")),
            ("a", text("String", "")),
            ("a", text("String", "\u{1}")),
            ("a", text("String", "a\0")),
            ("a", text("String", "\u{FFFF}")),
            ("a", text("Number", "many")),
            ("a", text("Binary", "x")),
        ] {
            let one = BTreeMap::from([(name.to_owned(), attribute)]);
            assert!(check(&one).is_err(), "{one:?}");
        }
    }
}
