//! Attributes of topics and subscriptions: which can be set, and to what. Kept as a JSON object of texts.
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::Arn;
use crate::store;
use crate::topics::delivery::policy;
use crate::topics::endpoint;
use crate::topics::endpoint::Protocol;
use crate::topics::filter_policy::{Fault, FilterPolicy, PolicyScope};
use crate::topics::permission::check_policy;
use crate::topics::replay::Span;
use crate::topics::rules::SUFFIX;
use crate::topics::signing::Version;
use crate::topics::{Error, archive, json_fault, large};

/// Attributes by name.
pub type Attributes = BTreeMap<String, String>;

/// The longest name of a key.
const KEY_BYTES_MAX: usize = 2_048;
/// What logs of deliveries would be written for; each has a role for successes and one for failures, and a sample rate.
const FEEDBACK: [&str; 5] = ["HTTP", "Firehose", "Lambda", "Application", "SQS"];

/// Reads attributes as the store keeps them.
pub(in crate::topics) fn read(json: &str) -> Result<Attributes, store::Error> {
    serde_json::from_str(json).map_err(store::Error::corrupt)
}

/// Writes attributes as the store keeps them.
pub(in crate::topics) fn write(attributes: &Attributes) -> String {
    Json::from_iter(attributes.iter().map(|(name, value)| (name.clone(), value.clone()))).to_string()
}

/// Checks an attribute of a topic. Attributes that would change how a topic works here, but do not, are unknown ones;
/// those that only say what AWS's other services do (traces, logs, keys) are kept, as on AWS.
pub(in crate::topics) fn check_topic(name: &str, value: &str, fifo: bool) -> Result<(), Error> {
    let one_of = |name, values: &[&str]| {
        let why = || Error::AttributeValue(name, format!("must be {}", values.join(" or ")));
        if values.contains(&value) { Ok(()) } else { Err(why()) }
    };
    match name {
        "DisplayName" if value.chars().count() > 100 || value.chars().any(char::is_control) => {
            Err(Error::AttributeValue("DisplayName", "at most 100 characters, no control characters".to_owned()))
        }
        "DisplayName" => Ok(()),
        "Policy" => check_policy(value),
        _ if removes(name, value) => Ok(()),
        "DeliveryPolicy" => policy::check_topic(value).map_err(|why| Error::AttributeValue("DeliveryPolicy", why)),
        "SignatureVersion" if Version::parse(value).is_none() => one_of("SignatureVersion", &["1", "2"]),
        "SignatureVersion" => Ok(()),
        "ContentBasedDeduplication" | "FifoThroughputScope" if !fifo => Err(Error::FifoAttribute(name.to_owned())),
        "ContentBasedDeduplication" => one_of("ContentBasedDeduplication", &["true", "false"]),
        "FifoThroughputScope" => one_of("FifoThroughputScope", &["Topic", "MessageGroup"]),
        "ArchivePolicy" => archive::days(value).map(drop),
        "MaximumMessageSize" => large::size(value).map(drop),
        "TracingConfig" => one_of("TracingConfig", &["PassThrough", "Active"]),
        "KmsMasterKeyId" if value.len() > KEY_BYTES_MAX || value.chars().any(char::is_control) => {
            Err(Error::AttributeValue("KmsMasterKeyId", "at most 2048 bytes, no control characters".to_owned()))
        }
        "KmsMasterKeyId" => Ok(()),
        _ => check_feedback(name, value),
    }
}

/// Brings a topic's attribute into the form that is kept: booleans are read in any case, as Python's `True`, and kept in small
/// letters; a delivery policy as SNS shows it.
pub(in crate::topics) fn make_plain(name: &str, value: &mut String) {
    match name {
        "FifoTopic" | "ContentBasedDeduplication" => value.make_ascii_lowercase(),
        "DeliveryPolicy" => {
            if let Some(kept) = policy::topic_as_kept(value) {
                *value = kept;
            }
        }
        _ => {}
    }
}

/// Whether this value of a topic's attribute takes the attribute away.
pub(in crate::topics) fn removes(name: &str, value: &str) -> bool {
    match name {
        "ArchivePolicy" => matches!(value.trim(), "" | "{}"),
        "DeliveryPolicy" | "KmsMasterKeyId" => value.is_empty(),
        _ => value.is_empty() && FEEDBACK.iter().any(|p| name.starts_with(p)) && name.ends_with("FeedbackRoleArn"),
    }
}

fn check_feedback(name: &str, value: &str) -> Result<(), Error> {
    let unknown = || Error::AttributeName(name.to_owned());
    let rest = FEEDBACK.iter().find_map(|protocol| name.strip_prefix(protocol)).ok_or_else(unknown)?;
    let rate = || value.parse::<u8>().is_ok_and(|rate| rate <= 100);
    match rest {
        "SuccessFeedbackSampleRate" if rate() => Ok(()),
        "SuccessFeedbackRoleArn" | "FailureFeedbackRoleArn" if role_ok(value) => Ok(()),
        "SuccessFeedbackSampleRate" => Err(Error::AttributeValue("FeedbackSampleRate", "0 to 100".to_owned())),
        "SuccessFeedbackRoleArn" | "FailureFeedbackRoleArn" => {
            Err(Error::AttributeValue("FeedbackRoleArn", "not the ARN of a role".to_owned()))
        }
        _ => Err(unknown()),
    }
}

