//! The exact text that is signed: `Key\nValue\n` in byte order of the keys. Source: SNS developer guide, "Verifying the
//! signatures of Amazon SNS messages".
use serde::{Deserialize, Serialize};

/// The signature's version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// SHA1withRSA, SNS's default.
    #[default]
    #[serde(rename = "1")]
    Sha1,
    /// SHA256withRSA.
    #[serde(rename = "2")]
    Sha256,
}

impl Version {
    /// Reads the topic attribute SignatureVersion.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "1" => Some(Self::Sha1),
            "2" => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The value of SignatureVersion in a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "1",
            Self::Sha256 => "2",
        }
    }
}

/// The text to sign of a Notification.
pub fn notification(message: &str, id: &str, subject: Option<&str>, timestamp: &str, topic: &str) -> String {
    let mut pairs = vec![("Message", message), ("MessageId", id)];
    pairs.extend(subject.map(|subject| ("Subject", subject)));
    pairs.extend([("Timestamp", timestamp), ("TopicArn", topic), ("Type", "Notification")]);
    lines(&pairs)
}

/// What stands in a SubscriptionConfirmation or UnsubscribeConfirmation and is signed.
pub struct Confirmation<'a> {
    /// The text for a person.
    pub message: &'a str,
    /// The message's id.
    pub id: &'a str,
    /// The link that confirms.
    pub subscribe_url: &'a str,
    /// When it was made.
    pub timestamp: &'a str,
    /// The token in the link.
    pub token: &'a str,
    /// The topic's ARN.
    pub topic: &'a str,
    /// `SubscriptionConfirmation` or `UnsubscribeConfirmation`.
    pub kind: &'a str,
}

/// The text to sign of a confirmation.
pub fn confirmation(parts: &Confirmation<'_>) -> String {
    lines(&[
        ("Message", parts.message),
        ("MessageId", parts.id),
        ("SubscribeURL", parts.subscribe_url),
        ("Timestamp", parts.timestamp),
        ("Token", parts.token),
        ("TopicArn", parts.topic),
        ("Type", parts.kind),
    ])
}

fn lines(pairs: &[(&str, &str)]) -> String {
    pairs.iter().flat_map(|(key, value)| [*key, "\n", *value, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_to_sign_is_the_one_in_the_developer_guide() {
        let topic = "arn:aws:sns:us-east-2:123456789012:My-Topic";
        let with = notification("Test message", "4d4dc071", Some("Test subject"), "2019-01-31T04:37:04.321Z", topic);
        assert_eq!(
            with,
            "Message\nTest message\nMessageId\n4d4dc071\nSubject\nTest subject\nTimestamp\n2019-01-31T04:37:04.321Z\n\
             TopicArn\narn:aws:sns:us-east-2:123456789012:My-Topic\nType\nNotification\n"
        );
        let without = notification("m", "i", None, "t", topic);
        assert_eq!(without, format!("Message\nm\nMessageId\ni\nTimestamp\nt\nTopicArn\n{topic}\nType\nNotification\n"));
    }

    #[test]
    fn a_confirmation_signs_its_link_and_token() {
        let text = confirmation(&Confirmation {
            message: "m",
            id: "i",
            subscribe_url: "u",
            timestamp: "t",
            token: "k",
            topic: "a",
            kind: "SubscriptionConfirmation",
        });
        assert_eq!(
            text,
            "Message\nm\nMessageId\ni\nSubscribeURL\nu\nTimestamp\nt\nToken\nk\nTopicArn\na\nType\n\
             SubscriptionConfirmation\n"
        );
    }
}
