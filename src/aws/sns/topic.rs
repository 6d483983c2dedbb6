//! CreateTopic, DeleteTopic, ListTopics, GetTopicAttributes, SetTopicAttributes.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;
use crate::aws::sns::permit;
use crate::aws::sns::tag::{Tag, tags};
use crate::base::Arn;
use crate::topics::{Attributes, NewTopic};

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTopicInput {
    name: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    tags: Vec<Tag>,
    data_protection_policy: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTopicResponse {
    topic_arn: String,
}

/// Makes a topic, or finds the same one.
pub(super) async fn create_topic(
    services: &Services,
    caller: &Caller,
    input: CreateTopicInput,
) -> Result<CreateTopicResponse, SnsError> {
    let new = NewTopic {
        account: caller.account.clone(),
        region: caller.region.clone(),
        name: input.name,
        attributes: input.attributes,
        tags: tags(input.tags),
    };
    let protection = input.data_protection_policy.unwrap_or_default();
    let arn = services.topics.create_protected(new, &protection).await.map_err(SnsError::in_attributes)?;
    Ok(CreateTopicResponse { topic_arn: arn.to_string() })
}

/// Names a topic: the input of several operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TopicInput {
    topic_arn: String,
}

/// Takes a topic and its subscriptions away.
pub(super) async fn delete_topic(services: &Services, caller: &Caller, input: TopicInput) -> Result<(), SnsError> {
    let arn = permit::topic(services, caller, "TopicArn", &input.topic_arn, "DeleteTopic").await?;
    Ok(services.topics.delete(&arn).await?)
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTopicsInput {
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTopicsResponse {
    topics: Vec<Topic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Topic {
    topic_arn: String,
}

/// Lists the caller's topics, 100 at a time.
pub(super) async fn list_topics(
    services: &Services,
    caller: &Caller,
    input: ListTopicsInput,
) -> Result<ListTopicsResponse, SnsError> {
    let page = services.topics.list(&caller.account, &caller.region, page_after(input.next_token.as_deref())?).await?;
    let one = |arn: Arn| Topic { topic_arn: arn.to_string() };
    let (topics, next_token) = paging::shown_by_number(page.map(one));
    Ok(ListTopicsResponse { topics, next_token })
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTopicAttributesResponse {
    attributes: Attributes,
}

/// A topic's attributes.
pub(super) async fn get_topic_attributes(
    services: &Services,
    caller: &Caller,
    input: TopicInput,
) -> Result<GetTopicAttributesResponse, SnsError> {
    let arn = permit::topic(services, caller, "TopicArn", &input.topic_arn, "GetTopicAttributes").await?;
    Ok(GetTopicAttributesResponse { attributes: services.topics.attributes(&arn).await? })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetTopicAttributesInput {
    topic_arn: String,
    attribute_name: String,
    #[serde(default)]
    attribute_value: String,
}

/// Sets one attribute.
pub(super) async fn set_topic_attributes(
    services: &Services,
    caller: &Caller,
    input: SetTopicAttributesInput,
) -> Result<(), SnsError> {
    let arn = permit::topic(services, caller, "TopicArn", &input.topic_arn, "SetTopicAttributes").await?;
    Ok(services.topics.set_attribute(&arn, &input.attribute_name, &input.attribute_value).await?)
}
