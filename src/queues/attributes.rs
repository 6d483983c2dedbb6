//! Queue attributes: which there are, what each may be, and how they are written.
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base::Arn;
use crate::queues::{Error, Queue, arn, dead_letters, fifo, protection};
use crate::store::messages::Counts;
use crate::store::queues::Settings;

/// Every attribute that can be asked for, besides `All`.
pub const ATTRIBUTE_NAMES: [&str; 20] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "QueueArn",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

/// The defaults of CreateQueue.
impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility_timeout: 30,
            delay: 0,
            retention: 345_600,
            message_size_max: 1_048_576,
            receive_wait: 0,
            dead_letter_queue: None,
            receives_max: None,
            attributes: "{}".to_owned(),
            fifo: None,
        }
    }
}

/// Sets what `given` names; the rest stays. The owner of `settings` is named by `own`, so that a dead-letter queue is
/// in the same account and region.
pub(super) fn apply(settings: &mut Settings, own: &Arn, given: &BTreeMap<String, String>) -> Result<(), Error> {
    for (name, value) in given {
        let wrong = || Error::AttributeValue(name.clone(), value.clone());
        let within = |low: u32, high: u32| match value.parse::<u32>() {
            Ok(n) if (low..=high).contains(&n) => Ok(n),
            _ => Err(wrong()),
        };
        match name.as_str() {
            "VisibilityTimeout" => settings.visibility_timeout = within(0, 43_200)?,
            "DelaySeconds" => settings.delay = within(0, 900)?,
            "MessageRetentionPeriod" => settings.retention = within(60, 1_209_600)?,
            "MaximumMessageSize" => settings.message_size_max = within(1_024, 1_048_576)?,
            "ReceiveMessageWaitTimeSeconds" => settings.receive_wait = within(0, 20)?,
            "RedrivePolicy" => (settings.dead_letter_queue, settings.receives_max) = redrive(value, own)?,
            name if fifo::ATTRIBUTES.contains(&name) => fifo::set(settings, name, value)?,
            "RedriveAllowPolicy" => dead_letters::set_allow_policy(settings, value)?,
            name if protection::NAMES.contains(&name) => {}
            _ => return Err(Error::AttributeName(name.clone())),
        }
    }
    protection::apply(settings, given)?;
    fifo::check_settings(settings, given)
}

type DeadLetters = (Option<String>, Option<u32>);

const TARGET: &str = "deadLetterTargetArn";
const COUNT: &str = "maxReceiveCount";
const COUNT_MAX: u32 = 1_000;

/// Reads a RedrivePolicy; an empty text takes it away. Whether the target is there is asked later:
/// [`dead_letters::check_target`].
fn redrive(value: &str, own: &Arn) -> Result<DeadLetters, Error> {
    if value.is_empty() {
        return Ok((None, None));
    }
    let Ok(policy) = serde_json::from_str::<Map<String, Value>>(value) else {
        return Err(Error::AttributeRefused("RedrivePolicy", "Redrive policy is not a valid JSON map."));
    };
    let refused = |reason: String| Err(dead_letters::refused(value, reason));
    if let Some(missing) = [COUNT, TARGET].into_iter().find(|name| !policy.contains_key(*name)) {
        return refused(format!("Redrive policy does not contain mandatory attribute: {missing}."));
    }
    if policy.len() > 2 {
        return refused(format!("Only following attributes are supported: [{COUNT}, {TARGET}]."));
    }
    // AWS takes the count as a number or as a string.
    let (count, shown) = match policy.get(COUNT) {
        Some(Value::Number(n)) => (n.as_u64(), n.to_string()),
        Some(Value::String(text)) => (text.parse().ok(), text.chars().take(100).collect()),
        _ => (None, String::new()),
    };
    let count = count.and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=COUNT_MAX).contains(n));
    let Some(count) = count else {
        return refused(format!(
            "Invalid value for {COUNT}: {shown}, valid values are from 1 to {COUNT_MAX} both inclusive."
        ));
    };
    let target = policy.get(TARGET).and_then(Value::as_str).and_then(|text| text.parse::<Arn>().ok());
    match target {
        None => refused(format!("Invalid value for {TARGET}.")),
        Some(target) if target.service != "sqs" => {
            refused(format!("Only SQS queues are valid resources for {TARGET}."))
        }
        Some(target) if target.region != own.region => {
            refused("Dead-letter target must be in same region as the source.".to_owned())
        }
        Some(target) if target.account != own.account => {
            refused("Dead-letter target owner should be same as the source.".to_owned())
        }
        Some(target) => Ok((Some(target.to_string()), Some(count))),
    }
}

