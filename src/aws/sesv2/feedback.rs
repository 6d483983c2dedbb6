//! Feedback forwarding in the second API.
use serde::Deserialize;

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::notifications::unknown_identity;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::content::feedback;

/// Whose bounces and complaints go out as mails.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityFeedbackAttributesRequest {
    email_identity: String,
    #[serde(default)]
    email_forwarding_enabled: bool,
}

/// Sets whether bounces and complaints go to the sender as mails.
///
/// # Errors
/// An identity that does not exist.
pub(super) async fn put_email_identity_feedback_attributes(
    services: &Services,
    caller: &Caller,
    input: PutEmailIdentityFeedbackAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    let (account, region, enabled) = (&caller.account, &caller.region, input.email_forwarding_enabled);
    // Unlike the first API, this one does not ask for topics: events of configuration sets may tell the same.
    match services.feedback.set_forwarding(account, region, &input.email_identity, enabled, false).await {
        Ok(()) => Ok(NoMembers {}),
        Err(feedback::Error::Internal(error)) => Err(SesV2Error::Internal(error)),
        Err(_) => Err(SesV2Error::BadRequest(unknown_identity(&input.email_identity))),
    }
}
