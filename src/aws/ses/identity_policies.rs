//! Policies of identities in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::identity;
use crate::mail::identity::policies::Put;
use crate::store::identity_policies::IdentityPolicy;

/// How many names one GetIdentityPolicies may ask for (SES API reference).
const ASKED_MAX: usize = 20;

/// A policy to make or to replace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutIdentityPolicyRequest {
    identity: String,
    policy_name: String,
    policy: String,
}

/// Makes a policy, or replaces the one of this name.
///
/// # Errors
/// An identity that does not exist; what is no policy.
pub(super) async fn put_identity_policy(
    services: &Services,
    caller: &Caller,
    input: PutIdentityPolicyRequest,
) -> Result<NoMembers, SesError> {
    let policy = IdentityPolicy { name: input.policy_name, policy: input.policy };
    let (account, region) = (&caller.account, &caller.region);
    let put = services.identities.put_policy(account, region, &input.identity, policy, Put::Any).await;
    // This operation does not name what is no identity.
    put.map_err(|error| match error {
        identity::Error::Missing(_) => {
            let text = "Invalid identity. Must be a verified email address or domain.";
            SesError::InvalidParameterValue(text.to_owned())
        }
        other => other.into(),
    })?;
    Ok(NoMembers {})
}

/// The policies to tell.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetIdentityPoliciesRequest {
    identity: String,
    #[serde(default)]
    policy_names: Vec<String>,
}

/// Those that exist, by their names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetIdentityPoliciesResponse {
    policies: BTreeMap<String, String>,
}

/// Tells the policies of these names; names that are none are left out.
///
/// # Errors
/// An identity that does not exist; more than 20 names.
pub(super) async fn get_identity_policies(
    services: &Services,
    caller: &Caller,
    input: GetIdentityPoliciesRequest,
) -> Result<GetIdentityPoliciesResponse, SesError> {
    if input.policy_names.len() > ASKED_MAX {
        return Err(SesError::InvalidParameterValue(format!("The number of policy names exceeds {ASKED_MAX}.")));
    }
    let found = services.identities.get(&caller.account, &caller.region, &input.identity).await?;
    let wanted = found.policies.into_iter().filter(|policy| input.policy_names.contains(&policy.name));
    Ok(GetIdentityPoliciesResponse { policies: wanted.map(|policy| (policy.name, policy.policy)).collect() })
}

/// The identity whose policies to list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListIdentityPoliciesRequest {
    identity: String,
}

/// Their names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListIdentityPoliciesResponse {
    policy_names: Vec<String>,
}

/// Lists the names of an identity's policies.
///
/// # Errors
/// An identity that does not exist.
pub(super) async fn list_identity_policies(
    services: &Services,
    caller: &Caller,
    input: ListIdentityPoliciesRequest,
) -> Result<ListIdentityPoliciesResponse, SesError> {
    let found = services.identities.get(&caller.account, &caller.region, &input.identity).await?;
    Ok(ListIdentityPoliciesResponse { policy_names: found.policies.into_iter().map(|policy| policy.name).collect() })
}

/// The policy to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteIdentityPolicyRequest {
    identity: String,
    policy_name: String,
}

/// Removes a policy; one that is not there is gone already.
///
/// # Errors
/// An identity that does not exist.
pub(super) async fn delete_identity_policy(
    services: &Services,
    caller: &Caller,
    input: DeleteIdentityPolicyRequest,
) -> Result<NoMembers, SesError> {
    let (account, region) = (&caller.account, &caller.region);
    services.identities.delete_policy(account, region, &input.identity, &input.policy_name).await?;
    Ok(NoMembers {})
}
