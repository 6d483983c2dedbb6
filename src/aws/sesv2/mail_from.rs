//! MAIL FROM domains in the second API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::ses::texts::identity_missing;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::identity;
use crate::store::identities::{MailFrom, Standing};

/// An identity's MAIL FROM domain. One without it has the last member alone, as in SES.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MailFromAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from_domain_status: Option<Standing>,
    behavior_on_mx_failure: &'static str,
}

impl MailFromAttributes {
    /// How it stands.
    pub(super) fn of(mail_from: Option<MailFrom>) -> Self {
        let reject = mail_from.as_ref().is_some_and(|m| m.reject);
        let (mail_from_domain, mail_from_domain_status) = mail_from.map(|m| (m.domain, m.status)).unzip();
        let behavior_on_mx_failure = if reject { "REJECT_MESSAGE" } else { "USE_DEFAULT_VALUE" };
        Self { mail_from_domain, mail_from_domain_status, behavior_on_mx_failure }
    }
}

/// The domain to use; none takes it away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityMailFromAttributesRequest {
    email_identity: String,
    mail_from_domain: Option<String>,
    behavior_on_mx_failure: Option<String>,
}

/// Sets an identity's MAIL FROM domain, or takes it away.
///
/// # Errors
/// An identity that does not exist; a domain that is not under it.
pub(super) async fn put_email_identity_mail_from_attributes(
    services: &Services,
    caller: &Caller,
    input: PutEmailIdentityMailFromAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    let (mut found, behavior) = (Violations::default(), input.behavior_on_mx_failure.as_deref());
    found.one_of("behaviorOnMxFailure", behavior, &["REJECT_MESSAGE", "USE_DEFAULT_VALUE"]);
    found.finish()?;
    let reject = behavior == Some("REJECT_MESSAGE");
    let domain = input.mail_from_domain.as_deref();
    let (account, region) = (&caller.account, &caller.region);
    let set = services.identities.set_mail_from(account, region, &input.email_identity, domain, reject).await;
    // This operation names what is no identity as the first API does.
    set.map_err(|error| match error {
        identity::Error::Missing(name) => SesV2Error::BadRequest(identity_missing(&name)),
        other => other.into(),
    })?;
    Ok(NoMembers {})
}
