//! The notification of received mail, as SES publishes it (developer guide, "Contents of notifications for Amazon SES
//! email receiving"): what arrived, what the checks said, and which action ran.
use serde::Serialize;

use crate::base::{Arn, EmailAddress, Timestamp};
use crate::mail::message::parse::{CommonHeaders, HeaderField};
use crate::mail::receiving::checks::{Verdict, Verdicts};
use crate::mail::receiving::rules::Encoding;
use crate::outlets::functions::Invocation;

/// The subject of every such notification, as SES gives it.
pub const SUBJECT: &str = "Amazon SES Email Receipt Notification";

/// What a notification tells of the mail, whatever the action.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The message id.
    pub message_id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// The reverse path; empty for the null one.
    pub source: String,
    /// All recipients of the mail in this account and region, by its envelope.
    pub recipients: Vec<EmailAddress>,
    /// The addresses in its To and Cc (SES guide, "Contents of notifications": from the MIME header).
    pub destination: Vec<String>,
    /// The header fields, up to 10 KB of them.
    pub headers: Vec<HeaderField>,
    /// Whether some were left out.
    pub headers_truncated: bool,
    /// The fields that are repeated.
    pub common_headers: CommonHeaders,
    /// What the checks said.
    pub verdicts: Verdicts,
}

/// The action that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionTaken {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_key_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_reply_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invocation_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<Vec<String>>,
}

impl ActionTaken {
    fn of(kind: &'static str, topic: &Arn) -> Self {
        Self::maybe(kind, Some(topic))
    }

    fn maybe(kind: &'static str, topic: Option<&Arn>) -> Self {
        Self { kind, topic_arn: topic.map(ToString::to_string), ..Self::default() }
    }

    /// The Lambda action.
    pub fn lambda(topic: Option<&Arn>, function: &Arn, how: Invocation) -> Self {
        Self {
            function_arn: Some(function.to_string()),
            invocation_type: Some(how.as_str()),
            ..Self::maybe("Lambda", topic)
        }
    }

    /// The webhook action, one of our own.
    pub fn webhook(topic: Option<&Arn>, url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::maybe("Webhook", topic) }
    }

    /// The SQS action, one of our own.
    pub fn sqs(topic: Option<&Arn>, queue: &Arn, encoding: Encoding) -> Self {
        Self { queue_arn: Some(queue.to_string()), encoding: Some(word(encoding)), ..Self::maybe("SQS", topic) }
    }

    /// The forward action, one of our own.
    pub fn forward(topic: &Arn, to: &[EmailAddress]) -> Self {
        Self { recipients: Some(to.iter().map(ToString::to_string).collect()), ..Self::of("Forward", topic) }
    }

    /// The SNS action.
    pub fn sns(topic: &Arn, encoding: Encoding) -> Self {
        Self { encoding: Some(word(encoding)), ..Self::of("SNS", topic) }
    }

    /// The S3 action, after the put.
    pub fn s3(topic: &Arn, bucket: &str, prefix: Option<&str>, key: &str) -> Self {
        Self {
            bucket_name: Some(bucket.to_owned()),
            object_key_prefix: Some(prefix.unwrap_or_default().to_owned()),
            object_key: Some(key.to_owned()),
            ..Self::of("S3", topic)
        }
    }

    /// The Bounce action.
    pub fn bounce(topic: &Arn, reply_code: &str, status: Option<&str>, message: &str, sender: &EmailAddress) -> Self {
        Self {
            smtp_reply_code: Some(reply_code.to_owned()),
            status_code: status.map(str::to_owned),
            message: Some(message.to_owned()),
            sender: Some(sender.to_string()),
            ..Self::of("Bounce", topic)
        }
    }

    /// The Stop action.
    pub fn stop(topic: &Arn) -> Self {
        Self::of("Stop", topic)
    }
}

fn word(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "UTF8",
        Encoding::Base64 => "BASE64",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Notification<'a> {
    notification_type: &'static str,
    mail: MailPart<'a>,
    receipt: ReceiptPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

/// What is told of the mail.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::mail::receiving) struct MailPart<'a> {
    timestamp: String,
    source: &'a str,
    message_id: &'a str,
    destination: &'a [String],
    headers_truncated: bool,
    headers: &'a [HeaderField],
    common_headers: &'a CommonHeaders,
}

#[derive(Serialize)]
struct Status {
    status: Verdict,
}

/// What is told of its receipt and of the action.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::mail::receiving) struct ReceiptPart<'a> {
    timestamp: String,
    processing_time_millis: i64,
    recipients: &'a [&'a EmailAddress],
    spam_verdict: Status,
    virus_verdict: Status,
    spf_verdict: Status,
    dkim_verdict: Status,
    dmarc_verdict: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    dmarc_policy: Option<&'static str>,
    action: &'a ActionTaken,
}

