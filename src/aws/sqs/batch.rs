//! Batches: up to ten messages in one call, each with an answer of its own.
use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::error::{Failure, Fault};
use crate::aws::protocol::AnyText;
use crate::aws::services::Services;
use crate::aws::sqs::attribute::MessageAttributeValue;
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::message::Given;
use crate::aws::sqs::permit::permitted;
use crate::queues::{self, Error, Sent};

const ENTRIES_MAX: usize = 10;
const ID_MAX: usize = 80;
// What an entry is called.
const SEND: &str = "SendMessageBatchRequestEntry";
const DELETE: &str = "DeleteMessageBatchRequestEntry";
const CHANGE: &str = "ChangeMessageVisibilityBatchRequestEntry";

/// An entry that was refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchResultErrorEntry {
    id: String,
    sender_fault: bool,
    code: String,
    message: String,
}

/// What AWS says of an entry where it says it otherwise than in a single call: code and text. `place` is the entry's, such
/// as `SendMessageBatchRequestEntry.1`.
fn otherwise(error: &Error, place: &str) -> Option<(&'static str, String)> {
    const VALUE: &str = "InvalidParameterValue";
    const HANDLE: &str = "ReceiptHandleIsInvalid";
    Some(match error {
        Error::HandleExpired(_) => (HANDLE, "The receipt handle has expired".to_owned()),
        Error::MessageGone(_) => {
            (HANDLE, "Message does not exist or is not available for visibility timeout change.".to_owned())
        }
        Error::BodyMissing => ("EmptyValue", format!("No Value Found for {place}.MessageBody.")),
        Error::MessageTooLong(max) => {
            let reason = format!("Message must be shorter than {max} bytes.");
            (VALUE, format!("One or more parameters cannot be validated. Reason: {reason}"))
        }
        Error::Parameter { reason, .. } if *reason == queues::NOT_HERE => {
            (VALUE, queues::NOT_HERE.trim_end_matches('.').to_owned())
        }
        Error::Parameter { name, value, reason } if *reason == queues::HIDDEN_RANGE => {
            let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
            (VALUE, format!("Value {value} for parameter {name} is invalid. Reason: {reason}"))
        }
        _ => return None,
    })
}

/// The entry `n` of its batch, counted from 0, was refused.
fn refused(entry: &str, n: usize, id: String, error: SqsError) -> BatchResultErrorEntry {
    if let SqsError::Queue(error) = &error
        && let Some((code, message)) = otherwise(error, &format!("{entry}.{}", n + 1))
    {
        return BatchResultErrorEntry { id, sender_fault: true, code: code.to_owned(), message };
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
fn check_ids<'a>(entry: &'static str, ids: impl ExactSizeIterator<Item = Option<&'a str>>) -> Result<(), SqsError> {
    let count = ids.len();
    if count == 0 {
        return Err(SqsError::EmptyBatch(entry));
    }
    if count > ENTRIES_MAX {
        return Err(SqsError::TooManyEntries(count));
    }
    let mut seen = HashSet::new();
    for (n, id) in ids.enumerate() {
        let Some(id) = id else { return Err(SqsError::MissingAt { entry, number: n + 1, member: "Id" }) };
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
pub(super) struct SendMessageBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<SendMessageBatchRequestEntry>,
}

/// A message of a batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageBatchRequestEntry {
    id: Option<String>,
    #[serde(default)]
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
pub(super) struct SendMessageBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<SendMessageBatchResultEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// A message that was taken.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageBatchResultEntry {
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
/// Those of all batches, QueueDoesNotExist, BatchRequestTooLong; InvalidParameterValue when an entry for a FIFO queue is longer
/// than it takes, or lacks its group or deduplication id.
pub(super) async fn send_message_batch(
    services: &Services,
    caller: &Caller,
    input: SendMessageBatchRequest,
) -> Result<SendMessageBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "SendMessage").await?;
    check_ids(SEND, input.entries.iter().map(|e| e.id.as_deref()))?;
    let mut result = SendMessageBatchResult::default();
    let (mut places, mut outgoing) = (Vec::new(), Vec::new());
    for (n, entry) in input.entries.into_iter().enumerate() {
        let id = entry.id.unwrap_or_default();
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
                places.push((n, id, system_md5));
                outgoing.push(message);
            }
            Err(error) => result.failed.push(refused(SEND, n, id, error)),
        }
    }
    let sent = services.queues.send(&scope, &name, outgoing).await.map_err(|error| match error {
        Error::GroupMissing => SqsError::EntryWithoutGroup,
        error => error.into(),
    })?;
    for ((n, id, system_md5), sent) in places.into_iter().zip(sent) {
        match sent {
            Ok(sent) => result.successful.push(taken(id, sent, system_md5)),
            Err(error) => result.failed.push(refused(SEND, n, id, error.into())),
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
pub(super) struct DoneEntry {
    id: String,
}

fn sort_out(
    entry: &str,
    ids: Vec<Option<String>>,
    answers: Vec<Result<(), Error>>,
) -> (Vec<DoneEntry>, Vec<BatchResultErrorEntry>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (n, (id, answer)) in ids.into_iter().map(Option::unwrap_or_default).zip(answers).enumerate() {
        match answer {
            Ok(()) => done.push(DoneEntry { id }),
            Err(error) => failed.push(refused(entry, n, id, error.into())),
        }
    }
    (done, failed)
}

/// See DeleteMessageBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<DeleteMessageBatchRequestEntry>,
}

/// A message to take away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatchRequestEntry {
    id: Option<String>,
    receipt_handle: String,
}

