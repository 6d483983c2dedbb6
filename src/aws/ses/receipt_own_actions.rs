//! The actions of a receipt rule that SES v1 does not have, in the shape of those that it has. An SDK cannot send them, a
//! signed Query request and `postrider admin receipt-rule` can.
use serde::{Deserialize, Serialize};

use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_members::{encoding, invalid, optional_topic, word};
use crate::base::Arn;
use crate::mail::receiving::rules::Action;

/// Posts the parsed mail to a URL, signed as the Standard Webhooks are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WebhookAction {
    topic_arn: Option<String>,
    url: String,
    /// Never told. An update without it keeps that of the same URL.
    #[serde(skip_serializing)]
    secret: Option<String>,
    /// Where the message and its attachments go.
    bucket_name: Option<String>,
    object_key_prefix: Option<String>,
}

/// Sends the mail to a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqsAction {
    topic_arn: Option<String>,
    queue_arn: String,
    encoding: Option<String>,
}

/// Sends the mail on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ForwardAction {
    topic_arn: Option<String>,
    recipients: Vec<String>,
}

pub(super) fn webhook(action: WebhookAction) -> Result<Action, ReceiptError> {
    Ok(Action::Webhook {
        url: action.url,
        secret: action.secret.unwrap_or_default(),
        bucket: action.bucket_name.filter(|bucket| !bucket.is_empty()),
        prefix: action.object_key_prefix.filter(|prefix| !prefix.is_empty()),
        topic: optional_topic(action.topic_arn)?,
    })
}

pub(super) fn sqs(action: SqsAction) -> Result<Action, ReceiptError> {
    let queue = action.queue_arn.parse();
    Ok(Action::Sqs {
        queue: queue.map_err(|_| invalid(format!("Invalid queue: {}", action.queue_arn)))?,
        encoding: encoding(action.encoding.as_deref())?,
        topic: optional_topic(action.topic_arn)?,
    })
}

pub(super) fn forward(action: ForwardAction) -> Result<Action, ReceiptError> {
    let address = |text: &String| text.parse().map_err(|error| invalid(format!("Invalid recipient: {error}")));
    let to = action.recipients.iter().map(address).collect::<Result<_, _>>()?;
    Ok(Action::Forward { to, topic: optional_topic(action.topic_arn)? })
}

/// The member of the wire's action that is set.
pub(super) fn told(action: Action) -> (Option<WebhookAction>, Option<SqsAction>, Option<ForwardAction>) {
    let text = |topic: Option<Arn>| topic.map(|topic| topic.to_string());
    match action {
        Action::Webhook { url, secret: _, bucket, prefix, topic } => {
            let (topic_arn, secret) = (text(topic), None);
            let wire = WebhookAction { topic_arn, url, secret, bucket_name: bucket, object_key_prefix: prefix };
            (Some(wire), None, None)
        }
        Action::Sqs { queue, encoding, topic } => {
            let (topic_arn, queue_arn) = (text(topic), queue.to_string());
            (None, Some(SqsAction { topic_arn, queue_arn, encoding: Some(word(encoding)) }), None)
        }
        Action::Forward { to, topic } => {
            let recipients = to.iter().map(ToString::to_string).collect();
            (None, None, Some(ForwardAction { topic_arn: text(topic), recipients }))
        }
        _ => (None, None, None),
    }
}
