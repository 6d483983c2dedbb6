//! PublishBatch. What is wrong with the batch, or with the structure, attributes, group or deduplication id of any entry, fails
//! the request, as it was seen on AWS; what else is wrong with an entry fails this entry.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::permit;
use crate::aws::sns::publish::{MessageAttributeValue, attributes, structure, typed};
use crate::topics::Publication;

/// How many entries a batch may have (SNS).
const ENTRIES_MAX: usize = 10;

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishBatchInput {
    topic_arn: String,
    publish_batch_request_entries: Vec<PublishBatchRequestEntry>,
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishBatchRequestEntry {
    id: String,
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishBatchResponse {
    successful: Vec<PublishBatchResultEntry>,
    failed: Vec<BatchResultErrorEntry>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishBatchResultEntry {
    id: String,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchResultErrorEntry {
    id: String,
    code: &'static str,
    message: String,
    sender_fault: bool,
}

/// Publishes up to ten messages to a topic.
pub(super) async fn publish_batch(
    services: &Services,
    caller: &Caller,
    input: PublishBatchInput,
) -> Result<PublishBatchResponse, SnsError> {
    for (n, entry) in input.publish_batch_request_entries.iter().enumerate() {
        typed(&format!("publishBatchRequestEntries.{}.member.", n + 1), &entry.message_attributes)?;
    }
    let topic = permit::topic(services, caller, "TopicArn", &input.topic_arn, "Publish").await?;
    let entries = input.publish_batch_request_entries;
    check_ids(&entries)?;
    let mut publications = Vec::with_capacity(entries.len());
    let mut ids = Vec::with_capacity(entries.len());
    for entry in entries {
        ids.push(entry.id);
        publications.push(Publication {
            subject: entry.subject,
            message: entry.message,
            attributes: attributes(entry.message_attributes),
            structure_json: structure(entry.message_structure.as_deref())?,
            group: entry.message_group_id,
            deduplication_id: entry.message_deduplication_id,
            trace_header: caller.trace_header.clone(),
            base_url: Some(caller.endpoint.clone()),
            publisher: Some(caller.account.clone()),
        });
    }
    services.topics.check_batch(&topic, &publications).await?;
    let mut response = PublishBatchResponse { successful: vec![], failed: vec![] };
    for (id, answer) in ids.into_iter().zip(services.topics.publish_each(&topic, publications).await?) {
        match answer {
            Ok(published) => response.successful.push(PublishBatchResultEntry {
                id,
                message_id: published.message_id,
                sequence_number: published.sequence_number,
            }),
            Err(error) => match SnsError::from(error) {
                SnsError::Refused(shape, message) => {
                    let code = shape.query_code;
                    response.failed.push(BatchResultErrorEntry { id, code, message, sender_fault: true });
                }
                ours @ SnsError::Internal(_) => return Err(ours),
            },
        }
    }
    Ok(response)
}

fn check_ids(entries: &[PublishBatchRequestEntry]) -> Result<(), SnsError> {
    if entries.is_empty() {
        return Err(SnsError::batch("EmptyBatchRequest", "The batch request doesn't contain any entries."));
    }
    if entries.len() > ENTRIES_MAX {
        let text = "The batch request contains more entries than permissible.";
        return Err(SnsError::batch("TooManyEntriesInBatchRequest", text));
    }
    for PublishBatchRequestEntry { id, .. } in entries {
        let shown: String = id.chars().take(100).collect();
        if id.len() > 80 {
            let text = format!("The Id of a batch entry in the batch request is too long: {shown}");
            return Err(SnsError::batch("InvalidBatchEntryId", text));
        }
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            let text =
                format!("The Id of a batch entry in the batch request contains an impermissible character: {shown}");
            return Err(SnsError::batch("InvalidBatchEntryId", text));
        }
    }
    let distinct: BTreeSet<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    if distinct.len() < entries.len() {
        let text = "Two or more batch entries in the request have the same Id.";
        return Err(SnsError::batch("BatchEntryIdsNotDistinct", text));
    }
    Ok(())
}
