//! Publish and PublishBatch.
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::protocol::Blob;
use crate::aws::service::Services;
use crate::aws::sns::arn::{own_resource, own_topic};
use crate::aws::sns::error::SnsError;
use crate::base::Arn;
use crate::topics;
use crate::topics::message::MAX_BYTES;
use crate::topics::{Attribute, Publication, Value};

/// How many entries a batch may have (SNS).
const ENTRIES_MAX: usize = 10;

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishInput {
    topic_arn: Option<String>,
    target_arn: Option<String>,
    phone_number: Option<String>,
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttributeValue {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<Blob>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishResponse {
    message_id: String,
}

/// Publishes one message to a topic.
pub async fn publish(services: &Services, caller: &Caller, input: PublishInput) -> Result<PublishResponse, SnsError> {
    let (member, target) = match (&input.topic_arn, &input.target_arn, &input.phone_number) {
        (None, None, Some(_)) => return publish_text(services, caller, input).await,
        (Some(topic), None, None) => ("TopicArn", topic),
        (None, Some(target), None) => ("TargetArn", target),
        (None, None, None) => {
            let text = "TopicArn or TargetArn Reason: no value for required parameter";
            return Err(SnsError::parameter(text));
        }
        _ => {
            let text = "Only one of TopicArn, TargetArn, or PhoneNumber is allowed";
            return Err(SnsError::parameter(text));
        }
    };
    if member == "TargetArn" && target.contains(":endpoint/") {
        let endpoint = own_resource(caller, member, target, "endpoint/", "Publish")?;
        return publish_push(services, caller, &endpoint, input).await;
    }
    let topic = own_topic(caller, member, target, "Publish")?;
    no_deduplication(input.message_deduplication_id.as_deref())?;
    let publication = Publication {
        subject: input.subject,
        message: input.message,
        attributes: attributes(input.message_attributes),
        structure_json: structure(input.message_structure.as_deref())?,
        group: input.message_group_id,
        base_url: Some(caller.endpoint.clone()),
    };
    Ok(PublishResponse { message_id: services.topics.publish(&topic, publication).await? })
}

async fn publish_text(services: &Services, caller: &Caller, input: PublishInput) -> Result<PublishResponse, SnsError> {
    let phone = input.phone_number.clone().unwrap_or_default();
    let publication = without_topic(caller, input)?;
    let sent = services.topics.publish_text(&caller.account, &caller.region, &phone, publication).await;
    let message_id = sent.map_err(|error| match error {
        topics::Error::NothingBehind(why) => SnsError::parameter(format_args!("PhoneNumber Reason: {why}")),
        other => other.into(),
    })?;
    Ok(PublishResponse { message_id })
}

async fn publish_push(
    services: &Services,
    caller: &Caller,
    endpoint: &Arn,
    input: PublishInput,
) -> Result<PublishResponse, SnsError> {
    let sent = services.topics.publish_push(endpoint, without_topic(caller, input)?).await;
    let message_id = sent.map_err(|error| match error {
        topics::Error::DeviceMissing => {
            SnsError::parameter("TargetArn Reason: No endpoint found for the target arn specified")
        }
        other => other.into(),
    })?;
    Ok(PublishResponse { message_id })
}

/// A message to one phone or device.
fn without_topic(caller: &Caller, input: PublishInput) -> Result<Publication, SnsError> {
    Ok(Publication {
        subject: input.subject,
        message: input.message,
        attributes: attributes(input.message_attributes),
        structure_json: structure(input.message_structure.as_deref())?,
        base_url: Some(caller.endpoint.clone()),
        ..Publication::default()
    })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishBatchInput {
    topic_arn: String,
    publish_batch_request_entries: Vec<PublishBatchRequestEntry>,
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishBatchRequestEntry {
    id: String,
    message: String,
    subject: Option<String>,
    message_structure: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// See AWS's model. All entries succeed together, so none fails.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishBatchResponse {
    successful: Vec<PublishBatchResultEntry>,
    failed: Vec<PublishBatchResultEntry>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PublishBatchResultEntry {
    id: String,
    message_id: String,
}

/// Publishes up to ten messages to a topic, all or none: a bad one fails the request, as on AWS.
pub async fn publish_batch(
    services: &Services,
    caller: &Caller,
    input: PublishBatchInput,
) -> Result<PublishBatchResponse, SnsError> {
    let topic = own_topic(caller, "TopicArn", &input.topic_arn, "Publish")?;
    let entries = input.publish_batch_request_entries;
    check_ids(&entries)?;
    let mut publications = Vec::with_capacity(entries.len());
    let mut ids = Vec::with_capacity(entries.len());
    for entry in entries {
        no_deduplication(entry.message_deduplication_id.as_deref())?;
        ids.push(entry.id);
        publications.push(Publication {
            subject: entry.subject,
            message: entry.message,
            attributes: attributes(entry.message_attributes),
            structure_json: structure(entry.message_structure.as_deref())?,
            group: entry.message_group_id,
            base_url: Some(caller.endpoint.clone()),
        });
    }
    if publications.iter().map(Publication::bytes).sum::<usize>() > MAX_BYTES {
        let text = "The length of all the messages put together is more than the limit.";
        return Err(SnsError::batch("BatchRequestTooLong", text));
    }
    let message_ids = services.topics.publish_all(&topic, publications).await?;
    let entry = |(id, message_id)| PublishBatchResultEntry { id, message_id };
    Ok(PublishBatchResponse { successful: ids.into_iter().zip(message_ids).map(entry).collect(), failed: vec![] })
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

fn no_deduplication(id: Option<&str>) -> Result<(), SnsError> {
    match id {
        None => Ok(()),
        Some(_) => Err(SnsError::parameter(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for \
             this topic type",
        )),
    }
}

fn structure(name: Option<&str>) -> Result<bool, SnsError> {
    match name {
        None | Some("") => Ok(false),
        Some("json") => Ok(true),
        Some(_) => Err(SnsError::parameter("MessageStructure")),
    }
}

/// Attributes as the core wants them. A value that is absent, or of the other kind, is found out there.
fn attributes(given: BTreeMap<String, MessageAttributeValue>) -> BTreeMap<String, Attribute> {
    let one = |(name, attribute): (String, MessageAttributeValue)| {
        let binary = attribute.data_type.starts_with("Binary");
        let value = match (attribute.string_value, attribute.binary_value) {
            (Some(text), None) => Value::Text(text),
            (None, Some(Blob(bytes))) => Value::Binary(bytes),
            (_, Some(Blob(bytes))) if binary => Value::Binary(bytes),
            (Some(text), _) => Value::Text(text),
            (None, None) if binary => Value::Binary(vec![]),
            (None, None) => Value::Text(String::new()),
        };
        (name, Attribute { data_type: attribute.data_type, value })
    };
    given.into_iter().map(one).collect()
}
