//! What an identity's bounces, complaints and deliveries tell whom, in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::content::feedback;
use crate::store::identity_notifications::{Notification, NotificationKind};

/// SES: identities of one call.
const IDENTITIES_MAX: usize = 100;

impl From<feedback::Error> for SesError {
    fn from(error: feedback::Error) -> Self {
        use feedback::Error as E;
        match error {
            E::Missing(name) => Self::InvalidParameterValue(unknown_identity(&name)),
            E::Kind(kind) => Self::InvalidParameterValue(format!(
                "Invalid notification type: {kind}. Valid values are: {}.",
                NotificationKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
            )),
            E::Topic(topic) => Self::InvalidParameterValue(format!("Invalid SNS topic: {topic}")),
            E::NeedsTopics(name) => Self::InvalidParameterValue(format!(
                "Identity {name} must have both a bounce and a complaint topic before feedback forwarding is disabled."
            )),
            E::Internal(error) => Self::Internal(error),
        }
    }
}

/// The text for the feedback of what is no identity; both APIs have it.
pub fn unknown_identity(name: &str) -> String {
    format!("Identity {name} is invalid. Must be a verified email address or domain.")
}

/// Whose notifications go where.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetIdentityNotificationTopicRequest {
    identity: String,
    notification_type: String,
    sns_topic: Option<String>,
}

/// Sets the topic of one kind of notification; without a topic, there are none of that kind.
///
/// # Errors
/// An identity or a topic that does not exist; a kind that SES does not have.
pub async fn set_identity_notification_topic(
    services: &Services,
    caller: &Caller,
    input: SetIdentityNotificationTopicRequest,
) -> Result<NoMembers, SesError> {
    let topic = input.sns_topic.filter(|topic| !topic.is_empty());
    let (account, region) = (&caller.account, &caller.region);
    services.feedback.set_topic(account, region, &input.identity, &input.notification_type, topic).await?;
    Ok(NoMembers {})
}

/// Whose notifications have headers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetIdentityHeadersInNotificationsEnabledRequest {
    identity: String,
    notification_type: String,
    enabled: bool,
}

/// Sets whether one kind of notification tells the mail's headers.
///
/// # Errors
/// An identity that does not exist; a kind that SES does not have.
pub async fn set_identity_headers_in_notifications_enabled(
    services: &Services,
    caller: &Caller,
    input: SetIdentityHeadersInNotificationsEnabledRequest,
) -> Result<NoMembers, SesError> {
    let (account, region) = (&caller.account, &caller.region);
    let (identity, kind) = (&input.identity, &input.notification_type);
    let set = services.feedback.set_headers(account, region, identity, kind, input.enabled).await;
    // This operation alone answers so.
    set.map_err(|error| match error {
        feedback::Error::Missing(name) => {
            SesError::MessageRejected(format!("Identity {name} is not verified or does not exist."))
        }
        other => other.into(),
    })?;
    Ok(NoMembers {})
}

/// Whose bounces and complaints go out as mails.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetIdentityFeedbackForwardingEnabledRequest {
    identity: String,
    forwarding_enabled: bool,
}

/// Sets whether bounces and complaints go to the sender as mails. Off needs topics for both.
///
/// # Errors
/// An identity that does not exist, or that has no topics.
pub async fn set_identity_feedback_forwarding_enabled(
    services: &Services,
    caller: &Caller,
    input: SetIdentityFeedbackForwardingEnabledRequest,
) -> Result<NoMembers, SesError> {
    let (account, region, enabled) = (&caller.account, &caller.region, input.forwarding_enabled);
    services.feedback.set_forwarding(account, region, &input.identity, enabled, true).await?;
    Ok(NoMembers {})
}

/// The identities to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetIdentityNotificationAttributesRequest {
    #[serde(default)]
    identities: Vec<String>,
}

/// What each has set; those that do not exist are not there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetIdentityNotificationAttributesResponse {
    notification_attributes: BTreeMap<String, IdentityNotificationAttributes>,
}

/// What an identity has set.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct IdentityNotificationAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    bounce_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complaint_topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_topic: Option<String>,
    forwarding_enabled: bool,
    headers_in_bounce_notifications_enabled: bool,
    headers_in_complaint_notifications_enabled: bool,
    headers_in_delivery_notifications_enabled: bool,
}

/// Tells what identities have set.
///
/// # Errors
/// More than 100 identities.
pub async fn get_identity_notification_attributes(
    services: &Services,
    caller: &Caller,
    input: GetIdentityNotificationAttributesRequest,
) -> Result<GetIdentityNotificationAttributesResponse, SesError> {
    if input.identities.len() > IDENTITIES_MAX {
        return Err(SesError::InvalidParameterValue(format!("At most {IDENTITIES_MAX} identities.")));
    }
    let mut notification_attributes = BTreeMap::new();
    for identity in input.identities {
        match services.feedback.get(&caller.account, &caller.region, &identity).await {
            Ok(set) => {
                notification_attributes.insert(identity, attributes(set));
            }
            Err(feedback::Error::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(GetIdentityNotificationAttributesResponse { notification_attributes })
}

fn attributes(set: feedback::Settings) -> IdentityNotificationAttributes {
    let mut shown = IdentityNotificationAttributes { forwarding_enabled: set.forwarding, ..Default::default() };
    for Notification { kind, topic_arn, headers } in set.notifications {
        match kind {
            NotificationKind::Bounce => {
                (shown.bounce_topic, shown.headers_in_bounce_notifications_enabled) = (topic_arn, headers)
            }
            NotificationKind::Complaint => {
                (shown.complaint_topic, shown.headers_in_complaint_notifications_enabled) = (topic_arn, headers);
            }
            NotificationKind::Delivery => {
                (shown.delivery_topic, shown.headers_in_delivery_notifications_enabled) = (topic_arn, headers);
            }
        }
    }
    shown
}