/// See DeleteMessageBatch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<DoneEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// Takes up to ten received messages away.
///
/// # Errors
/// Those of all batches, QueueDoesNotExist.
pub(super) async fn delete_message_batch(
    services: &Services,
    caller: &Caller,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "DeleteMessage").await?;
    check_ids(DELETE, input.entries.iter().map(|e| e.id.as_deref()))?;
    let (ids, handles) = input.entries.into_iter().map(|e| (e.id, e.receipt_handle)).unzip();
    let (successful, failed) = sort_out(DELETE, ids, services.queues.delete_messages(&scope, &name, handles).await?);
    Ok(DeleteMessageBatchResult { successful, failed })
}

/// See ChangeMessageVisibilityBatch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityBatchRequest {
    queue_url: String,
    #[serde(default)]
    entries: Vec<ChangeMessageVisibilityBatchRequestEntry>,
}

/// A message to hide for another time.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityBatchRequestEntry {
    id: Option<String>,
    receipt_handle: String,
    visibility_timeout: Option<i64>,
}

/// See ChangeMessageVisibilityBatch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityBatchResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    successful: Vec<DoneEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<BatchResultErrorEntry>,
}

/// Hides up to ten received messages for another time.
///
/// # Errors
/// Those of all batches, QueueDoesNotExist.
pub(super) async fn change_message_visibility_batch(
    services: &Services,
    caller: &Caller,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "ChangeMessageVisibility").await?;
    check_ids(CHANGE, input.entries.iter().map(|e| e.id.as_deref()))?;
    let mut failed = Vec::new();
    let (mut ids, mut changes) = (Vec::new(), Vec::new());
    for (n, entry) in input.entries.into_iter().enumerate() {
        match entry.visibility_timeout {
            Some(seconds) => {
                ids.push(entry.id);
                changes.push((entry.receipt_handle, seconds));
            }
            None => {
                let missing = SqsError::MissingAt { entry: CHANGE, number: n + 1, member: "VisibilityTimeout" };
                failed.push(refused(CHANGE, n, entry.id.unwrap_or_default(), missing));
            }
        }
    }
    let (successful, more) = sort_out(CHANGE, ids, services.queues.change_visibility(&scope, &name, changes).await?);
    failed.extend(more);
    Ok(ChangeMessageVisibilityBatchResult { successful, failed })
}
