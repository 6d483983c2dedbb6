//! Attributes of topics and subscriptions: which can be set, and to what. Kept as a JSON object of texts.
use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::base::Arn;
use crate::store;
use crate::topics::Error;
use crate::topics::delivery::policy;
use crate::topics::endpoint;
use crate::topics::endpoint::Protocol;
use crate::topics::filter_policy::{Fault, FilterPolicy, Scope};
use crate::topics::signing::Version;

/// Attributes by name.
pub type Attributes = BTreeMap<String, String>;

/// The most bytes of a policy document (SNS quotas: 30 KB).
const POLICY_BYTES_MAX: usize = 30_720;

/// Reads attributes as the store keeps them.
pub(in crate::topics) fn read(json: &str) -> Result<Attributes, store::Error> {
    serde_json::from_str(json).map_err(store::Error::corrupt)
}

/// Writes attributes as the store keeps them.
pub(in crate::topics) fn write(attributes: &Attributes) -> String {
    Json::from_iter(attributes.iter().map(|(name, value)| (name.clone(), value.clone()))).to_string()
}

/// Checks an attribute of a topic. Attributes that would change how a topic works here, but do not, are unknown ones.
pub(in crate::topics) fn check_topic(name: &str, value: &str) -> Result<(), Error> {
    match name {
        "DisplayName" if value.chars().count() > 100 || value.chars().any(char::is_control) => {
            Err(Error::AttributeValue("DisplayName", "at most 100 characters, no control characters".to_owned()))
        }
        "Policy" => {
            let object = serde_json::from_str(value).ok().filter(|policy: &Json| policy.is_object());
            match object {
                Some(_) if value.len() <= POLICY_BYTES_MAX => Ok(()),
                _ => Err(Error::AttributeValue("Policy", "Error parsing Policy".to_owned())),
            }
        }
        "DeliveryPolicy" if value.is_empty() => Ok(()),
        "DeliveryPolicy" => policy::check_topic(value).map_err(|why| Error::AttributeValue("DeliveryPolicy", why)),
        "SignatureVersion" if Version::parse(value).is_none() => {
            Err(Error::AttributeValue("SignatureVersion", "must be 1 or 2".to_owned()))
        }
        "DisplayName" | "SignatureVersion" => Ok(()),
        _ => Err(Error::AttributeName(name.to_owned())),
    }
}

/// Checks an attribute of a subscription and gives it in the form that is kept. An empty text takes it away.
pub(in crate::topics) fn check_subscription(
    name: &str,
    value: &str,
    protocol: Protocol,
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
            policy::check_subscription(value).map_err(|why| Error::AttributeValue("DeliveryPolicy", why))?;
            Ok(value.to_owned())
        }
        "RedrivePolicy" => {
            dead_letter_queue(value, topic)?;
            Ok(value.to_owned())
        }
        // An empty object lets everything pass, as no policy does.
        "FilterPolicy" if value.trim() == "{}" => Ok(String::new()),
        "FilterPolicy" => Ok(value.to_owned()),
        "FilterPolicyScope" if Scope::parse(value).is_none() => wrong(
            "FilterPolicyScope",
            &format!("Invalid value [{value}]. Please use either MessageBody or MessageAttributes"),
        ),
        "FilterPolicyScope" => Ok(value.to_owned()),
        _ => Err(Error::AttributeName(name.to_owned())),
    }
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
pub(in crate::topics) fn filter_policy(attributes: &Attributes) -> Result<Option<(FilterPolicy, Scope)>, Error> {
    let Some(policy) = attributes.get("FilterPolicy") else { return Ok(None) };
    let scope = attributes.get("FilterPolicyScope").and_then(|text| Scope::parse(text)).unwrap_or_default();
    match FilterPolicy::parse(policy, scope) {
        Ok(policy) => Ok(Some((policy, scope))),
        Err(Fault::Nested) => Err(Error::FilterPolicyNested),
        Err(Fault::Other(why)) => Err(Error::AttributeValue("FilterPolicy", why)),
    }
}

/// The queue that a RedrivePolicy names: a standard queue of the topic's account and region.
pub(in crate::topics) fn dead_letter_queue(redrive: &str, topic: &Arn) -> Result<Arn, Error> {
    let wrong = |why: &str| Error::AttributeValue("RedrivePolicy", why.to_owned());
    let json: Json = serde_json::from_str(redrive).map_err(|_| wrong("failed to parse JSON."))?;
    let arn = json.get("deadLetterTargetArn").and_then(Json::as_str).unwrap_or_default();
    let arn = match endpoint::queue(arn) {
        Ok(arn) => arn,
        Err(Error::EndpointFifo) => return Err(wrong("deadLetterTargetArn must be a standard queue")),
        Err(_) => return Err(wrong("deadLetterTargetArn is an invalid arn")),
    };
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
        for (name, value) in [
            ("DisplayName", "Orders"),
            ("DisplayName", ""),
            ("Policy", "{\"Version\":\"2012-10-17\"}"),
            ("SignatureVersion", "2"),
            ("DeliveryPolicy", "{\"http\":{}}"),
        ] {
            assert!(check_topic(name, value).is_ok(), "{name}");
        }
        assert!(matches!(check_topic("DisplayName", "a\r\nb"), Err(Error::AttributeValue("DisplayName", _))));
        assert!(matches!(check_topic("Policy", "{"), Err(Error::AttributeValue("Policy", _))));
        assert!(matches!(check_topic("SignatureVersion", "3"), Err(Error::AttributeValue("SignatureVersion", _))));
        for name in ["Owner", "TopicArn", "FifoTopic", "KmsMasterKeyId", ""] {
            assert!(matches!(check_topic(name, "x"), Err(Error::AttributeName(_))), "{name}");
        }
    }

    #[test]
    fn subscription_attributes_are_checked() {
        let topic: Arn = "arn:aws:sns:us-east-1:123456789012:t".parse().expect("an ARN");
        let check = |name: &str, value: &str| check_subscription(name, value, Protocol::Sqs, &topic);
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
