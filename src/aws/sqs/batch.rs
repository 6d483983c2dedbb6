//! Batches: up to ten messages in one call, each with an answer of its own.
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::error::{Failure, Fault};
use crate::aws::protocol::AnyText;
use crate::aws::service::Services;
use crate::aws::sqs::attribute::MessageAttributeValue;
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::message::Given;
use crate::aws::sqs::permit::permitted;
use crate::queues::{Error, Sent};

const ENTRIES_MAX: usize = 10;
const ID_MAX: usize = 80;

/// An entry that was refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResultErrorEntry {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

/// What AWS says of the handle of an entry is another code than in a single call, and only the reason.
fn of_handle(error: &SqsError) -> Option<&'static str> {
    match error {
        SqsError::Queue(Error::HandleExpired(_)) => Some("The receipt handle has expired"),
        SqsError::Queue(Error::MessageGone(_)) => {
            Some("Message does not exist or is not available for visibility timeout change.")
        }
        _ => None,
    }
}

fn refused(id: String, error: SqsError) -> BatchResultErrorEntry {
    if let Some(message) = of_handle(&error) {
        let (code, message) = ("ReceiptHandleIsInvalid".to_owned(), message.to_owned());
        return BatchResultErrorEntry { id, sender_fault: true, code, message };
    }
    let failure = Failure::from(error);
    BatchResultErrorEntry {
        id,
        sender_fault: failure.shape.fault == Fault::Sender,
        code: failure.shape.query_code.to_owned(),
        message: failure.message,
    }
}

/// Checks what all batches have in common.
fn check_ids<'a>(entry: &'static str, ids: impl ExactSizeIterator<Item = &'a str>) -> Result<(), SqsError> {
    let count = ids.len();
    if count == 0 {
        return Err(SqsError::EmptyBatch(entry));
    }
    if count > ENTRIES_MAX {
        return Err(SqsError::TooManyEntries(count));
    }
    let mut seen = HashSet::new();
    for id in ids {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !(1..=ID_MAX).contains(&id.len()) || !id.bytes().all(fine) {
            return Err(SqsError::InvalidId);
        }
        if !seen.insert(id) {
            return Err(SqsError::RepeatedId(id.to_owned()));
        }
    }
    Ok(())
}

/// See SendMessageBatch in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMessageBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<SendMessageBatchRequestEntry>,
}

/// A message of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMessageBatchRequestEntry {
    id: String,
    message_body: AnyText,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// See SendMessageBatch.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMessageBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<SendMessageBatchResultEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// A message that was taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendMessageBatchResultEntry {
    id: String,
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// Sends up to ten messages; those in `Successful` are durable when this returns.
///
/// # Errors
/// Those of all batches, QueueDoesNotExist, BatchRequestTooLong; InvalidParameterValue when an entry is longer than its queue
/// takes, or lacks its group or deduplication id.
pub async fn send_message_batch(
    services: &Services,
    caller: &Caller,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "SendMessage").await?;
    check_ids("SendMessageBatchRequestEntry", input.entries.iter().map(|e| e.id.as_str()))?;
    let mut result = SendMessageBatchResult::default();
    let (mut ids, mut outgoing) = (Vec::new(), Vec::new());
    for entry in input.entries {
        let given = Given {
            body: entry.message_body.0,
            delay: entry.delay_seconds,
            attributes: entry.message_attributes,
            system_attributes: entry.message_system_attributes,
            deduplication_id: entry.message_deduplication_id,
            group_id: entry.message_group_id,
        };
        let system_md5 = given.system_md5();
        match given.outgoing(caller) {
            Ok(message) => {
                ids.push((entry.id, system_md5));
                outgoing.push(message);
            }
            Err(error) => result.failed.push(refused(entry.id, error)),
        }
    }
    let sent = services.queues.send(&scope, &name, outgoing).await.map_err(|error| match error {
        Error::GroupMissing => SqsError::EntryWithoutGroup,
        Error::MessageTooLong(max) => SqsError::EntryTooLong(max),
        error => error.into(),
    })?;
    for ((id, system_md5), sent) in ids.into_iter().zip(sent) {
        match sent {
            Ok(sent) => result.successful.push(taken(id, sent, system_md5)),
            Err(error) => result.failed.push(refused(id, error.into())),
        }
    }
    Ok(result)
}

fn taken(id: String, sent: Sent, md5_of_message_system_attributes: Option<String>) -> SendMessageBatchResultEntry {
    SendMessageBatchResultEntry {
        id,
        message_id: sent.message_id,
        md5_of_message_body: sent.body_md5,
        md5_of_message_attributes: sent.attributes_md5,
        md5_of_message_system_attributes,
        sequence_number: sent.sequence_number,
    }
}

/// An entry that was done, where there is nothing to tell but that.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DoneEntry {
    id: String,
}

fn sort_out(ids: Vec<String>, answers: Vec<Result<(), Error>>) -> (Vec<DoneEntry>, Vec<BatchResultErrorEntry>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (id, answer) in ids.into_iter().zip(answers) {
        match answer {
            Ok(()) => done.push(DoneEntry { id }),
            Err(error) => failed.push(refused(id, error.into())),
        }
    }
    (done, failed)
}

/// See DeleteMessageBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteMessageBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<DeleteMessageBatchRequestEntry>,
}

/// A message to take away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteMessageBatchRequestEntry {
    id: String,
    receipt_handle: String,
}

/// See DeleteMessageBatch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteMessageBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<DoneEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// Takes up to ten received messages away.
///
/// # Errors
/// Those of all batches, QueueDoesNotExist.
pub async fn delete_message_batch(
    services: &Services,
    caller: &Caller,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "DeleteMessage").await?;
    check_ids("DeleteMessageBatchRequestEntry", input.entries.iter().map(|e| e.id.as_str()))?;
    let (ids, handles) = input.entries.into_iter().map(|e| (e.id, e.receipt_handle)).unzip();
    let (successful, failed) = sort_out(ids, services.queues.delete_messages(&scope, &name, handles).await?);
    Ok(DeleteMessageBatchResult { successful, failed })
}

/// See ChangeMessageVisibilityBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeMessageVisibilityBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<ChangeMessageVisibilityBatchRequestEntry>,
}

/// A message to hide for another time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeMessageVisibilityBatchRequestEntry {
    id: String,
    receipt_handle: String,
    #[serde(default)]
    visibility_timeout: i64,
}

/// See ChangeMessageVisibilityBatch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeMessageVisibilityBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<DoneEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// Hides up to ten received messages for another time.
///
/// # Errors
/// Those of all batches, QueueDoesNotExist.
pub async fn change_message_visibility_batch(
    services: &Services,
    caller: &Caller,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "ChangeMessageVisibility").await?;
    check_ids("ChangeMessageVisibilityBatchRequestEntry", input.entries.iter().map(|e| e.id.as_str()))?;
    let (ids, changes) = input.entries.into_iter().map(|e| (e.id, (e.receipt_handle, e.visibility_timeout))).unzip();
    let (successful, failed) = sort_out(ids, services.queues.change_visibility(&scope, &name, changes).await?);
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}
