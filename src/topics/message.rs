//! What is published: message, subject and attributes, with SNS's limits.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::AccountId;
use crate::queues::message_attributes;
use crate::topics::endpoint::Protocol;
use crate::topics::error::AttributeFault;
use crate::topics::{Attribute, Error, Value};

/// The most bytes that message and attributes (name, type and value) may have together, where a topic does not say otherwise
/// (SNS quotas: 256 KiB).
pub const MAX_BYTES: usize = 262_144;

/// A message to publish. `Publication { message, ..Default::default() }` is enough for a plain one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The subject, for protocols that show one: up to 100 characters, none of them a control character.
    pub subject: Option<String>,
    /// The message, or a JSON object with one message per protocol when `structure_json` is set. Never empty.
    pub message: String,
    /// Message attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// Whether `message` is a JSON object with a string `default` and strings by protocol (MessageStructure=json).
    pub structure_json: bool,
    /// The message group: carried to standard queues for fairness; what a FIFO topic keeps the order of.
    pub group: Option<String>,
    /// What a FIFO topic knows the message by, for five minutes.
    pub deduplication_id: Option<String>,
    /// The trace header of the call, which goes on to queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<String>,
    /// `scheme://host` as the caller named this server, for the links in the message; `None` where there is no caller.
    pub base_url: Option<String>,
    /// Who publishes; `None` for this server itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<AccountId>,
}

impl Publication {
    /// The bytes that count: message and attributes.
    pub fn bytes(&self) -> usize {
        self.message.len() + message_attributes::size(&self.attributes)
    }

    /// Checks the attributes.
    pub(in crate::topics) fn check_attributes(&self) -> Result<(), Error> {
        self.attributes.iter().try_for_each(|(name, attribute)| {
            let fault = |why| Error::MessageAttribute { name: name.clone(), why };
            check_name(name).map_err(fault)?;
            check_value(attribute).map_err(fault)
        })
    }

