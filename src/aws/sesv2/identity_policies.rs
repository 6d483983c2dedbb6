//! Policies of identities in the second API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::identity;
use crate::mail::identity::policies::Put;
use crate::store::identity_policies::IdentityPolicy;

/// A policy to make or to replace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EmailIdentityPolicyRequest {
    email_identity: String,
    policy_name: String,
    policy: String,
}

/// These operations write an identity's name between brackets.
fn told(error: identity::Error) -> SesV2Error {
    match error {
        identity::Error::Missing(name) => SesV2Error::NotFound(format!("Email identity <{name}> does not exist.")),
        other => other.into(),
    }
}

async fn put(
    services: &Services,
    caller: &Caller,
    input: EmailIdentityPolicyRequest,
    put: Put,
) -> Result<NoMembers, SesV2Error> {
    let policy = IdentityPolicy { name: input.policy_name, policy: input.policy };
    let (account, region) = (&caller.account, &caller.region);
    services.identities.put_policy(account, region, &input.email_identity, policy, put).await.map_err(told)?;
    Ok(NoMembers {})
}

/// Makes a policy.
///
/// # Errors
/// An identity that does not exist; a policy that does; what is no policy.
pub(super) async fn create_email_identity_policy(
    services: &Services,
    caller: &Caller,
    input: EmailIdentityPolicyRequest,
) -> Result<NoMembers, SesV2Error> {
    put(services, caller, input, Put::New).await
}

/// Replaces a policy.
///
/// # Errors
/// An identity or a policy that does not exist; what is no policy.
pub(super) async fn update_email_identity_policy(
    services: &Services,
    caller: &Caller,
    input: EmailIdentityPolicyRequest,
) -> Result<NoMembers, SesV2Error> {
    put(services, caller, input, Put::Old).await
}

/// The policy to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEmailIdentityPolicyRequest {
    email_identity: String,
    policy_name: String,
}

/// Removes a policy; one that is not there is gone already (SES API reference: "returns successfully").
///
/// # Errors
/// An identity that does not exist.
pub(super) async fn delete_email_identity_policy(
    services: &Services,
    caller: &Caller,
    input: DeleteEmailIdentityPolicyRequest,
) -> Result<NoMembers, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    services
        .identities
        .delete_policy(account, region, &input.email_identity, &input.policy_name)
        .await
        .map_err(told)?;
    Ok(NoMembers {})
}

/// The identity whose policies to tell.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailIdentityPoliciesRequest {
    email_identity: String,
}

/// Its policies by their names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailIdentityPoliciesResponse {
    policies: BTreeMap<String, String>,
}

/// Tells an identity's policies.
///
/// # Errors
/// An identity that does not exist.
pub(super) async fn get_email_identity_policies(
    services: &Services,
    caller: &Caller,
    input: GetEmailIdentityPoliciesRequest,
) -> Result<GetEmailIdentityPoliciesResponse, SesV2Error> {
    let found = services.identities.get(&caller.account, &caller.region, &input.email_identity).await.map_err(told)?;
    let policies = found.policies.into_iter().map(|policy| (policy.name, policy.policy)).collect();
    Ok(GetEmailIdentityPoliciesResponse { policies })
}
