//! GetDataProtectionPolicy, PutDataProtectionPolicy.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::permit;

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetDataProtectionPolicyInput {
    resource_arn: String,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetDataProtectionPolicyResponse {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_protection_policy: Option<String>,
}

/// A topic's data protection policy.
pub(super) async fn get_data_protection_policy(
    services: &Services,
    caller: &Caller,
    input: GetDataProtectionPolicyInput,
) -> Result<GetDataProtectionPolicyResponse, SnsError> {
    let named = input.resource_arn.as_str();
    let arn = permit::topic(services, caller, "ResourceArn", named, "GetDataProtectionPolicy").await?;
    let data_protection_policy = services.topics.data_protection_policy(&arn).await?;
    Ok(GetDataProtectionPolicyResponse { data_protection_policy })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutDataProtectionPolicyInput {
    resource_arn: String,
    data_protection_policy: String,
}

/// Sets a topic's data protection policy, or takes it away where it is empty.
pub(super) async fn put_data_protection_policy(
    services: &Services,
    caller: &Caller,
    input: PutDataProtectionPolicyInput,
) -> Result<(), SnsError> {
    let named = input.resource_arn.as_str();
    let arn = permit::topic(services, caller, "ResourceArn", named, "PutDataProtectionPolicy").await?;
    Ok(services.topics.set_data_protection_policy(&arn, &input.data_protection_policy).await?)
}
