//! The DeliveryPolicy attribute of a topic and of a subscription: how HTTP deliveries are retried and what content type
//! they carry, and how many go out per second. Source: SNS developer guide, "Creating an HTTP/S delivery policy".
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::topics::delivery::schedule::{Backoff, RetryPolicy};

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

/// `requestPolicy`.
#[derive(Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestPolicy {
    header_content_type: Option<String>,
}

/// A retry policy with those of its members that were given, in the order in which SNS shows them.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GivenRetry {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_delay_target: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_target: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_max_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_no_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_min_delay_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_function: Option<Backoff>,
}

impl GivenRetry {
    /// SNS wants three of its members; the text says which one is missing.
    fn check(&self, path: &str) -> Result<(), String> {
        let missing = match self {
            Self { min_delay_target: None, .. } => "minDelayTarget",
            Self { max_delay_target: None, .. } => "maxDelayTarget",
            Self { num_retries: None, .. } => "numRetries",
            _ => return self.whole().check(path),
        };
        Err(format!("{path}.{missing} must be specified"))
    }

    fn whole(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        RetryPolicy {
            min_delay_target: self.min_delay_target.unwrap_or(default.min_delay_target),
            max_delay_target: self.max_delay_target.unwrap_or(default.max_delay_target),
            num_retries: self.num_retries.unwrap_or(default.num_retries),
            num_max_delay_retries: self.num_max_delay_retries.unwrap_or(default.num_max_delay_retries),
            num_no_delay_retries: self.num_no_delay_retries.unwrap_or(default.num_no_delay_retries),
            num_min_delay_retries: self.num_min_delay_retries.unwrap_or(default.num_min_delay_retries),
            backoff_function: self.backoff_function.unwrap_or(default.backoff_function),
        }
    }
}

/// A topic's policy: `R` is its retry policy, as it was given or as it is in force.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TopicPolicy<R> {
    http: Option<TopicHttp<R>>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TopicHttp<R> {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_healthy_retry_policy: Option<R>,
    #[serde(default)]
    disable_subscription_overrides: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_throttle_policy: Option<ThrottlePolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_request_policy: Option<RequestPolicy>,
}

/// A subscription's policy. SNS shows what it does not have as null.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubscriptionPolicy<R> {
    healthy_retry_policy: Option<R>,
    sickly_retry_policy: Option<Json>,
    throttle_policy: Option<ThrottlePolicy>,
    request_policy: Option<RequestPolicy>,
    #[serde(default)]
    guaranteed: bool,
}

/// A topic's DeliveryPolicy in the form that is kept and shown; `None` where it cannot be read.
pub fn topic_as_kept(json: &str) -> Option<String> {
    let policy: TopicPolicy<GivenRetry> = serde_json::from_str(json).ok()?;
    // Without `http` it says nothing, and stays as it is.
    policy.http.as_ref()?;
    serde_json::to_string(&policy).ok()
}

/// Checks a topic's DeliveryPolicy; the text says what is wrong with it.
pub fn check_topic(json: &str) -> Result<(), String> {
    let policy: TopicPolicy<GivenRetry> = serde_json::from_str(json).map_err(|why| why.to_string())?;
    let Some(http) = policy.http else { return Ok(()) };
    check_throttle(http.default_throttle_policy.as_ref())?;
    let retry = http.default_healthy_retry_policy.as_ref();
    retry.map_or(Ok(()), |retry| retry.check("http.defaultHealthyRetryPolicy"))?;
    check_request(http.default_request_policy.as_ref())
}

/// Checks a subscription's DeliveryPolicy, and gives it in the form that is kept and shown; the text says what is wrong with it.
pub fn check_subscription(json: &str) -> Result<String, String> {
    let policy: SubscriptionPolicy<GivenRetry> = serde_json::from_str(json).map_err(|why| why.to_string())?;
    check_throttle(policy.throttle_policy.as_ref())?;
    if policy.sickly_retry_policy.is_some() || policy.guaranteed {
        return Err("sicklyRetryPolicy and guaranteed are not supported".to_owned());
    }
    policy.healthy_retry_policy.as_ref().map_or(Ok(()), |retry| retry.check("healthyRetryPolicy"))?;
    check_request(policy.request_policy.as_ref())?;
    serde_json::to_string(&policy).map_err(|why| why.to_string())
}

fn check_throttle(throttle: Option<&ThrottlePolicy>) -> Result<(), String> {
    match throttle.and_then(|throttle| throttle.max_receives_per_second) {
        Some(0) => Err("throttlePolicy.maxReceivesPerSecond must be at least 1".to_owned()),
        _ => Ok(()),
    }
}

