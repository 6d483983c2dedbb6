//! Whether the caller may do what it asks: the topic's owner may unless the topic's policy denies it, another account only
//! if the policy allows it. A subscription belongs to whoever subscribed and to the topic's owner.
use crate::access::policy::{Decision, Principal, Request};
use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sns::arn::{any_subscription, topic_here};
use crate::aws::sns::error::SnsError;
use crate::base::Arn;
use crate::topics;

/// Reads the ARN of a topic, in the caller's region, for an operation that other accounts can be allowed. `member` and
/// `action` go into the error.
///
/// # Errors
/// `InvalidParameter`; `AuthorizationError`, for a topic of another account whether or not it is there.
pub(super) async fn topic(
    services: &Services,
    caller: &Caller,
    member: &str,
    text: &str,
    action: &str,
) -> Result<Arn, SnsError> {
    topic_with(services, caller, (member, text), action, Vec::new()).await
}

/// The same, where the action has condition keys of its own, in lower case.
///
/// # Errors
/// As [`topic`].
pub(super) async fn topic_with(
    services: &Services,
    caller: &Caller,
    (member, text): (&str, &str),
    action: &str,
    mut keys: Vec<(&'static str, Vec<String>)>,
) -> Result<Arn, SnsError> {
    let arn = topic_here(caller, member, text)?;
    let own = arn.account == caller.account;
    let refused = || Err(SnsError::unauthorized(caller.account.as_str(), action, &arn.to_string()));
    let Some(policy) = services.topics.policy(&arn).await? else { return if own { Ok(arn) } else { refused() } };
    // SNS's own: whoever calls is the source too.
    keys.push(("aws:sourceowner", vec![caller.account.to_string()]));
    let request = Request {
        principal: Principal::Account(caller.account.clone()),
        action: format!("sns:{action}"),
        resource: arn.to_string(),
        source_ip: Some(caller.source_ip),
        secure: caller.endpoint.starts_with("https://"),
        region: arn.region.clone(),
        at: services.clock.now(),
        more: keys,
    };
    match policy.decide(&request) {
        Decision::Allow => Ok(arn),
        Decision::Silent if own => Ok(arn),
        Decision::Silent | Decision::Deny => refused(),
    }
}

/// Reads the ARN of a subscription that the caller made, or that is one to a topic of the caller's.
///
/// # Errors
/// `InvalidParameter`; `AuthorizationError`, for one of others whether or not it is there.
pub(super) async fn subscription(
    services: &Services,
    caller: &Caller,
    text: &str,
    action: &str,
) -> Result<Arn, SnsError> {
    let arn = any_subscription(text)?;
    if arn.account == caller.account {
        return Ok(arn);
    }
    match services.topics.subscription_owner(&arn).await {
        Ok(owner) if owner == caller.account => Ok(arn),
        Ok(_) | Err(topics::Error::SubscriptionMissing) => {
            Err(SnsError::unauthorized(caller.account.as_str(), action, &arn.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}