/// All attributes of a queue, as GetQueueAttributes writes them.
pub(super) fn all(queue: &Queue, counts: Counts) -> Result<BTreeMap<String, String>, Error> {
    let s = &queue.settings;
    let mut all = BTreeMap::from([
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("CreatedTimestamp", queue.created_at.secs().to_string()),
        ("DelaySeconds", s.delay.to_string()),
        ("LastModifiedTimestamp", queue.modified_at.secs().to_string()),
        ("MaximumMessageSize", s.message_size_max.to_string()),
        ("MessageRetentionPeriod", s.retention.to_string()),
        ("QueueArn", arn(queue).to_string()),
        ("ReceiveMessageWaitTimeSeconds", s.receive_wait.to_string()),
        ("VisibilityTimeout", s.visibility_timeout.to_string()),
    ]);
    all.extend(protection::shown(s)?);
    if let (Some(target), Some(receives)) = (&s.dead_letter_queue, s.receives_max) {
        let policy = serde_json::json!({ "deadLetterTargetArn": target, "maxReceiveCount": receives });
        all.insert("RedrivePolicy", policy.to_string());
    }
    all.extend(s.fifo.iter().flat_map(fifo::attributes));
    all.extend(dead_letters::allow_policy(s)?.map(|policy| (dead_letters::ALLOW, policy)));
    Ok(all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The first attribute named in `given` whose value in `now` is another than in `wanted`.
pub(super) fn first_difference(now: &Settings, wanted: &Settings, given: &BTreeMap<String, String>) -> Option<String> {
    let differs = |name: &str| match name {
        "VisibilityTimeout" => now.visibility_timeout != wanted.visibility_timeout,
        "DelaySeconds" => now.delay != wanted.delay,
        "MessageRetentionPeriod" => now.retention != wanted.retention,
        "MaximumMessageSize" => now.message_size_max != wanted.message_size_max,
        "ReceiveMessageWaitTimeSeconds" => now.receive_wait != wanted.receive_wait,
        "RedrivePolicy" => {
            (&now.dead_letter_queue, now.receives_max) != (&wanted.dead_letter_queue, wanted.receives_max)
        }
        name if fifo::ATTRIBUTES.contains(&name) => fifo::attribute(now, name) != fifo::attribute(wanted, name),
        // What was kept can be read back: both were written by `apply`.
        dead_letters::ALLOW => dead_letters::allow_policy(now).ok() != dead_letters::allow_policy(wanted).ok(),
        _ => protection::differs(name, now, wanted),
    };
    given.keys().find(|name| differs(name)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply_one(name: &str, value: &str) -> Result<Settings, Error> {
        let own: Arn = "arn:aws:sqs:us-east-1:000000000000:jobs".parse().expect("a good ARN");
        let mut settings = Settings::default();
        apply(&mut settings, &own, &BTreeMap::from([(name.to_owned(), value.to_owned())]))?;
        Ok(settings)
    }

    #[test]
    fn numbers_have_the_ranges_of_sqs() {
        for (name, low, high) in [
            ("VisibilityTimeout", 0, 43_200),
            ("DelaySeconds", 0, 900),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("MaximumMessageSize", 1_024, 1_048_576),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
        ] {
            for good in [low, high] {
                apply_one(name, &good.to_string()).expect("within its range");
            }
            for bad in [low - 1, high + 1] {
                assert!(matches!(apply_one(name, &bad.to_string()), Err(Error::AttributeValue(..))), "{name} {bad}");
            }
            assert!(apply_one(name, "ten").is_err() && apply_one(name, "").is_err());
        }
        assert!(matches!(apply_one("Colour", "red"), Err(Error::AttributeName(_))));
    }

    #[test]
    fn a_redrive_policy_names_a_queue_of_the_same_account_and_region() {
        let target = "arn:aws:sqs:us-east-1:000000000000:dead";
        let policy = |arn: &str, count: &str| format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{count}}}"#);
        for count in ["3", "\"3\""] {
            let settings = apply_one("RedrivePolicy", &policy(target, count)).expect("a good policy");
            assert_eq!((settings.dead_letter_queue.as_deref(), settings.receives_max), (Some(target), Some(3)));
        }
        assert_eq!(apply_one("RedrivePolicy", "").expect("removes it").receives_max, None);
        for bad in [
            policy("arn:aws:sqs:us-east-1:111111111111:dead", "3"),
            policy("arn:aws:sqs:eu-west-1:000000000000:dead", "3"),
            policy("arn:aws:sns:us-east-1:000000000000:dead", "3"),
            policy("dead", "3"),
            policy(target, "0"),
            policy(target, "1001"),
            policy(target, "true"),
            policy(target, "3,\"more\":1"),
            "{}".to_owned(),
            format!(r#"{{"deadLetterTargetArn":"{target}"}}"#),
            r#"{"maxReceiveCount":3}"#.to_owned(),
        ] {
            assert!(matches!(apply_one("RedrivePolicy", &bad), Err(Error::RedrivePolicy { .. })), "{bad}");
        }
        for bad in ["not json", "[]", "3"] {
            assert!(matches!(apply_one("RedrivePolicy", bad), Err(Error::AttributeRefused(..))), "{bad}");
        }
        // A queue may be its own.
        let own = "arn:aws:sqs:us-east-1:000000000000:jobs";
        let settings = apply_one("RedrivePolicy", &policy(own, "3")).expect("a good policy");
        assert_eq!(settings.dead_letter_queue.as_deref(), Some(own));
    }
}
