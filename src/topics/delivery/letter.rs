//! What is posted to an endpoint: body and headers. Source: SNS developer guide, "HTTP/HTTPS headers".
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use crate::base::Timestamp;
use crate::topics::Error;
use crate::topics::delivery::parcel::{Found, Parcel};
use crate::topics::envelope::{Confirmation, Notification};
use crate::topics::job::Asking;
use crate::topics::signing::{Key, Version};
use crate::topics::{subscription, topic};

/// The headers of a published message.
pub(super) fn notification_headers(
    notification: &Notification,
    found: &Found,
    subscription: &str,
    content_type: Option<&str>,
) -> Result<HeaderMap, Error> {
    let mut headers = headers("Notification", &notification.id, found)?;
    headers.insert(HeaderName::from_static("x-amz-sns-subscription-arn"), value(subscription)?);
    if found.subscription.raw {
        headers.insert(HeaderName::from_static("x-amz-sns-rawdelivery"), HeaderValue::from_static("true"));
    }
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, value(content_type)?);
    }
    Ok(headers)
}

/// The letter that asks an endpoint to confirm.
pub(super) fn confirmation(asking: &Asking, found: &Found, key: &Key, version: Version) -> Result<Parcel, Error> {
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
    // Its token is the endpoint's: in a dead-letter queue whoever subscribed it could confirm in its place.
    Ok(Parcel { message_id: asking.id.clone(), headers, body: body.into(), notification: None, missed: false })
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
