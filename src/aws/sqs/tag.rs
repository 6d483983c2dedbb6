//! Tags: TagQueue, UntagQueue, ListQueueTags.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::owned;
use crate::aws::sqs::queue::QueueRequest;
use crate::queues;

/// See TagQueue in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagQueueRequest {
    queue_url: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Adds tags.
///
/// # Errors
/// QueueDoesNotExist, MissingParameter, InvalidParameterValue.
pub(super) async fn tag_queue(services: &Services, caller: &Caller, input: TagQueueRequest) -> Result<(), SqsError> {
    let (scope, name) = owned(services, caller, &input.queue_url, "TagQueue").await?;
    if input.tags.is_empty() {
        return Err(SqsError::Missing("Tags"));
    }
    Ok(services.queues.tag(&scope, &name, input.tags).await?)
}

/// See UntagQueue.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagQueueRequest {
    queue_url: String,
    #[serde(default)]
    tag_keys: Vec<String>,
}

/// Takes tags away.
///
/// # Errors
/// QueueDoesNotExist, InvalidParameterValue.
pub(super) async fn untag_queue(
    services: &Services,
    caller: &Caller,
    input: UntagQueueRequest,
) -> Result<(), SqsError> {
    let (scope, name) = owned(services, caller, &input.queue_url, "UntagQueue").await?;
    if input.tag_keys.is_empty() {
        return Err(queues::Error::TagKeys.into());
    }
    Ok(services.queues.untag(&scope, &name, input.tag_keys).await?)
}

/// See ListQueueTags.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueueTagsResult {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
}

/// A queue's tags.
///
/// # Errors
/// QueueDoesNotExist.
pub(super) async fn list_queue_tags(
    services: &Services,
    caller: &Caller,
    input: QueueRequest,
) -> Result<ListQueueTagsResult, SqsError> {
    let (scope, name) = owned(services, caller, &input.queue_url, "ListQueueTags").await?;
    Ok(ListQueueTagsResult { tags: services.queues.tags(&scope, &name).await? })
}
