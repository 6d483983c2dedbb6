//! ReceiveMessage, DeleteMessage, ChangeMessageVisibility.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sqs::attribute::{MessageAttributeValue, WantedAttributes};
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::permitted;
use crate::queues::message_attributes::{body_md5, md5};
use crate::queues::{Error, MessageAttributes, Receive, Received};

/// More names of attributes than there are.
const NAMES_MAX: usize = 64;

/// See ReceiveMessage in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageRequest {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
}

/// See ReceiveMessage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessageResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

/// A received message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
}

const SYSTEM_ATTRIBUTES: [&str; 9] = [
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

/// Receives messages, and waits for the first as long as asked.
///
/// # Errors
/// QueueDoesNotExist, InvalidAttributeName, InvalidParameterValue.
pub(super) async fn receive_message(
    services: &Services,
    caller: &Caller,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, SqsError> {
    if input.wait_time_seconds.is_some_and(|seconds| seconds > 0) {
        // Before the queue is looked up, which may have to be read: hundreds may begin to wait at once.
        caller.long_wait.begin();
    }
    let (scope, name) = permitted(services, caller, &input.queue_url, "ReceiveMessage").await?;
    let mut system = input.attribute_names;
    system.extend(input.message_system_attribute_names);
    // AttributeNames, the older member, also lists queue attributes in some clients; SQS passes over these.
    let known = |w: &&String| {
        w.as_str() == "All"
            || SYSTEM_ATTRIBUTES.contains(&w.as_str())
            || crate::queues::ATTRIBUTE_NAMES.contains(&w.as_str())
    };
    if let Some(unknown) = system.iter().find(|w| !known(w)) {
        return Err(Error::AttributeName(unknown.chars().take(256).collect()).into());
    }
    if system.len() > NAMES_MAX {
        // All are known by now, so most of them stand there twice.
        system.sort_unstable();
        system.dedup();
    }
    let wanted = Receive {
        count_max: input.max_number_of_messages,
        visibility_timeout: input.visibility_timeout,
        wait: input.wait_time_seconds,
        attempt_id: input.receive_request_attempt_id,
        key: caller.key.clone(),
        long_wait: caller.long_wait.clone(),
    };
    let received = services.queues.receive(&scope, &name, wanted).await?;
    let own = WantedAttributes::new(&input.message_attribute_names);
    let messages = received.into_iter().map(|m| message(m, &system, &own)).collect();
    Ok(ReceiveMessageResult { messages })
}

fn message(received: Received, system: &[String], wanted: &WantedAttributes<'_>) -> Message {
    let attributes: MessageAttributes = received.attributes.into_iter().filter(|(name, _)| wanted.has(name)).collect();
    let all = [
        ("SenderId", received.sender),
        ("SentTimestamp", Some(received.sent_at.millis().to_string())),
        ("ApproximateReceiveCount", Some(received.receive_count.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(received.first_received_at.millis().to_string())),
        ("SequenceNumber", received.sequence_number),
        ("MessageDeduplicationId", received.deduplication_id),
        ("MessageGroupId", received.group_id),
        ("AWSTraceHeader", received.trace_header),
        ("DeadLetterQueueSourceArn", received.dead_letter_source),
    ];
    let listed = |name: &str| system.iter().any(|w| w == "All" || w == name);
    Message {
        md5_of_body: body_md5(&received.body),
        md5_of_message_attributes: md5(&attributes),
        message_id: received.message_id,
        receipt_handle: received.receipt_handle,
        body: received.body,
        attributes: all.into_iter().filter(|(name, _)| listed(name)).filter_map(|(n, v)| Some((n, v?))).collect(),
        message_attributes: attributes.into_iter().map(|(name, a)| (name, a.into())).collect(),
    }
}

/// See DeleteMessage.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageRequest {
    queue_url: String,
    receipt_handle: String,
}

/// Takes a received message away.
///
/// # Errors
/// QueueDoesNotExist, ReceiptHandleIsInvalid.
pub(super) async fn delete_message(
    services: &Services,
    caller: &Caller,
    input: DeleteMessageRequest,
) -> Result<(), SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "DeleteMessage").await?;
    let answers = services.queues.delete_messages(&scope, &name, vec![input.receipt_handle]).await?;
    Ok(answers.into_iter().collect::<Result<(), Error>>()?)
}

/// See ChangeMessageVisibility.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityRequest {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: i64,
}

/// Hides a received message for another time.
///
/// # Errors
/// QueueDoesNotExist, ReceiptHandleIsInvalid, MessageNotInflight, InvalidParameterValue.
pub(super) async fn change_message_visibility(
    services: &Services,
    caller: &Caller,
    input: ChangeMessageVisibilityRequest,
) -> Result<(), SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "ChangeMessageVisibility").await?;
    let change = vec![(input.receipt_handle, input.visibility_timeout)];
    let answers = services.queues.change_visibility(&scope, &name, change).await?;
    Ok(answers.into_iter().collect::<Result<(), Error>>()?)
}
