//! AddPermission and RemovePermission.
use serde::Deserialize;

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::permit;

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddPermissionInput {
    topic_arn: String,
    label: String,
    #[serde(rename = "AWSAccountId")]
    aws_account_id: Vec<String>,
    action_name: Vec<String>,
}

/// Lets accounts use a topic.
pub(super) async fn add_permission(
    services: &Services,
    caller: &Caller,
    input: AddPermissionInput,
) -> Result<(), SnsError> {
    let topic = permit::topic(services, caller, "TopicArn", &input.topic_arn, "AddPermission").await?;
    Ok(services.topics.add_permission(&topic, &input.label, input.aws_account_id, input.action_name).await?)
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermissionInput {
    topic_arn: String,
    label: String,
}

/// Takes a permission back.
pub(super) async fn remove_permission(
    services: &Services,
    caller: &Caller,
    input: RemovePermissionInput,
) -> Result<(), SnsError> {
    let topic = permit::topic(services, caller, "TopicArn", &input.topic_arn, "RemovePermission").await?;
    Ok(services.topics.remove_permission(&topic, &input.label).await?)
}