/// Writes the notification of one action for the `recipients` that its rule is for. Only the SNS action has `content`,
/// the mail itself.
pub fn write(
    facts: &Facts,
    recipients: &[&EmailAddress],
    action: &ActionTaken,
    now: Timestamp,
    content: Option<&str>,
) -> Result<String, serde_json::Error> {
    let (mail, receipt) = told(facts, recipients, action, now);
    serde_json::to_string(&Notification { notification_type: "Received", mail, receipt, content })
}

/// The two parts that every record of a received mail has.
pub(in crate::mail::receiving) fn told<'a>(
    facts: &'a Facts,
    recipients: &'a [&'a EmailAddress],
    action: &'a ActionTaken,
    now: Timestamp,
) -> (MailPart<'a>, ReceiptPart<'a>) {
    let timestamp = facts.received_at.iso_millis();
    let verdicts = &facts.verdicts;
    let mail = MailPart {
        timestamp: timestamp.clone(),
        source: &facts.source,
        message_id: &facts.message_id,
        destination: &facts.destination,
        headers_truncated: facts.headers_truncated,
        headers: &facts.headers,
        common_headers: &facts.common_headers,
    };
    let receipt = ReceiptPart {
        timestamp,
        processing_time_millis: i64::try_from(now.since(facts.received_at).as_millis()).unwrap_or(i64::MAX),
        recipients,
        spam_verdict: Status { status: verdicts.spam },
        virus_verdict: Status { status: verdicts.virus },
        spf_verdict: Status { status: verdicts.spf },
        dkim_verdict: Status { status: verdicts.dkim },
        dmarc_verdict: Status { status: verdicts.dmarc },
        dmarc_policy: verdicts.dmarc_policy,
        action,
    };
    (mail, receipt)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mail::message::parse;

    #[test]
    fn the_record_is_the_one_that_ses_writes() {
        let raw = b"From: Ann <ann@y.example>\r\nTo: bob@x.example\r\nSubject: hello\r\n\r\nbody\r\n";
        let bob: EmailAddress = "bob@x.example".parse().expect("an address");
        let received_at = Timestamp::from_micros(1_767_323_045_678_901);
        let facts = Facts {
            message_id: "d6iitobk75ur44p8kdnnp7g2n800".to_owned(),
            received_at,
            source: "ann@y.example".to_owned(),
            recipients: vec![bob.clone()],
            destination: vec!["all@x.example".to_owned()],
            headers: parse::header_fields(raw),
            headers_truncated: false,
            common_headers: parse::common_headers(raw, "ann@y.example"),
            verdicts: Verdicts {
                spam: Verdict::Disabled,
                virus: Verdict::Disabled,
                spf: Verdict::Pass,
                dkim: Verdict::Gray,
                dmarc: Verdict::Fail,
                dmarc_policy: Some("reject"),
                headers: String::new(),
                temporary: false,
            },
        };
        let topic: Arn = "arn:aws:sns:us-east-1:000000000000:mail".parse().expect("an arn");
        let action = ActionTaken::sns(&topic, Encoding::Utf8);
        let now = received_at + Duration::from_millis(222);
        let text = write(&facts, &[&bob], &action, now, Some("the mail")).expect("json");
        let told: serde_json::Value = serde_json::from_str(&text).expect("json");
        let expected = serde_json::json!({
            "notificationType": "Received",
            "mail": {
                "timestamp": "2026-01-02T03:04:05.678Z",
                "source": "ann@y.example",
                "messageId": "d6iitobk75ur44p8kdnnp7g2n800",
                "destination": ["all@x.example"],
                "headersTruncated": false,
                "headers": [
                    {"name": "From", "value": "Ann <ann@y.example>"},
                    {"name": "To", "value": "bob@x.example"},
                    {"name": "Subject", "value": "hello"}
                ],
                "commonHeaders": {
                    "returnPath": "ann@y.example",
                    "from": ["Ann <ann@y.example>"],
                    "to": ["bob@x.example"],
                    "subject": "hello"
                }
            },
            "receipt": {
                "timestamp": "2026-01-02T03:04:05.678Z",
                "processingTimeMillis": 222,
                "recipients": ["bob@x.example"],
                "spamVerdict": {"status": "DISABLED"},
                "virusVerdict": {"status": "DISABLED"},
                "spfVerdict": {"status": "PASS"},
                "dkimVerdict": {"status": "GRAY"},
                "dmarcVerdict": {"status": "FAIL"},
                "dmarcPolicy": "reject",
                "action": {
                    "type": "SNS",
                    "topicArn": "arn:aws:sns:us-east-1:000000000000:mail",
                    "encoding": "UTF8"
                }
            },
            "content": "the mail"
        });
        assert_eq!(told, expected);
        assert!(text.starts_with("{\"notificationType\":\"Received\",\"mail\":{\"timestamp\""));
    }
}
