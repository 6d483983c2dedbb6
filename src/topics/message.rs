//! What is published: message, subject and attributes, with SNS's limits.
use std::collections::BTreeMap;

/// A message to publish. `Publication { message, ..Default::default() }` is enough for a plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publication {
    /// The subject, for protocols that show one: under 100 characters, none of them a control character.
    pub subject: Option<String>,
    /// The message, or a JSON object with one message per protocol when `structure_json` is set. Never empty.
    pub message: String,
    /// Message attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Whether `message` is a JSON object with a string `default` and strings by protocol (MessageStructure=json).
    pub structure_json: bool,
    /// The message group, carried to standard queues for fairness.
    pub group: Option<String>,
    /// `scheme://host` for the links in the message; `None` for the configured public address.
    pub base_url: Option<String>,
}

/// A message attribute: its data type (`String`, `String.Array`, `Number`, `Binary`) and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The data type as the publisher named it.
    pub data_type: String,
    /// The value.
    pub value: Value,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of every type but `Binary`.
    Text(String),
    /// Of type `Binary`.
    Binary(Vec<u8>),
}
