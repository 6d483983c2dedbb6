//! Subscribe, ConfirmSubscription, Unsubscribe, and what shows and changes subscriptions.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::sns::arn::{any_subscription, any_topic};
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;
use crate::aws::sns::permit;
use crate::topics::{self, Attributes, Authenticated, By, ListedSubscription, NumberedPage, Wish};

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscribeInput {
    topic_arn: String,
    protocol: String,
    endpoint: Option<String>,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    return_subscription_arn: bool,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscribeResponse {
    subscription_arn: String,
}

/// Subscribes an endpoint, or finds its subscription.
pub(super) async fn subscribe(
    services: &Services,
    caller: &Caller,
    input: SubscribeInput,
) -> Result<SubscribeResponse, SnsError> {
    let written = input.endpoint.unwrap_or_default();
    // A policy is asked about the endpoint that is subscribed, however it was written.
    let endpoint = Some(&input.protocol).filter(|name| *name == "sms").and_then(|_| plain_number(&written));
    let endpoint = endpoint.unwrap_or_else(|| written.clone());
    let keys = vec![("sns:protocol", vec![input.protocol.clone()]), ("sns:endpoint", vec![endpoint.clone()])];
    let named = ("TopicArn", input.topic_arn.as_str());
    let topic = permit::topic_with(services, caller, named, "Subscribe", keys).await?;
    let wish = Wish {
        owner: caller.account.clone(),
        topic,
        protocol: input.protocol,
        endpoint: Some(endpoint),
        attributes: input.attributes,
        base_url: Some(caller.endpoint.clone()),
    };
    let listed = services.topics.subscribe(wish).await.map_err(|error| match error {
        topics::Error::Phone(_) => {
            SnsError::plain(format!("Invalid SMS endpoint: {}", written.chars().take(100).collect::<String>()))
        }
        // Word for word, the missing space too.
        topics::Error::DeviceMissing => {
            SnsError::parameter(format_args!("Endpoint Reason: Endpoint does not exist for endpoint arn{written}"))
        }
        other => SnsError::in_attributes(other),
    })?;
    let hidden = listed.pending && !input.return_subscription_arn;
    let subscription_arn = if hidden { "pending confirmation".to_owned() } else { listed.arn.to_string() };
    Ok(SubscribeResponse { subscription_arn })
}

/// A phone number without what AWS was seen to take between its digits: one hyphen, dot or slash at a time.
fn plain_number(written: &str) -> Option<String> {
    let groups = written.strip_prefix('+')?.split(['-', '.', '/']);
    let digits = groups.map(|group| Some(group).filter(|g| !g.is_empty() && g.bytes().all(|b| b.is_ascii_digit())));
    Some(format!("+{}", digits.collect::<Option<String>>()?))
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfirmSubscriptionInput {
    topic_arn: String,
    token: String,
    authenticate_on_unsubscribe: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfirmSubscriptionResponse {
    subscription_arn: String,
}

/// Confirms with the token that the endpoint got. Needs no signature, unless only the owner shall be able to unsubscribe.
pub(super) async fn confirm_subscription(
    services: &Services,
    caller: &Caller,
    input: ConfirmSubscriptionInput,
) -> Result<ConfirmSubscriptionResponse, SnsError> {
    let topic = any_topic(&input.topic_arn)?;
    let owners_end = input.authenticate_on_unsubscribe.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let by = match (caller.access_key.is_empty(), owners_end) {
        (true, true) => return Err(SnsError::unauthorized("anonymous", "ConfirmSubscription", &topic.to_string())),
        (true, false) => Authenticated::No,
        (false, true) => Authenticated::OwnersEnd,
        (false, false) => Authenticated::Yes,
    };
    let arn = services.topics.confirm(&topic, &input.token, by).await?;
    Ok(ConfirmSubscriptionResponse { subscription_arn: arn.to_string() })
}

/// Names a subscription: the input of several operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscriptionInput {
    subscription_arn: String,
}

/// Ends a subscription, for its owner or for whoever has its link.
pub(super) async fn unsubscribe(
    services: &Services,
    caller: &Caller,
    input: SubscriptionInput,
) -> Result<(), SnsError> {
    let (arn, by) = if caller.access_key.is_empty() {
        (any_subscription(&input.subscription_arn)?, By::Link)
    } else {
        (permit::subscription(services, caller, &input.subscription_arn, "Unsubscribe").await?, By::Owner)
    };
    // The endpoint follows the link that it gets, so a stranger does not choose where that leads.
    let named = (by == By::Owner).then_some(caller.endpoint.as_str());
    Ok(services.topics.unsubscribe(&arn, by, named).await?)
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSubscriptionsInput {
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSubscriptionsResponse {
    subscriptions: Vec<Subscription>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subscription {
    subscription_arn: String,
    owner: String,
    protocol: String,
    endpoint: String,
    topic_arn: String,
}

impl From<ListedSubscription> for Subscription {
    fn from(listed: ListedSubscription) -> Self {
        let arn = if listed.pending { "PendingConfirmation".to_owned() } else { listed.arn.to_string() };
        Self {
            subscription_arn: arn,
            owner: listed.owner.to_string(),
            protocol: listed.protocol,
            endpoint: listed.endpoint,
            topic_arn: listed.topic.to_string(),
        }
    }
}

impl From<NumberedPage<ListedSubscription>> for ListSubscriptionsResponse {
    fn from(page: NumberedPage<ListedSubscription>) -> Self {
        let (subscriptions, next_token) = paging::shown_by_number(page.map(Subscription::from));
        Self { subscriptions, next_token }
    }
}

/// Lists the caller's subscriptions, 100 at a time.
pub(super) async fn list_subscriptions(
    services: &Services,
    caller: &Caller,
    input: ListSubscriptionsInput,
) -> Result<ListSubscriptionsResponse, SnsError> {
    let page = services
        .topics
        .subscriptions(&caller.account, &caller.region, page_after(input.next_token.as_deref())?)
        .await?;
    Ok(page.into())
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSubscriptionsByTopicInput {
    topic_arn: String,
    next_token: Option<String>,
}

/// Lists a topic's subscriptions, 100 at a time.
pub(super) async fn list_subscriptions_by_topic(
    services: &Services,
    caller: &Caller,
    input: ListSubscriptionsByTopicInput,
) -> Result<ListSubscriptionsResponse, SnsError> {
    let topic = permit::topic(services, caller, "TopicArn", &input.topic_arn, "ListSubscriptionsByTopic").await?;
    Ok(services.topics.subscriptions_of(&topic, page_after(input.next_token.as_deref())?).await?.into())
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSubscriptionAttributesResponse {
    attributes: Attributes,
}

/// A subscription's attributes.
pub(super) async fn get_subscription_attributes(
    services: &Services,
    caller: &Caller,
    input: SubscriptionInput,
) -> Result<GetSubscriptionAttributesResponse, SnsError> {
    let arn = permit::subscription(services, caller, &input.subscription_arn, "GetSubscriptionAttributes").await?;
    Ok(GetSubscriptionAttributesResponse { attributes: services.topics.subscription_attributes(&arn).await? })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetSubscriptionAttributesInput {
    subscription_arn: String,
    attribute_name: String,
    #[serde(default)]
    attribute_value: String,
}

/// Sets one attribute.
pub(super) async fn set_subscription_attributes(
    services: &Services,
    caller: &Caller,
    input: SetSubscriptionAttributesInput,
) -> Result<(), SnsError> {
    let arn = permit::subscription(services, caller, &input.subscription_arn, "SetSubscriptionAttributes").await?;
    let (name, value) = (&input.attribute_name, &input.attribute_value);
    Ok(services.topics.set_subscription_attribute(&arn, name, value).await?)
}
