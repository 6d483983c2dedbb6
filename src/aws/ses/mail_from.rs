//! MAIL FROM domains in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::ses::error::SesError;
use crate::aws::ses::identity_error::status;
use crate::aws::ses::identity_names::{IdentitiesRequest, each};

/// The domain to use; none takes it away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetIdentityMailFromDomainRequest {
    identity: String,
    mail_from_domain: Option<String>,
    #[serde(rename = "BehaviorOnMXFailure")]
    behavior_on_mx_failure: Option<String>,
}

/// Sets an identity's MAIL FROM domain, or takes it away.
///
/// # Errors
/// An identity that does not exist; a domain that is not under it.
pub(super) async fn set_identity_mail_from_domain(
    services: &Services,
    caller: &Caller,
    input: SetIdentityMailFromDomainRequest,
) -> Result<NoMembers, SesError> {
    let (mut found, behavior) = (Violations::default(), input.behavior_on_mx_failure.as_deref());
    found.one_of("behaviorOnMXFailure", behavior, &["RejectMessage", "UseDefaultValue"]);
    found.finish()?;
    let reject = behavior == Some("RejectMessage");
    let domain = input.mail_from_domain.as_deref();
    let (account, region) = (&caller.account, &caller.region);
    services.identities.set_mail_from(account, region, &input.identity, domain, reject).await?;
    Ok(NoMembers {})
}

/// How the MAIL FROM domain of each known name stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetIdentityMailFromDomainAttributesResponse {
    mail_from_domain_attributes: BTreeMap<String, IdentityMailFromDomainAttributes>,
}

/// How the MAIL FROM domain of a name stands. A name without one has the last member alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IdentityMailFromDomainAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from_domain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail_from_domain_status: Option<&'static str>,
    #[serde(rename = "BehaviorOnMXFailure")]
    behavior_on_mx_failure: &'static str,
}

/// Tells of each name how its MAIL FROM domain stands; a name that is no identity is left out.
///
/// # Errors
/// More than 100 names.
pub(super) async fn get_identity_mail_from_domain_attributes(
    services: &Services,
    caller: &Caller,
    input: IdentitiesRequest,
) -> Result<GetIdentityMailFromDomainAttributesResponse, SesError> {
    let attributes = each(services, caller, input, |found| {
        let mail_from = found.identity.mail_from.as_ref();
        IdentityMailFromDomainAttributes {
            mail_from_domain: mail_from.map(|m| m.domain.clone()),
            mail_from_domain_status: mail_from.map(|m| status(m.status)),
            behavior_on_mx_failure: if mail_from.is_some_and(|m| m.reject) {
                "RejectMessage"
            } else {
                "UseDefaultValue"
            },
        }
    });
    Ok(GetIdentityMailFromDomainAttributesResponse { mail_from_domain_attributes: attributes.await? })
}
