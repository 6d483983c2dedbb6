//! Publish.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Blob;
use crate::aws::services::Services;
use crate::aws::sns::arn::own_resource;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::permit;
use crate::base::Arn;
use crate::topics;
use crate::topics::{Attribute, Error, Publication, Value};

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishInput {
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
pub(super) struct MessageAttributeValue {
    // SNS names the place where it is missing: see `typed`.
    data_type: Option<String>,
    string_value: Option<String>,
    binary_value: Option<Blob>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PublishResponse {
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// Publishes one message to a topic.
pub(super) async fn publish(
    services: &Services,
    caller: &Caller,
    input: PublishInput,
) -> Result<PublishResponse, SnsError> {
    typed("", &input.message_attributes)?;
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
    let topic = permit::topic(services, caller, member, target, "Publish").await?;
    let publication = Publication {
        subject: input.subject,
        message: input.message,
        attributes: attributes(input.message_attributes),
        structure_json: structure(input.message_structure.as_deref())?,
        group: input.message_group_id,
        deduplication_id: input.message_deduplication_id,
        trace_header: caller.trace_header.clone(),
        base_url: Some(caller.endpoint.clone()),
        publisher: Some(caller.account.clone()),
    };
    let published = services.topics.publish_each(&topic, vec![publication]).await?.into_iter().next();
    let published = published.unwrap_or(Err(Error::MessageEmpty))?;
    Ok(PublishResponse { message_id: published.message_id, sequence_number: published.sequence_number })
}

async fn publish_text(services: &Services, caller: &Caller, input: PublishInput) -> Result<PublishResponse, SnsError> {
    let phone = input.phone_number.clone().unwrap_or_default();
    let publication = without_topic(caller, input)?;
    let sent = services.topics.publish_text(&caller.account, &caller.region, &phone, publication).await;
    let message_id = sent.map_err(|error| match error {
        topics::Error::NothingBehind(why) => SnsError::parameter(format_args!("PhoneNumber Reason: {why}")),
        other => other.into(),
    })?;
    Ok(PublishResponse { message_id, sequence_number: None })
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
    Ok(PublishResponse { message_id, sequence_number: None })
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

/// What MessageStructure says.
pub(super) fn structure(name: Option<&str>) -> Result<bool, SnsError> {
    match name {
        None | Some("") => Ok(false),
        Some("json") => Ok(true),
        Some(_) => Err(SnsError::parameter("MessageStructure")),
    }
}

/// Whether each attribute has a type. SNS finds this out before anything else. `place` is where the attributes are, with a dot
/// if that is not the top.
pub(super) fn typed(place: &str, given: &BTreeMap<String, MessageAttributeValue>) -> Result<(), SnsError> {
    match given.iter().find(|(_, attribute)| attribute.data_type.is_none()) {
        Some((name, _)) => {
            let shown: String = name.chars().take(256).collect();
            Err(SnsError::null(&format!("{place}messageAttributes.{shown}.member.dataType")))
        }
        None => Ok(()),
    }
}

/// Attributes as the core wants them. A value that is absent, or of the other kind, is found out there.
pub(super) fn attributes(given: BTreeMap<String, MessageAttributeValue>) -> BTreeMap<String, Attribute> {
    let one = |(name, attribute): (String, MessageAttributeValue)| {
        let data_type = attribute.data_type.unwrap_or_default();
        let binary = data_type.starts_with("Binary");
        let value = match (attribute.string_value, attribute.binary_value) {
            (Some(text), None) => Value::Text(text),
            (None, Some(Blob(bytes))) => Value::Binary(bytes),
            (_, Some(Blob(bytes))) if binary => Value::Binary(bytes),
            (Some(text), _) => Value::Text(text),
            (None, None) if binary => Value::Binary(vec![]),
            (None, None) => Value::Text(String::new()),
        };
        (name, Attribute { data_type, value })
    };
    given.into_iter().map(one).collect()
}
