//! Whether the caller may do what it asks: the queue's owner may unless the queue's policy denies it, another account
//! only if the policy allows it.
use crate::access::policy::{Decision, Principal, Request};
use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::sqs::address;
use crate::aws::sqs::error::SqsError;
use crate::base::{Arn, Scope};

/// The queue that a URL means, for an operation that other accounts can be allowed. Batches need the permission of the
/// single operation.
///
/// # Errors
/// QueueDoesNotExist, also for a text that is no queue's URL; `AccessDenied`.
pub(super) async fn permitted(
    services: &Services,
    caller: &Caller,
    url: &str,
    action: &str,
) -> Result<(Scope, String), SqsError> {
    let (scope, name) = address::parse(caller, url)?;
    if may(services, caller, &scope, &name, action).await? {
        return Ok((scope, name));
    }
    // As on AWS, who asks for a queue of another account learns whether it is there.
    services.queues.get(&scope, &name).await?;
    Err(SqsError::denied(url))
}

/// The queue that a URL means, for an operation that only its owner can be allowed (SQS API reference: "Cross-account
/// permissions don't apply to this action"). A policy can deny it to the owner too.
///
/// # Errors
/// QueueDoesNotExist, also for a queue of another account that is not there; `AccessDenied`.
pub(super) async fn owned(
    services: &Services,
    caller: &Caller,
    url: &str,
    action: &str,
) -> Result<(Scope, String), SqsError> {
    let (scope, name) = own(services, caller, url).await?;
    if may(services, caller, &scope, &name, action).await? { Ok((scope, name)) } else { Err(SqsError::denied(url)) }
}

/// The queue that a URL means, which must be the caller's. Its policy does not matter.
///
/// # Errors
/// QueueDoesNotExist, also for a queue of another account that is not there; `AccessDenied`.
pub(super) async fn own(services: &Services, caller: &Caller, url: &str) -> Result<(Scope, String), SqsError> {
    let (scope, name) = address::parse(caller, url)?;
    if scope.account != caller.account {
        services.queues.get(&scope, &name).await?;
        return Err(SqsError::denied(url));
    }
    Ok((scope, name))
}

/// Whether the queue's policy lets the caller.
pub(super) async fn may(
    services: &Services,
    caller: &Caller,
    scope: &Scope,
    name: &str,
    action: &str,
) -> Result<bool, SqsError> {
    let own = scope.account == caller.account;
    let Some(policy) = services.queues.policy(scope, name).await? else { return Ok(own) };
    let request = Request {
        principal: Principal::Account(caller.account.clone()),
        action: format!("sqs:{action}"),
        resource: Arn::new("sqs", &scope.region, &scope.account, name).to_string(),
        source_ip: Some(caller.source_ip),
        secure: caller.endpoint.starts_with("https://"),
        region: scope.region.clone(),
        at: services.clock.now(),
        more: Vec::new(),
    };
    let decision = policy.decide(&request);
    Ok(decision == Decision::Allow || (own && decision == Decision::Silent))
}