/// Checks an attribute of the subscription of an endpoint and gives it in the form that is kept. An empty text takes it away.
pub(in crate::topics) fn check_subscription(
    name: &str,
    value: &str,
    (protocol, endpoint): (Protocol, &str),
    topic: &Arn,
) -> Result<String, Error> {
    let wrong = |name, why: &str| Err(Error::AttributeValue(name, why.to_owned()));
    match name {
        "RawMessageDelivery" if !protocol.may_be_raw() && !value.eq_ignore_ascii_case("false") => {
            wrong("RawMessageDelivery", &format!("not supported for protocol [{}]", protocol.as_str()))
        }
        "SubscriptionRoleArn" if protocol == Protocol::Firehose => match role_ok(value) {
            true => Ok(value.to_owned()),
            false => wrong("SubscriptionRoleArn", "must be the ARN of a role"),
        },
        "RawMessageDelivery" => match value.to_ascii_lowercase().as_str() {
            known @ ("true" | "false") => Ok(known.to_owned()),
            _ => wrong("RawMessageDelivery", &format!("Invalid value [{value}]. Must be true or false.")),
        },
        "DeliveryPolicy" if !protocol.is_web() => {
            wrong("DeliveryPolicy", "delivery policies are for http and https only")
        }
        "DeliveryPolicy" | "RedrivePolicy" if value.is_empty() => Ok(String::new()),
        "DeliveryPolicy" => {
            policy::check_subscription(value).map_err(|why| Error::AttributeValue("DeliveryPolicy", why))
        }
        "RedrivePolicy" => {
            let queue = dead_letter_queue(value, topic)?;
            // What comes to a FIFO queue in order stays in order.
            let in_order = protocol == Protocol::Sqs && endpoint.ends_with(SUFFIX) && topic.resource.ends_with(SUFFIX);
            if in_order && !queue.resource.ends_with(SUFFIX) {
                let why = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.";
                return wrong("RedrivePolicy", why);
            }
            Ok(value.to_owned())
        }
        "ReplayPolicy" if matches!(value.trim(), "" | "{}") => Ok(String::new()),
        "ReplayPolicy" => Span::parse(value).map(|_| value.to_owned()),
        // An empty object lets everything pass, as no policy does.
        "FilterPolicy" if value.trim() == "{}" => Ok(String::new()),
        "FilterPolicy" => Ok(value.to_owned()),
        "FilterPolicyScope" if PolicyScope::parse(value).is_none() => wrong(
            "FilterPolicyScope",
            &format!("Invalid value [{value}]. Please use either MessageBody or MessageAttributes"),
        ),
        "FilterPolicyScope" => Ok(value.to_owned()),
        _ => Err(Error::AttributeName(name.to_owned())),
    }
}

/// Whether the attributes of a wish to subscribe differ from those that the subscription has. What the wish leaves out does not
/// differ, nor does a default that it spells out; policies are compared as JSON.
pub(in crate::topics) fn differ(wished: &Attributes, set: &Attributes) -> bool {
    let default = |name: &str| match name {
        "RawMessageDelivery" => Some("false"),
        "FilterPolicyScope" => Some("MessageAttributes"),
        _ => None,
    };
    let same = |one: &str, other: &str| {
        let json = |text| serde_json::from_str::<Json>(text).ok();
        one == other || json(one).is_some_and(|one| json(other) == Some(one))
    };
    wished.iter().any(|(name, value)| {
        let there = set.get(name).map(String::as_str).or_else(|| default(name));
        there.is_none_or(|there| !same(there, value))
    })
}

/// The form of a role's ARN. There are no roles here; AWS wants one, so clients send one.
fn role_ok(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let head = (next(), next().starts_with("aws"), next(), next());
    let (account, resource) = (next(), next());
    head == ("arn", true, "iam", "")
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && resource.starts_with("role/")
        && arn.len() <= 2_048
        && arn.bytes().all(|b| b.is_ascii_graphic())
}

/// The filter policy among a subscription's attributes, with its scope. Which policies are good depends on the scope, so
/// both are checked together.
pub(in crate::topics) fn filter_policy(attributes: &Attributes) -> Result<Option<(FilterPolicy, PolicyScope)>, Error> {
    let Some(policy) = attributes.get("FilterPolicy") else { return Ok(None) };
    let scope = attributes.get("FilterPolicyScope").and_then(|text| PolicyScope::parse(text)).unwrap_or_default();
    match FilterPolicy::parse(policy, scope) {
        Ok(policy) => Ok(Some((policy, scope))),
        Err(Fault::Nested) => Err(Error::FilterPolicyNested),
        Err(Fault::Other(why)) => Err(Error::AttributeValue("FilterPolicy", why)),
    }
}