    /// Whether the texts of a message with a structure can be found. Errors: `StructureSyntax`, `StructureDefault`.
    pub(in crate::topics) fn check_structure(&self) -> Result<(), Error> {
        match self.structure_json.then(|| Wordings::from_json(&self.message)) {
            Some(Err(error @ (Error::StructureSyntax | Error::StructureDefault))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Checks everything that can be checked without a topic, and finds the wording for each protocol.
    pub(in crate::topics) fn wordings(&self) -> Result<Wordings, Error> {
        self.wordings_within(MAX_BYTES)
    }

    /// The same for a topic that takes so many bytes.
    pub(in crate::topics) fn wordings_within(&self, max_bytes: usize) -> Result<Wordings, Error> {
        if self.message.is_empty() {
            return Err(Error::MessageEmpty);
        }
        if self.subject.as_deref().is_some_and(|subject| !subject_ok(subject)) {
            return Err(Error::Subject);
        }
        if self.bytes() > max_bytes {
            return Err(Error::MessageTooLong);
        }
        if self.group.as_deref().is_some_and(|group| !id_ok(group)) {
            return Err(Error::Group);
        }
        if self.deduplication_id.as_deref().is_some_and(|id| !id_ok(id)) {
            return Err(Error::Deduplication);
        }
        self.check_attributes()?;
        if self.structure_json {
            return Wordings::from_json(&self.message);
        }
        Ok(Wordings { default: self.message.clone(), by_protocol: BTreeMap::new() })
    }
}

/// The texts of one message: one for protocols in general, and those that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::topics) struct Wordings {
    default: String,
    by_protocol: BTreeMap<Protocol, String>,
}

impl Wordings {
    /// Reads MessageStructure=json: keys of protocols count when their value is a string, all others are passed over.
    fn from_json(message: &str) -> Result<Self, Error> {
        let Ok(Json::Object(mut object)) = serde_json::from_str(message) else {
            return Err(Error::StructureSyntax);
        };
        let Some(Json::String(default)) = object.remove("default") else {
            return Err(Error::StructureDefault);
        };
        let own = |(key, value): (String, Json)| match (Protocol::parse(&key), value) {
            (Some(protocol), Json::String(text)) => Some((protocol, text)),
            _ => None,
        };
        let by_protocol: BTreeMap<Protocol, String> = object.into_iter().filter_map(own).collect();
        if default.is_empty() || by_protocol.values().any(String::is_empty) {
            return Err(Error::MessageEmpty);
        }
        Ok(Self { default, by_protocol })
    }

    /// All texts: that for protocols in general, and those of protocols.
    pub(in crate::topics) fn all(&self) -> impl Iterator<Item = (Option<Protocol>, &str)> {
        let own = self.by_protocol.iter().map(|(protocol, text)| (Some(*protocol), text.as_str()));
        std::iter::once((None, self.default.as_str())).chain(own)
    }

    /// Puts another text in the place of one.
    pub(in crate::topics) fn set(&mut self, protocol: Option<Protocol>, text: String) {
        match protocol {
            Some(protocol) => drop(self.by_protocol.insert(protocol, text)),
            None => self.default = text,
        }
    }

    /// The message that has these texts: one text, or a JSON object of several.
    pub(in crate::topics) fn message(&self, structure_json: bool) -> String {
        if !structure_json {
            return self.default.clone();
        }
        let name = |protocol: Option<Protocol>| protocol.map_or("default", Protocol::as_str).to_owned();
        Json::from_iter(self.all().map(|(protocol, text)| (name(protocol), text))).to_string()
    }

    /// The text that subscribers of `protocol` get.
    pub(in crate::topics) fn of(&self, protocol: Protocol) -> &str {
        self.by_protocol.get(&protocol).unwrap_or(&self.default)
    }
}

fn subject_ok(subject: &str) -> bool {
    !subject.is_empty() && subject.chars().count() <= 100 && !subject.chars().any(char::is_control)
}

/// 1 to 128 letters, digits and punctuation marks, as SQS takes them for MessageGroupId.
fn id_ok(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

fn check_name(name: &str) -> Result<(), AttributeFault> {
    if name.is_empty() {
        return Err(AttributeFault::NameEmpty);
    }
    if name.chars().count() > 256 {
        return Err(AttributeFault::NameTooLong);
    }
    if name.starts_with('.') {
        return Err(AttributeFault::NameStartsWithDot);
    }
    if name.ends_with('.') {
        return Err(AttributeFault::NameEndsWithDot);
    }
    if let Some(odd) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Err(AttributeFault::NameCharacter(odd));
    }
    if name.contains("..") {
        return Err(AttributeFault::NameHasTwoDots);
    }
    Ok(())
}

fn check_value(attribute: &Attribute) -> Result<(), AttributeFault> {
    let data_type = attribute.data_type.as_str();
    let (kind, label) = data_type.split_once('.').map_or((data_type, None), |(kind, label)| (kind, Some(label)));
    let of_type = || data_type.to_owned();
    if !["String", "Number", "Binary"].contains(&kind) || label == Some("") || data_type.len() > 256 {
        return Err(AttributeFault::DataType(of_type()));
    }
    match &attribute.value {
        Value::Text(_) if kind == "Binary" => Err(AttributeFault::OtherKind(of_type())),
        Value::Binary(_) if kind != "Binary" => Err(AttributeFault::OtherKind(of_type())),
        Value::Text(text) if text.is_empty() => Err(AttributeFault::Empty(of_type())),
        Value::Binary(bytes) if bytes.is_empty() => Err(AttributeFault::Empty(of_type())),
        Value::Text(text) if kind == "Number" && !number_ok(text) => Err(AttributeFault::Number(of_type())),
        _ => Ok(()),
    }
}

/// A decimal number of up to 38 digits, with an optional sign, fraction and exponent.
fn number_ok(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    plain && (1..=38).contains(&digits) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, data_type: &str, value: Value) -> Publication {
        let attribute = Attribute { data_type: data_type.to_owned(), value };
        Publication {
            message: "m".to_owned(),
            attributes: BTreeMap::from([(name.to_owned(), attribute)]),
            ..Publication::default()
        }
    }

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn attributes_of_every_type_are_taken() {
        for (data_type, value) in [
            ("String", text("blue")),
            ("String.Array", text("[\"a\", 1, true, null]")),
            ("Number", text("-12.5")),
            ("Number.int", text("7")),
            ("Binary", Value::Binary(vec![0, 255])),
            ("Binary.gif", Value::Binary(vec![1])),
        ] {
            assert!(with("colour", data_type, value).wordings().is_ok(), "{data_type}");
        }
    }

    #[test]
    fn bad_attributes_are_refused_with_their_fault() {
        let fault = |name: &str, data_type: &str, value: Value| match with(name, data_type, value).wordings() {
            Err(Error::MessageAttribute { why, .. }) => why,
            other => panic!("{name} {data_type}: {other:?}"),
        };
        assert_eq!(fault("", "String", text("x")), AttributeFault::NameEmpty);
        assert_eq!(fault(".a", "String", text("x")), AttributeFault::NameStartsWithDot);
        assert_eq!(fault("a.", "String", text("x")), AttributeFault::NameEndsWithDot);
        assert_eq!(fault("a..b", "String", text("x")), AttributeFault::NameHasTwoDots);
        assert_eq!(fault("a\r\nb", "String", text("x")), AttributeFault::NameCharacter('\r'));
        assert_eq!(fault(&"a".repeat(257), "String", text("x")), AttributeFault::NameTooLong);
        assert_eq!(fault("a", "Text", text("x")), AttributeFault::DataType("Text".to_owned()));
        assert_eq!(fault("a", "String.", text("x")), AttributeFault::DataType("String.".to_owned()));
        assert_eq!(fault("a", "String", text("")), AttributeFault::Empty("String".to_owned()));
        assert_eq!(fault("a", "Binary", text("x")), AttributeFault::OtherKind("Binary".to_owned()));
        assert_eq!(fault("a", "Number", Value::Binary(vec![1])), AttributeFault::OtherKind("Number".to_owned()));
        for odd in ["x", "1e999", "NaN", "inf", "0x10", &"9".repeat(39)] {
            assert_eq!(fault("a", "Number", text(odd)), AttributeFault::Number("Number".to_owned()), "{odd}");
        }
    }

    #[test]
    fn subject_and_size_have_limits() {
        let message = |len: usize| Publication { message: "x".repeat(len), ..Publication::default() };
        assert!(message(MAX_BYTES).wordings().is_ok());
        assert!(matches!(message(MAX_BYTES + 1).wordings(), Err(Error::MessageTooLong)));
        assert!(matches!(message(0).wordings(), Err(Error::MessageEmpty)));
        let mut publication = with("name", "String", text("value"));
        publication.message = "x".repeat(MAX_BYTES - "nameStringvalue".len() + 1);
        assert!(matches!(publication.wordings(), Err(Error::MessageTooLong)));
        for (subject, ok) in [("s".repeat(100), true), ("s".repeat(101), false), (String::new(), false)] {
            let publication = Publication { subject: Some(subject), ..message(1) };
            assert_eq!(publication.wordings().is_ok(), ok);
        }
        let broken = Publication { subject: Some("a\r\nBcc: x".to_owned()), ..message(1) };
        assert!(matches!(broken.wordings(), Err(Error::Subject)));
    }

    #[test]
    fn structured_messages_have_a_wording_per_protocol() {
        let structured = |message: &str| {
            let publication =
                Publication { message: message.to_owned(), structure_json: true, ..Publication::default() };
            publication.wordings()
        };
        let wordings = structured(r#"{"default":"d","http":"h","sqs":5,"email":"e"}"#).expect("good");
        assert_eq!((wordings.of(Protocol::Http), wordings.of(Protocol::Sqs)), ("h", "d"));
        assert!(matches!(structured("{"), Err(Error::StructureSyntax)));
        assert!(matches!(structured("[1]"), Err(Error::StructureSyntax)));
        assert!(matches!(structured("{\"http\":\"h\"}"), Err(Error::StructureDefault)));
        assert!(matches!(structured("{\"default\":1}"), Err(Error::StructureDefault)));
    }
}