fn check_request(request: Option<&RequestPolicy>) -> Result<(), String> {
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
    let topic = topic.and_then(http);
    let overrides = !topic.as_ref().is_some_and(|topic| topic.disable_subscription_overrides);
    let own: Option<SubscriptionPolicy<RetryPolicy>> =
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

/// What a topic's policy says of HTTP.
fn http(json: &str) -> Option<TopicHttp<RetryPolicy>> {
    serde_json::from_str::<TopicPolicy<RetryPolicy>>(json).ok()?.http
}

/// What is in force of a throttle and of a content type, as SNS shows it.
fn describe(max_per_second: Option<u32>, content_type: Option<String>) -> (Option<ThrottlePolicy>, RequestPolicy) {
    let throttle = max_per_second.map(|max| ThrottlePolicy { max_receives_per_second: Some(max) });
    let content_type = content_type.unwrap_or_else(|| "text/plain; charset=UTF-8".to_owned());
    (throttle, RequestPolicy { header_content_type: Some(content_type) })
}

/// The EffectiveDeliveryPolicy attribute of a topic.
pub fn describe_topic(topic: Option<&str>) -> String {
    let effective = effective(topic, None);
    let (throttle, request) = describe(effective.max_per_second, effective.content_type);
    let http = TopicHttp {
        default_healthy_retry_policy: Some(effective.retry),
        disable_subscription_overrides: topic.and_then(http).is_some_and(|http| http.disable_subscription_overrides),
        default_throttle_policy: throttle,
        default_request_policy: Some(request),
    };
    serde_json::to_string(&TopicPolicy { http: Some(http) }).unwrap_or_default()
}

/// The EffectiveDeliveryPolicy attribute of a subscription.
pub fn describe_subscription(topic: Option<&str>, subscription: Option<&str>) -> String {
    let effective = effective(topic, subscription);
    let (throttle, request) = describe(effective.max_per_second, effective.content_type);
    let policy = SubscriptionPolicy {
        healthy_retry_policy: Some(effective.retry),
        sickly_retry_policy: None,
        throttle_policy: throttle,
        request_policy: Some(request),
        guaranteed: false,
    };
    serde_json::to_string(&policy).unwrap_or_default()
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

    // As AWS was recorded: LocalStack's snapshots of test_topic_delivery_policy_crud and of external HTTP endpoints.
    #[test]
    fn policies_are_kept_as_aws_shows_them() {
        for (given, kept) in [
            (r#"{"http": {"defaultHealthyRetryPolicy": null}}"#, r#"{"http":{"disableSubscriptionOverrides":false}}"#),
            (
                r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":1,"maxDelayTarget":6,"minDelayTarget":5}}}"#,
                r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}"#,
            ),
            (
                r#"{"http":{"defaultRequestPolicy":{"headerContentType":"application/json"}}}"#,
                r#"{"http":{"disableSubscriptionOverrides":false,"defaultRequestPolicy":{"headerContentType":"application/json"}}}"#,
            ),
        ] {
            assert_eq!(topic_as_kept(given).as_deref(), Some(kept));
            assert!(check_topic(kept).is_ok());
        }
        let own = check_subscription(r#"{"requestPolicy":{"headerContentType":"text/csv"}}"#).expect("good");
        let shown = r#"{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#;
        assert_eq!(own, shown);
        assert_eq!(check_subscription(&own).as_deref(), Ok(shown));
        let whole = r#"{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"}"#;
        let request = r#"{"headerContentType":"text/plain; charset=UTF-8"}"#;
        let effective = format!(
            r#"{{"http":{{"defaultHealthyRetryPolicy":{whole},"disableSubscriptionOverrides":false,"defaultRequestPolicy":{request}}}}}"#
        );
        assert_eq!(describe_topic(None), effective);
    }

    #[test]
    fn what_sns_wants_of_a_retry_policy_is_missed() {
        let topic = |retry: &str| check_topic(&format!(r#"{{"http":{{"defaultHealthyRetryPolicy":{retry}}}}}"#));
        let at = "http.defaultHealthyRetryPolicy";
        for (retry, why) in [
            (r#"{"numRetries":5}"#, "minDelayTarget must be specified"),
            (r#"{"minDelayTarget":5,"numRetries":5}"#, "maxDelayTarget must be specified"),
            (r#"{"minDelayTarget":5,"maxDelayTarget":5}"#, "numRetries must be specified"),
            (
                r#"{"minDelayTarget":0,"maxDelayTarget":5,"numRetries":5}"#,
                "minDelayTarget must be greater than or equal to 1",
            ),
            (
                r#"{"minDelayTarget":1,"maxDelayTarget":5,"numRetries":101}"#,
                "numRetries must be less than or equal to 100",
            ),
        ] {
            assert_eq!(topic(retry), Err(format!("{at}.{why}")));
            let own = check_subscription(&format!(r#"{{"healthyRetryPolicy":{retry}}}"#));
            assert_eq!(own, Err(format!("healthyRetryPolicy.{why}")));
        }
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