/// The queue that a RedrivePolicy names: one of the topic's account and region, and FIFO only where the topic is.
pub(in crate::topics) fn dead_letter_queue(redrive: &str, topic: &Arn) -> Result<Arn, Error> {
    let wrong = |why: &str| Error::AttributeValue("RedrivePolicy", why.to_owned());
    let json: Json = serde_json::from_str(redrive).map_err(|_| wrong(&json_fault::words(redrive)))?;
    let arn = json.get("deadLetterTargetArn").and_then(Json::as_str).unwrap_or_default();
    let arn = endpoint::queue(arn).map_err(|_| wrong("deadLetterTargetArn is an invalid arn"))?;
    if arn.resource.ends_with(SUFFIX) && !topic.resource.ends_with(SUFFIX) {
        return Err(wrong("deadLetterTargetArn must be a standard queue"));
    }
    if arn.account != topic.account || arn.region != topic.region {
        return Err(wrong("deadLetterTargetArn must be in the account and region of the topic"));
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_attributes_are_checked() {
        let policy = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"SNS:Publish","Resource":"*"}}"#;
        for (name, value) in [
            ("DisplayName", "Orders"),
            ("DisplayName", ""),
            ("Policy", policy),
            ("SignatureVersion", "2"),
            ("DeliveryPolicy", "{\"http\":{}}"),
            ("KmsMasterKeyId", "alias/aws/sns"),
            ("KmsMasterKeyId", ""),
            ("TracingConfig", "Active"),
            ("ArchivePolicy", "{\"MessageRetentionPeriod\":\"7\"}"),
            ("SQSSuccessFeedbackSampleRate", "100"),
            ("LambdaFailureFeedbackRoleArn", "arn:aws:iam::123456789012:role/logs"),
            ("LambdaFailureFeedbackRoleArn", ""),
        ] {
            assert!(check_topic(name, value, false).is_ok(), "{name} {value}");
        }
        for (name, value) in [
            ("DisplayName", "a\r\nb"),
            ("Policy", "{"),
            ("Policy", "{\"Version\":\"2012-10-17\"}"),
            ("SignatureVersion", "3"),
            ("TracingConfig", "on"),
            ("ArchivePolicy", "{\"MessageRetentionPeriod\":\"0\"}"),
            ("SQSSuccessFeedbackSampleRate", "101"),
            ("HTTPSuccessFeedbackRoleArn", "logs"),
        ] {
            let answer = check_topic(name, value, false);
            assert!(matches!(answer, Err(Error::AttributeValue(..))), "{name} {value}: {answer:?}");
        }
        let scope = policy.replace("SNS:Publish", "sqs:SendMessage");
        assert!(matches!(check_topic("Policy", &scope, false), Err(Error::PolicyScope)));
        for name in ["Owner", "TopicArn", "FifoTopic", "HTTPColour", "SQSSuccessFeedbackSampleRates", ""] {
            assert!(matches!(check_topic(name, "x", false), Err(Error::AttributeName(_))), "{name}");
        }
        for (name, value) in [("ContentBasedDeduplication", "true"), ("FifoThroughputScope", "MessageGroup")] {
            assert!(matches!(check_topic(name, value, false), Err(Error::FifoAttribute(_))), "{name}");
            assert!(check_topic(name, value, true).is_ok(), "{name}");
            assert!(matches!(check_topic(name, "x", true), Err(Error::AttributeValue(..))), "{name}");
        }
    }

    #[test]
    fn subscription_attributes_are_checked() {
        const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:q";
        let topic: Arn = "arn:aws:sns:us-east-1:123456789012:t".parse().expect("an ARN");
        let check = |name: &str, value: &str| check_subscription(name, value, (Protocol::Sqs, QUEUE), &topic);
        assert_eq!(check("RawMessageDelivery", "TRUE").expect("good"), "true");
        let redrive = |arn: &str| check("RedrivePolicy", &format!("{{\"deadLetterTargetArn\":\"{arn}\"}}"));
        assert!(redrive("arn:aws:sqs:us-east-1:123456789012:dead").is_ok());
        for bad in [
            "arn:aws:sqs:eu-west-1:123456789012:dead",
            "arn:aws:sqs:us-east-1:210987654321:dead",
            "arn:aws:sns:us-east-1:123456789012:dead",
            "arn:aws:sqs:us-east-1:123456789012:dead.fifo",
            "dead",
        ] {
            assert!(matches!(redrive(bad), Err(Error::AttributeValue("RedrivePolicy", _))), "{bad}");
        }
        assert!(matches!(check("RawMessageDelivery", "yes"), Err(Error::AttributeValue(..))));
        assert!(matches!(check("DeliveryPolicy", "{}"), Err(Error::AttributeValue(..))));
        assert!(matches!(check("Colour", "blue"), Err(Error::AttributeName(_))));
    }
}
