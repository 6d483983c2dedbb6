//! Dead-letter queues: ListDeadLetterSourceQueues, and the tasks that move messages out of one.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sqs::address::url_in;
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::{may, permitted};
use crate::aws::sqs::queue::{page_asked, shown};
use crate::base::{Arn, Scope};
use crate::queues::MoveTask;
use crate::store::move_tasks::{MoveFailure, MoveStatus};

/// See ListDeadLetterSourceQueues in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListDeadLetterSourceQueuesRequest {
    queue_url: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// See ListDeadLetterSourceQueues. The list is there even when it is empty, and the model writes it small.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListDeadLetterSourceQueuesResult {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the queues whose dead-letter queue this is. Only who gives MaxResults gets a token for the next page.
///
/// # Errors
/// QueueDoesNotExist; InvalidParameterValue for MaxResults or NextToken.
pub(super) async fn list_dead_letter_source_queues(
    services: &Services,
    caller: &Caller,
    input: ListDeadLetterSourceQueuesRequest,
) -> Result<ListDeadLetterSourceQueuesResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "ListDeadLetterSourceQueues").await?;
    let asked = page_asked(input.next_token.as_deref(), input.max_results)?;
    let page = services.queues.dead_letter_sources(&scope, &name, &asked).await?;
    let (queue_urls, next_token) = shown(page.map(|name| url_in(caller, &scope, &name)), input.max_results);
    Ok(ListDeadLetterSourceQueuesResult { queue_urls, next_token })
}

fn queue_arn(parameter: &'static str, text: &str) -> Result<Arn, SqsError> {
    let arn = text.parse::<Arn>().ok().filter(|arn| arn.service == "sqs");
    arn.ok_or(SqsError::InvalidArn(parameter))
}

/// Checks that the policy of the caller's own queue does not deny these actions. A queue of another account is for the
/// core to refuse: nobody moves its messages, whatever its policy says.
async fn check(services: &Services, caller: &Caller, queue: &Arn, actions: &[&str]) -> Result<(), SqsError> {
    let scope = Scope { account: queue.account.clone(), region: queue.region.clone() };
    for action in actions {
        if scope.account == caller.account && !may(services, caller, &scope, &queue.resource, action).await? {
            return Err(SqsError::denied(&queue.to_string()));
        }
    }
    Ok(())
}

/// What who starts a task must be allowed at its source (SQS developer guide, "Configure queue permissions for
/// dead-letter queue redrive").
const SOURCE_ACTIONS: [&str; 4] = ["StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"];

/// What the handle of a task says: base64 of this in JSON, as AWS writes it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: String,
    source_arn: String,
}

impl Handle {
    fn encode(&self) -> String {
        // Two texts always make JSON.
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    fn decode(text: &str) -> Result<Self, SqsError> {
        let bytes = STANDARD.decode(text).map_err(|_| SqsError::InvalidTaskHandle)?;
        serde_json::from_slice(&bytes).map_err(|_| SqsError::InvalidTaskHandle)
    }
}

/// See StartMessageMoveTask.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTaskRequest {
    source_arn: String,
    destination_arn: Option<String>,
    max_number_of_messages_per_second: Option<i64>,
}

/// See StartMessageMoveTask.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StartMessageMoveTaskResult {
    task_handle: String,
}

/// Starts to move a dead-letter queue's messages.
///
/// # Errors
/// ResourceNotFoundException, UnsupportedOperation, InvalidParameterValue, AccessDenied.
pub(super) async fn start_message_move_task(
    services: &Services,
    caller: &Caller,
    input: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult, SqsError> {
    let source = queue_arn("SourceArn", &input.source_arn)?;
    let destination = input.destination_arn.as_deref().map(|text| queue_arn("DestinationArn", text)).transpose()?;
    check(services, caller, &source, &SOURCE_ACTIONS).await?;
    if let Some(destination) = &destination {
        check(services, caller, destination, &["SendMessage"]).await?;
    }
    let rate = input.max_number_of_messages_per_second;
    let task_id = services.queues.start_move(&caller.scope(), source, destination, rate).await?;
    Ok(StartMessageMoveTaskResult { task_handle: Handle { task_id, source_arn: input.source_arn }.encode() })
}

/// See CancelMessageMoveTask.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelMessageMoveTaskRequest {
    task_handle: String,
}

