//! The JSON that subscribers get, laid out as SNS lays it out: one key per line, a space around the colons.
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::Timestamp;
use crate::topics::signing::{Key, Version, canonical};
use crate::topics::{Attribute, Error, Value};

/// A published message as one protocol's subscribers get it: everything but the subscription's own link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The MessageId.
    pub id: String,
    /// The topic's ARN.
    pub topic: String,
    /// The subject.
    pub subject: Option<String>,
    /// The text for this protocol.
    pub message: String,
    /// When it was published, microseconds.
    pub at: i64,
    /// Message attributes.
    pub attributes: BTreeMap<String, Attribute>,
    /// `scheme://host` of the links.
    pub base: String,
    /// How it is signed.
    pub version: Version,
    /// The signature; `None` where nobody needed one when it was published. Then the envelope has none either.
    pub signature: Option<String>,
    /// The place in a FIFO topic. Such a message is not signed, as on AWS.
    #[serde(default)]
    pub sequence: Option<String>,
    /// Whether it comes from the topic's archive.
    #[serde(default)]
    pub replayed: bool,
}

/// An envelope but for the subscription's own link: what is the same for all subscriptions is written once.
pub struct Frame {
    head: String,
    base: String,
    tail: String,
}

impl Frame {
    /// The body for a subscription: `subscription` is its ARN.
    pub fn around(&self, subscription: &str) -> String {
        format!("{}{}{}", self.head, quote(&unsubscribe_url(&self.base, subscription)), self.tail)
    }
}

impl Notification {
    /// Signs it, if it is not signed yet.
    pub fn sign(&mut self, key: &Key) -> Result<(), Error> {
        if self.signature.is_none() {
            self.signature = Some(key.sign(self.version, &self.text_to_sign())?);
        }
        Ok(())
    }

    /// The text that the signature is over.
    pub fn text_to_sign(&self) -> String {
        let at = Timestamp::from_micros(self.at).iso_millis();
        canonical::notification(&self.message, &self.id, self.subject.as_deref(), &at, &self.topic)
    }

    /// The body for a subscription: `subscription` is its ARN.
    pub fn envelope(&self, key: &Key, subscription: &str) -> String {
        self.frame(key).around(subscription)
    }

    /// The body for any subscription.
    pub fn frame(&self, key: &Key) -> Frame {
        let mut body = Lines::new();
        body.text("Type", "Notification");
        body.text("MessageId", &self.id);
        if let Some(sequence) = &self.sequence {
            body.text("SequenceNumber", sequence);
        }
        body.text("TopicArn", &self.topic);
        if let Some(subject) = &self.subject {
            body.text("Subject", subject);
        }
        body.text("Message", &self.message);
        body.text("Timestamp", &Timestamp::from_micros(self.at).iso_millis());
        if let (None, Some(signature)) = (&self.sequence, &self.signature) {
            body.text("SignatureVersion", self.version.as_str());
            body.text("Signature", signature);
            body.text("SigningCertURL", &key.url(&self.base));
        }
        body.raw("UnsubscribeURL", "");
        let mut tail = Lines(String::new());
        // What comes after the link begins with a comma.
        if !self.attributes.is_empty() {
            tail.more("MessageAttributes", &attributes(&self.attributes));
        }
        if self.replayed {
            tail.more("Replayed", &quote("true"));
        }
        Frame { head: body.0, base: self.base.clone(), tail: tail.end() }
    }
}

/// A message that asks an endpoint to confirm that it wants to be subscribed, or to be subscribed again.
pub struct Confirmation<'a> {
    /// `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub kind: &'static str,
    /// The MessageId.
    pub id: &'a str,
    /// What confirms.
    pub token: &'a str,
    /// The topic's ARN.
    pub topic: &'a str,
    /// The text for a person.
    pub message: &'a str,
    /// When it was made.
    pub at: Timestamp,
    /// `scheme://host` of the links.
    pub base: &'a str,
}

impl Confirmation<'_> {
    /// The signed body.
    pub fn envelope(&self, key: &Key, version: Version) -> Result<String, Error> {
        let subscribe_url = subscribe_url(self.base, self.topic, self.token);
        let timestamp = self.at.iso_millis();
        let signature = key.sign(
            version,
            &canonical::confirmation(&canonical::Confirmation {
                message: self.message,
                id: self.id,
                subscribe_url: &subscribe_url,
                timestamp: &timestamp,
                token: self.token,
                topic: self.topic,
                kind: self.kind,
            }),
        )?;
        let mut body = Lines::new();
        body.text("Type", self.kind);
        body.text("MessageId", self.id);
        body.text("Token", self.token);
        body.text("TopicArn", self.topic);
        body.text("Message", self.message);
        body.text("SubscribeURL", &subscribe_url);
        body.text("Timestamp", &timestamp);
        body.text("SignatureVersion", version.as_str());
        body.text("Signature", &signature);
        body.text("SigningCertURL", &key.url(self.base));
        Ok(body.end())
    }
}

/// The link that confirms a subscription.
pub fn subscribe_url(base: &str, topic: &str, token: &str) -> String {
    format!("{base}/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}")
}

/// The link that ends a subscription.
pub fn unsubscribe_url(base: &str, subscription: &str) -> String {
    format!("{base}/?Action=Unsubscribe&SubscriptionArn={subscription}")
}

/// The page where a person confirms a subscription: it asks, so that a program that follows links confirms nothing.
pub fn confirmation_page(base: &str, topic: &str, token: &str, endpoint: &str) -> String {
    let query = query(&[("TopicArn", topic), ("Token", token), ("Endpoint", endpoint)]);
    format!("{base}/confirmation.html?{query}")
}

/// The page where a person ends a subscription.
pub fn unsubscribe_page(base: &str, subscription: &str, endpoint: &str) -> String {
    let query = query(&[("SubscriptionArn", subscription), ("Endpoint", endpoint)]);
    format!("{base}/unsubscribe.html?{query}")
}

fn query(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn attributes(attributes: &BTreeMap<String, Attribute>) -> String {
    let line = |(name, attribute): (&String, &Attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => text.clone(),
            Value::Binary(bytes) => STANDARD.encode(bytes),
        };
        let (name, kind, value) = (quote(name), quote(&attribute.data_type), quote(&value));
        format!("    {name} : {{\"Type\":{kind},\"Value\":{value}}}")
    };
    let lines: Vec<String> = attributes.iter().map(line).collect();
    format!("{{\n{}\n  }}", lines.join(",\n"))
}

fn quote(text: &str) -> String {
    Json::from(text).to_string()
}

struct Lines(String);

impl Lines {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quote(value));
    }

    fn raw(&mut self, key: &str, json: &str) {
        let comma = if self.0.len() > 1 { "," } else { "" };
        self.line(comma, key, json);
    }

    fn more(&mut self, key: &str, json: &str) {
        self.line(",", key, json);
    }

    fn line(&mut self, comma: &str, key: &str, json: &str) {
        self.0.push_str(comma);
        self.0.push_str("\n  \"");
        self.0.push_str(key);
        self.0.push_str("\" : ");
        self.0.push_str(json);
    }

    fn end(mut self) -> String {
        self.0.push_str("\n}");
        self.0
    }
}
