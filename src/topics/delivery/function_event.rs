//! The event that a subscribed function gets, and the record that a stream gets. Source: AWS Lambda developer guide, "Invoking Lambda functions with Amazon SNS
//! notifications". The names of the two links end in `Url` here, not in `URL`.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use crate::base::Timestamp;
use crate::topics::envelope::{Notification, unsubscribe_url};
use crate::topics::signing::Key;
use crate::topics::{Attribute, Value};

/// The event for one signed notification; `subscription` is its ARN.
pub(super) fn event(notification: &Notification, key: &Key, subscription: &str) -> Json {
    json!({ "Records": [{
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": {
            "Type": "Notification",
            "MessageId": notification.id,
            "TopicArn": notification.topic,
            "Subject": notification.subject,
            "Message": notification.message,
            "Timestamp": Timestamp::from_micros(notification.at).iso_millis(),
            "SignatureVersion": notification.version.as_str(),
            "Signature": notification.signature,
            "SigningCertUrl": key.url(&notification.base),
            "UnsubscribeUrl": unsubscribe_url(&notification.base, subscription),
            "MessageAttributes": attributes(notification),
        },
    }]})
}

/// The record that a subscribed stream gets, on one line; `subscription` is its ARN. Source: SNS developer guide, "Fanout to
/// Firehose delivery streams". It is not signed.
pub(super) fn record(notification: &Notification, subscription: &str) -> String {
    let mut record = Map::new();
    record.insert("Type".to_owned(), "Notification".into());
    record.insert("MessageId".to_owned(), notification.id.clone().into());
    record.insert("TopicArn".to_owned(), notification.topic.clone().into());
    if let Some(subject) = &notification.subject {
        record.insert("Subject".to_owned(), subject.clone().into());
    }
    record.insert("Message".to_owned(), notification.message.clone().into());
    record.insert("Timestamp".to_owned(), Timestamp::from_micros(notification.at).iso_millis().into());
    record.insert("UnsubscribeURL".to_owned(), unsubscribe_url(&notification.base, subscription).into());
    if !notification.attributes.is_empty() {
        record.insert("MessageAttributes".to_owned(), attributes(notification));
    }
    Json::Object(record).to_string()
}

fn attributes(notification: &Notification) -> Json {
    let one = |(name, attribute): (&String, &Attribute)| {
        let value = match &attribute.value {
            Value::Text(text) => text.clone(),
            Value::Binary(bytes) => STANDARD.encode(bytes),
        };
        (name.clone(), json!({ "Type": attribute.data_type, "Value": value }))
    };
    Json::Object(notification.attributes.iter().map(one).collect())
}
