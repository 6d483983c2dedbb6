//! Queues: CreateQueue, GetQueueUrl, ListQueues, attributes, PurgeQueue, DeleteQueue.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::sqs::address::{url, url_in};
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::{may, own, owned, permitted};
use crate::base::{Page, PageRequest, Scope};
use crate::queues;

/// See CreateQueue in the SQS API reference, and so on below.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueueRequest {
    queue_name: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    // The model writes this one small.
    #[serde(default, rename = "tags", alias = "Tags")]
    tags: BTreeMap<String, String>,
}

/// The URL of a queue: the result of CreateQueue and of GetQueueUrl.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrlResult {
    queue_url: String,
}

/// Makes a queue.
///
/// # Errors
/// QueueNameExists, InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue.
pub(super) async fn create_queue(
    services: &Services,
    caller: &Caller,
    input: CreateQueueRequest,
) -> Result<QueueUrlResult, SqsError> {
    let name = input.queue_name.ok_or(NAMELESS)?;
    let queue = services.queues.create(&caller.scope(), &name, input.attributes, input.tags).await?;
    Ok(QueueUrlResult { queue_url: url(caller, &queue.name) })
}

/// AWS's answer to who names no queue.
const NAMELESS: SqsError = SqsError::Value("QueueName", "Must specify a queue name.");

/// A request that names a queue and nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueRequest {
    pub(super) queue_url: String,
}

/// Takes a queue and its messages away.
///
/// # Errors
/// QueueDoesNotExist.
pub(super) async fn delete_queue(services: &Services, caller: &Caller, input: QueueRequest) -> Result<(), SqsError> {
    let (scope, name) = owned(services, caller, &input.queue_url, "DeleteQueue").await?;
    Ok(services.queues.delete(&scope, &name).await?)
}

/// Takes all messages of a queue away.
///
/// # Errors
/// QueueDoesNotExist, PurgeQueueInProgress.
pub(super) async fn purge_queue(services: &Services, caller: &Caller, input: QueueRequest) -> Result<(), SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "PurgeQueue").await?;
    Ok(services.queues.purge(&scope, &name).await?)
}

/// See GetQueueUrl.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrlRequest {
    #[serde(default)]
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    queue_owner_aws_account_id: Option<String>,
}

/// The URL of a queue.
///
/// # Errors
/// QueueDoesNotExist, also for a queue of another account that does not allow it: whether it is there is not the
/// caller's to know.
pub(super) async fn get_queue_url(
    services: &Services,
    caller: &Caller,
    input: GetQueueUrlRequest,
) -> Result<QueueUrlResult, SqsError> {
    if input.queue_name.is_empty() {
        return Err(NAMELESS);
    }
    let missing = || SqsError::from(queues::Error::QueueMissing(input.queue_name.clone()));
    let owner = match &input.queue_owner_aws_account_id {
        Some(owner) => owner.parse().map_err(|_| missing())?,
        None => caller.account.clone(),
    };
    let scope = Scope { account: owner, region: caller.region.clone() };
    if !may(services, caller, &scope, &input.queue_name, "GetQueueUrl").await? {
        return if scope.account == caller.account {
            Err(SqsError::denied(&url(caller, &input.queue_name)))
        } else {
            Err(missing())
        };
    }
    let queue = services.queues.get(&scope, &input.queue_name).await?;
    Ok(QueueUrlResult { queue_url: url_in(caller, &scope, &queue.name) })
}

/// See ListQueues.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueuesRequest {
    #[serde(default)]
    queue_name_prefix: String,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// See ListQueues.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueuesResult {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The most that one page holds, and the page of who does not ask for pages.
const PAGE_MAX: usize = 1_000;

/// Reads which page of queues is asked for.
///
/// # Errors
/// InvalidParameterValue for MaxResults or NextToken; MaxResults is looked at first.
pub(super) fn page_asked(token: Option<&str>, size: Option<i64>) -> Result<PageRequest, SqsError> {
    let wrong = SqsError::Value("MaxResults", "MaxResults must be an integer between 1 and 1000.");
    let size = match size {
        None => PAGE_MAX,
        Some(size) => usize::try_from(size).ok().filter(|size| (1..=PAGE_MAX).contains(size)).ok_or(wrong)?,
    };
    let after = token.map_or(Some(String::new()), paging::name).ok_or(SqsError::NextToken)?;
    Ok(PageRequest { after, size })
}

/// What an answer shows of a page. Only a caller who gives MaxResults gets a token, as in AWS.
pub(super) fn shown(page: Page<String>, asked: Option<i64>) -> (Vec<String>, Option<String>) {
    let (urls, token) = paging::shown(page);
    (urls, token.filter(|_| asked.is_some()))
}

/// Lists the caller's queues by name. Only who gives MaxResults gets a token for the next page, as in AWS.
///
/// # Errors
/// InvalidParameterValue for MaxResults or NextToken.
pub(super) async fn list_queues(
    services: &Services,
    caller: &Caller,
    input: ListQueuesRequest,
) -> Result<ListQueuesResult, SqsError> {
    let asked = page_asked(input.next_token.as_deref(), input.max_results)?;
    let page = services.queues.list(&caller.scope(), &input.queue_name_prefix, &asked).await?;
    let (queue_urls, next_token) = shown(page.map(|name| url(caller, &name)), input.max_results);
    Ok(ListQueuesResult { queue_urls, next_token })
}

/// See GetQueueAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributesRequest {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

/// See GetQueueAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributesResult {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
}

/// The attributes that are asked for.
///
/// # Errors
/// QueueDoesNotExist, InvalidAttributeName.
pub(super) async fn get_queue_attributes(
    services: &Services,
    caller: &Caller,
    input: GetQueueAttributesRequest,
) -> Result<GetQueueAttributesResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "GetQueueAttributes").await?;
    let attributes = services.queues.attributes(&scope, &name, &input.attribute_names).await?;
    Ok(GetQueueAttributesResult { attributes })
}

/// See SetQueueAttributes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetQueueAttributesRequest {
    queue_url: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// Changes attributes. The owner can always do so, whatever the policy says, and so get out of it.
///
/// # Errors
/// QueueDoesNotExist, InvalidAttributeName, InvalidAttributeValue; MissingParameter for no attribute.
pub(super) async fn set_queue_attributes(
    services: &Services,
    caller: &Caller,
    input: SetQueueAttributesRequest,
) -> Result<(), SqsError> {
    let (scope, name) = own(services, caller, &input.queue_url).await?;
    if input.attributes.is_empty() {
        return Err(SqsError::Missing("Attribute.Name"));
    }
    Ok(services.queues.set_attributes(&scope, &name, input.attributes).await?)
}
