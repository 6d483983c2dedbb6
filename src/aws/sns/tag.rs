//! TagResource, UntagResource, ListTagsForResource: tags of topics.
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sns::arn::own_topic;
use crate::aws::sns::error::SnsError;
use crate::topics;
use crate::topics::Attributes;

/// See AWS's model.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// Tags by key; the last of two with one key counts.
pub(super) fn tags(list: Vec<Tag>) -> Attributes {
    list.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagResourceRequest {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// Sets tags.
pub(super) async fn tag_resource(
    services: &Services,
    caller: &Caller,
    input: TagResourceRequest,
) -> Result<NoMembers, SnsError> {
    let arn = own_topic(caller, "ResourceArn", &input.resource_arn, "TagResource")?;
    let distinct: BTreeSet<&str> = input.tags.iter().map(|tag| tag.key.as_str()).collect();
    if distinct.len() < input.tags.len() {
        return Err(SnsError::parameter("Duplicated keys are not allowed."));
    }
    services.topics.change_tags(&arn, tags(input.tags), vec![]).await.map_err(resource)?;
    Ok(NoMembers {})
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagResourceRequest {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// Takes tags away.
pub(super) async fn untag_resource(
    services: &Services,
    caller: &Caller,
    input: UntagResourceRequest,
) -> Result<NoMembers, SnsError> {
    let arn = own_topic(caller, "ResourceArn", &input.resource_arn, "UntagResource")?;
    services.topics.change_tags(&arn, Attributes::new(), input.tag_keys).await.map_err(resource)?;
    Ok(NoMembers {})
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagsForResourceRequest {
    resource_arn: String,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTagsForResourceResponse {
    tags: Vec<Tag>,
}

/// A topic's tags.
pub(super) async fn list_tags_for_resource(
    services: &Services,
    caller: &Caller,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, SnsError> {
    let arn = own_topic(caller, "ResourceArn", &input.resource_arn, "ListTagsForResource")?;
    let tags = services.topics.tags(&arn).await.map_err(resource)?;
    Ok(ListTagsForResourceResponse { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

fn resource(error: topics::Error) -> SnsError {
    match error {
        topics::Error::TopicMissing => SnsError::no_resource(),
        other => other.into(),
    }
}
