//! AddPermission, RemovePermission. The owner can always use them, whatever the policy says, and so get out of it.
use serde::Deserialize;

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::own;

/// See AddPermission in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddPermissionRequest {
    queue_url: String,
    #[serde(default)]
    label: String,
    #[serde(default, rename = "AWSAccountIds")]
    aws_account_ids: Vec<String>,
    #[serde(default)]
    actions: Vec<String>,
}

fn labelled(label: &str) -> Result<(), SqsError> {
    if label.is_empty() { Err(SqsError::Missing("Label")) } else { Ok(()) }
}

/// Lets accounts use a queue.
///
/// # Errors
/// QueueDoesNotExist, InvalidParameterValue, MissingParameter, OverLimit.
pub(super) async fn add_permission(
    services: &Services,
    caller: &Caller,
    input: AddPermissionRequest,
) -> Result<(), SqsError> {
    let (scope, name) = own(services, caller, &input.queue_url).await?;
    labelled(&input.label)?;
    if input.actions.is_empty() {
        return Err(SqsError::Missing("Actions"));
    }
    Ok(services.queues.add_permission(&scope, &name, &input.label, input.aws_account_ids, input.actions).await?)
}

/// See RemovePermission.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermissionRequest {
    queue_url: String,
    #[serde(default)]
    label: String,
}

/// Takes a permission back.
///
/// # Errors
/// QueueDoesNotExist, InvalidParameterValue, MissingParameter.
pub(super) async fn remove_permission(
    services: &Services,
    caller: &Caller,
    input: RemovePermissionRequest,
) -> Result<(), SqsError> {
    let (scope, name) = own(services, caller, &input.queue_url).await?;
    labelled(&input.label)?;
    Ok(services.queues.remove_permission(&scope, &name, &input.label).await?)
}