/// See CancelMessageMoveTask.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CancelMessageMoveTaskResult {
    approximate_number_of_messages_moved: u32,
}

/// Stops a task; what has moved stays moved.
///
/// # Errors
/// ResourceNotFoundException, UnsupportedOperation, InvalidParameterValue, AccessDenied.
pub(super) async fn cancel_message_move_task(
    services: &Services,
    caller: &Caller,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, SqsError> {
    let handle = Handle::decode(&input.task_handle)?;
    let source = queue_arn("SourceArn", &handle.source_arn)?;
    check(services, caller, &source, &["CancelMessageMoveTask"]).await?;
    let moved = services.queues.cancel_move(&caller.scope(), source, handle.task_id).await?;
    Ok(CancelMessageMoveTaskResult { approximate_number_of_messages_moved: moved })
}

/// See ListMessageMoveTasks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasksRequest {
    source_arn: String,
    max_results: Option<i64>,
}

/// See ListMessageMoveTasks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasksResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    results: Vec<ListMessageMoveTasksResultEntry>,
}

/// A task. The handle is there only while there is something to cancel.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMessageMoveTasksResultEntry {
    #[serde(skip_serializing_if = "Option::is_none")]
    task_handle: Option<String>,
    status: MoveStatus,
    source_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_number_of_messages_per_second: Option<u32>,
    approximate_number_of_messages_moved: u32,
    approximate_number_of_messages_to_move: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    /// Milliseconds since 1970.
    started_timestamp: i64,
}

/// Lists the latest tasks of a source, the newest first.
///
/// # Errors
/// ResourceNotFoundException, InvalidParameterValue, AccessDenied.
pub(super) async fn list_message_move_tasks(
    services: &Services,
    caller: &Caller,
    input: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult, SqsError> {
    let source = queue_arn("SourceArn", &input.source_arn)?;
    check(services, caller, &source, &["ListMessageMoveTasks"]).await?;
    let tasks = services.queues.moves(&caller.scope(), &source, input.max_results).await?;
    Ok(ListMessageMoveTasksResult { results: tasks.into_iter().map(entry).collect() })
}

fn entry(task: MoveTask) -> ListMessageMoveTasksResultEntry {
    let running = task.status == MoveStatus::Running;
    let handle = Handle { task_id: task.task_id, source_arn: task.source.clone() };
    ListMessageMoveTasksResultEntry {
        task_handle: running.then(|| handle.encode()),
        status: task.status,
        source_arn: task.source,
        destination_arn: task.destination,
        max_number_of_messages_per_second: task.per_second,
        approximate_number_of_messages_moved: task.moved,
        approximate_number_of_messages_to_move: task.to_move,
        failure_reason: task.failure.map(reason),
        started_timestamp: task.started_at.millis(),
    }
}

/// AWS's word for a failure: the Query code of the error where there is one. For those without, none is documented.
fn reason(failure: MoveFailure) -> &'static str {
    match failure {
        MoveFailure::QueueMissing => "AWS.SimpleQueueService.NonExistentQueue",
        MoveFailure::NoSource => "CouldNotDetermineMessageSource",
        MoveFailure::Refused => "InvalidParameterValue",
        MoveFailure::TooLong => "TimedOut",
        MoveFailure::KeyMissing => "KMS.NotFoundException",
        MoveFailure::KeyDisabled => "KMS.DisabledException",
        MoveFailure::KeyState => "KMS.InvalidStateException",
        MoveFailure::Unreadable => "InternalFailure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_a_round_trip_and_other_texts_are_refused() {
        let handle = Handle { task_id: "t".into(), source_arn: "arn:aws:sqs:us-east-1:000000000000:dead".into() };
        let again = Handle::decode(&handle.encode()).expect("our own");
        assert_eq!((again.task_id, again.source_arn), (handle.task_id, handle.source_arn));
        for bad in ["", "x", "%%%", "e30="] {
            assert!(matches!(Handle::decode(bad), Err(SqsError::InvalidTaskHandle)), "{bad}");
        }
    }
}
