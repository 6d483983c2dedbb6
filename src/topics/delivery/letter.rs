//! What is posted to an endpoint: body and headers. Source: SNS developer guide, "HTTP/HTTPS headers".
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::base::Timestamp;
use crate::topics::Error;
use crate::topics::delivery::worker::Found;
use crate::topics::envelope::{Confirmation, Notification};
use crate::topics::job::Asking;
use crate::topics::signing::{Key, Version};
use crate::topics::{subscription, topic};

/// A message on its way to an endpoint.
pub(super) struct Letter {
    pub message_id: String,
    pub message_type: &'static str,
    pub headers: HeaderMap,
    pub body: String,
}

/// The letter of a published message: in its envelope, or as it is for a raw subscription.
pub(super) fn notification(
    notification: &mut Notification,
    found: &Found,
    key: &Key,
    content_type: Option<String>,
) -> Result<Letter, Error> {
    let subscription = subscription::arn(&topic::arn(&found.topic), &found.subscription.uuid).to_string();
    let body = if found.subscription.raw {
        notification.message.clone()
    } else {
        notification.sign(key)?;
        notification.envelope(key, &subscription)
    };
    let message_type = "Notification";
    let mut headers = headers(message_type, &notification.id, found)?;
    headers.insert(HeaderName::from_static("x-amz-sns-subscription-arn"), value(&subscription)?);
    if found.subscription.raw {
        headers.insert(HeaderName::from_static("x-amz-sns-rawdelivery"), HeaderValue::from_static("true"));
    }
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, value(&content_type)?);
    }
    Ok(Letter { message_id: notification.id.clone(), message_type, headers, body })
}

/// The letter that asks an endpoint to confirm.
pub(super) fn confirmation(asking: &Asking, found: &Found, key: &Key, version: Version) -> Result<Letter, Error> {
    let topic = topic::arn(&found.topic);
    let subscription = subscription::arn(&topic, &asking.subscription);
    let message_type = asking.what.message_type();
    let confirmation = Confirmation {
        kind: message_type,
        id: &asking.id,
        token: &asking.token,
        topic: &topic.to_string(),
        message: &asking.what.text(&topic, &subscription),
        at: Timestamp::from_micros(asking.at),
        base: &asking.base,
    };
    let body = confirmation.envelope(key, version)?;
    let mut headers = headers(message_type, &asking.id, found)?;
    if message_type == "UnsubscribeConfirmation" {
        // The endpoint learns the subscription's ARN by confirming, not before.
        headers.insert(HeaderName::from_static("x-amz-sns-subscription-arn"), value(&subscription.to_string())?);
    }
    Ok(Letter { message_id: asking.id.clone(), message_type, headers, body })
}

fn headers(message_type: &str, message_id: &str, found: &Found) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(HeaderName::from_static("x-amz-sns-message-type"), value(message_type)?);
    headers.insert(HeaderName::from_static("x-amz-sns-message-id"), value(message_id)?);
    headers.insert(HeaderName::from_static("x-amz-sns-topic-arn"), value(&topic::arn(&found.topic).to_string())?);
    Ok(headers)
}

/// A header's value; line breaks and other control characters are refused, not passed on.
fn value(text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|why| Error::Client(why.to_string()))
}
