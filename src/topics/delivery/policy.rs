//! The DeliveryPolicy attribute of a topic and of a subscription: how HTTP deliveries are retried and what content type
//! they carry, and how many go out per second. Source: SNS developer guide, "Creating an HTTP/S delivery policy".
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::topics::delivery::schedule::RetryPolicy;

/// The media types that SNS takes for `headerContentType`.
const CONTENT_TYPES: [&str; 12] = [
    "application/atom+xml",
    "application/json",
    "application/octet-stream",
    "application/soap+xml",
    "application/x-www-form-urlencoded",
    "application/xhtml+xml",
    "application/xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/plain",
    "text/xml",
];

/// What is in force for one subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// When failed deliveries are tried again.
    pub retry: RetryPolicy,
    /// The content type of notifications, where a policy names one.
    pub content_type: Option<String>,
    /// How many deliveries one second may have, where a policy says.
    pub max_per_second: Option<u32>,
}

/// `throttlePolicy`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ThrottlePolicy {
    max_receives_per_second: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicPolicy {
    http: Option<TopicHttp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicHttp {
    default_healthy_retry_policy: Option<RetryPolicy>,
    #[serde(default)]
    disable_subscription_overrides: bool,
    default_throttle_policy: Option<ThrottlePolicy>,
    default_request_policy: Option<RequestPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubscriptionPolicy {
    healthy_retry_policy: Option<RetryPolicy>,
    sickly_retry_policy: Option<Json>,
    throttle_policy: Option<ThrottlePolicy>,
    request_policy: Option<RequestPolicy>,
    #[serde(default)]
    guaranteed: bool,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestPolicy {
    header_content_type: Option<String>,
}

/// Checks a topic's DeliveryPolicy; the text says what is wrong with it.
pub fn check_topic(json: &str) -> Result<(), String> {
    let policy: TopicPolicy = serde_json::from_str(json).map_err(|why| why.to_string())?;
    let Some(http) = policy.http else { return Ok(()) };
    check_throttle(http.default_throttle_policy.as_ref())?;
    check(http.default_healthy_retry_policy.as_ref(), http.default_request_policy.as_ref())
}

/// Checks a subscription's DeliveryPolicy; the text says what is wrong with it.
pub fn check_subscription(json: &str) -> Result<(), String> {
    let policy: SubscriptionPolicy = serde_json::from_str(json).map_err(|why| why.to_string())?;
    check_throttle(policy.throttle_policy.as_ref())?;
    if policy.sickly_retry_policy.is_some() || policy.guaranteed {
        return Err("sicklyRetryPolicy and guaranteed are not supported".to_owned());
    }
    check(policy.healthy_retry_policy.as_ref(), policy.request_policy.as_ref())
}

fn check_throttle(throttle: Option<&ThrottlePolicy>) -> Result<(), String> {
    match throttle.and_then(|throttle| throttle.max_receives_per_second) {
        Some(0) => Err("throttlePolicy.maxReceivesPerSecond must be at least 1".to_owned()),
        _ => Ok(()),
    }
}

fn check(retry: Option<&RetryPolicy>, request: Option<&RequestPolicy>) -> Result<(), String> {
    retry.map_or(Ok(()), RetryPolicy::check)?;
    let content_type = request.and_then(|request| request.header_content_type.as_deref());
    match content_type {
        Some(content_type) if !content_type_ok(content_type) => Err("headerContentType is not supported".to_owned()),
        _ => Ok(()),
    }
}

/// A known media type, with nothing behind it but a charset.
fn content_type_ok(content_type: &str) -> bool {
    let (media, charset) = content_type.split_once(';').unwrap_or((content_type, ""));
    let charset_ok = |text: &str| {
        let name = text.strip_prefix("charset=").unwrap_or_default();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    CONTENT_TYPES.contains(&media.trim()) && (charset.is_empty() || charset_ok(charset.trim()))
}

/// What is in force: the subscription's policy where it has one and the topic lets it, else the topic's, else SNS's
/// default. Policies were checked when they were set; one that cannot be read counts as none.
pub fn effective(topic: Option<&str>, subscription: Option<&str>) -> Effective {
    let topic: Option<TopicHttp> =
        topic.and_then(|json| serde_json::from_str::<TopicPolicy>(json).ok()).and_then(|policy| policy.http);
    let overrides = !topic.as_ref().is_some_and(|topic| topic.disable_subscription_overrides);
    let own: Option<SubscriptionPolicy> =
        subscription.filter(|_| overrides).and_then(|json| serde_json::from_str(json).ok());
    let (own_retry, own_throttle, own_request) = own.map_or((None, None, None), |policy| {
        (policy.healthy_retry_policy, policy.throttle_policy, policy.request_policy)
    });
    let (topic_retry, topic_throttle, topic_request) = topic.map_or((None, None, None), |topic| {
        (topic.default_healthy_retry_policy, topic.default_throttle_policy, topic.default_request_policy)
    });
    Effective {
        retry: own_retry.or(topic_retry).unwrap_or_default(),
        content_type: own_request.or(topic_request).and_then(|request| request.header_content_type),
        max_per_second: own_throttle.or(topic_throttle).and_then(|throttle| throttle.max_receives_per_second),
    }
}

/// The EffectiveDeliveryPolicy attribute of a topic.
pub fn describe_topic(topic: Option<&str>) -> String {
    let effective = effective(topic, None);
    let overrides = topic
        .and_then(|json| serde_json::from_str::<TopicPolicy>(json).ok())
        .and_then(|policy| policy.http)
        .is_some_and(|http| http.disable_subscription_overrides);
    let content_type = effective.content_type.unwrap_or_else(|| "text/plain; charset=UTF-8".to_owned());
    let mut http = serde_json::json!({
        "defaultHealthyRetryPolicy": effective.retry,
        "disableSubscriptionOverrides": overrides,
        "defaultRequestPolicy": {"headerContentType": content_type},
    });
    if let Some(max) = effective.max_per_second {
        http["defaultThrottlePolicy"] = serde_json::json!({ "maxReceivesPerSecond": max });
    }
    serde_json::json!({ "http": http }).to_string()
}

/// The EffectiveDeliveryPolicy attribute of a subscription.
pub fn describe_subscription(topic: Option<&str>, subscription: Option<&str>) -> String {
    let effective = effective(topic, subscription);
    let content_type = effective.content_type.unwrap_or_else(|| "text/plain; charset=UTF-8".to_owned());
    let throttle = effective.max_per_second.map(|max| serde_json::json!({ "maxReceivesPerSecond": max }));
    serde_json::json!({
        "healthyRetryPolicy": effective.retry,
        "sicklyRetryPolicy": null,
        "throttlePolicy": throttle,
        "requestPolicy": {"headerContentType": content_type},
        "guaranteed": false,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":1},
        "defaultRequestPolicy":{"headerContentType":"application/json"},
        "defaultThrottlePolicy":{"maxReceivesPerSecond":9}}}"#;
    const OWN: &str = r#"{"healthyRetryPolicy":{"numRetries":7},"throttlePolicy":{"maxReceivesPerSecond":2}}"#;

    #[test]
    fn the_nearest_policy_is_in_force() {
        assert_eq!(effective(None, None).retry.num_retries, 3);
        assert_eq!(effective(Some(TOPIC), None).retry.num_retries, 1);
        let both = effective(Some(TOPIC), Some(OWN));
        assert_eq!((both.retry.num_retries, both.content_type.as_deref()), (7, Some("application/json")));
        assert_eq!((both.max_per_second, effective(Some(TOPIC), None).max_per_second), (Some(2), Some(9)));
        let strict = r#"{"http":{"disableSubscriptionOverrides":true}}"#;
        assert_eq!(effective(Some(strict), Some(OWN)).retry.num_retries, 3);
    }

    #[test]
    fn a_described_policy_can_be_set_again() {
        assert!(check_topic(&describe_topic(Some(TOPIC))).is_ok());
        assert!(check_subscription(&describe_subscription(Some(TOPIC), Some(OWN))).is_ok());
    }

    #[test]
    fn policies_that_would_not_be_obeyed_are_refused() {
        for bad in [
            "",
            "[]",
            r#"{"https":{}}"#,
            r#"{"http":{"defaultThrottlePolicy":{"maxReceivesPerSecond":0}}}"#,
            r#"{"http":{"defaultThrottlePolicy":{"maxReceivesPerMinute":1}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":101}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":-1}}}"#,
            r#"{"http":{"defaultHealthyRetryPolicy":{"backoffFunction":"random"}}}"#,
        ] {
            assert!(check_topic(bad).is_err(), "{bad}");
        }
        for bad in [
            r#"{"throttlePolicy":{"maxReceivesPerSecond":-1}}"#,
            r#"{"requestPolicy":{"headerContentType":"text/plain\r\nX-Evil: 1"}}"#,
            r#"{"requestPolicy":{"headerContentType":"image/png"}}"#,
        ] {
            assert!(check_subscription(bad).is_err(), "{bad}");
        }
        assert!(check_subscription(r#"{"requestPolicy":{"headerContentType":"text/html; charset=UTF-8"}}"#).is_ok());
    }
}
