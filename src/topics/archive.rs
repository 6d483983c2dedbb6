//! Archives: what an ArchivePolicy says, and how long messages are kept. On AWS only FIFO topics have one.
use std::time::Duration;

use serde_json::Value as Json;

use crate::base::Timestamp;
use crate::store::{Tx, topic_archive, topics};
use crate::topics::Error;
use crate::topics::rules::Rules;

const DAY: Duration = Duration::from_secs(86_400);
/// The longest retention (SNS developer guide, "Message archiving for FIFO topic owners").
const DAYS_MAX: u32 = 365;
/// Rows taken away in one transaction.
const AT_ONCE: u32 = 500;

/// The days that an ArchivePolicy keeps messages: `{"MessageRetentionPeriod": "30"}`.
pub(in crate::topics) fn days(policy: &str) -> Result<u32, Error> {
    let wrong = |why: &str| Error::AttributeValue("ArchivePolicy", why.to_owned());
    let Ok(Json::Object(mut policy)) = serde_json::from_str::<Json>(policy) else {
        return Err(wrong("failed to parse JSON."));
    };
    let days = match policy.remove("MessageRetentionPeriod") {
        Some(Json::String(text)) => text.parse().ok(),
        Some(Json::Number(number)) => number.as_u64().and_then(|days| u32::try_from(days).ok()),
        _ => None,
    };
    if !policy.is_empty() {
        return Err(wrong("only MessageRetentionPeriod is known"));
    }
    let in_range = days.filter(|days| (1..=DAYS_MAX).contains(days));
    in_range.ok_or_else(|| wrong("MessageRetentionPeriod must be from 1 to 365 days"))
}

/// From when on a topic's messages can be replayed: BeginningArchiveTime.
pub(in crate::topics) async fn beginning(tx: &mut Tx, topic_id: i64, days: u32) -> Result<Timestamp, Error> {
    let now = tx.now();
    let oldest = topic_archive::oldest(tx, topic_id).await?.unwrap_or(now);
    Ok(oldest.max(now - DAY * days))
}

/// Takes messages away that are older than their topics keep them, or whose topic keeps none any more. Gives how many.
pub(in crate::topics) async fn sweep(tx: &mut Tx) -> Result<u64, Error> {
    let (mut gone, mut after) = (0, 0);
    let now = tx.now();
    while gone < u64::from(AT_ONCE) {
        let ids = topic_archive::topics(tx, after, 100).await?;
        let Some(last) = ids.last() else { break };
        after = *last;
        for id in ids {
            let days = match topics::by_id(tx, id).await? {
                Some(topic) => Rules::of(&topic)?.archived_days,
                None => None,
            };
            let before = days.map_or(Timestamp::from_micros(i64::MAX), |days| now - DAY * days);
            gone += topic_archive::expire(tx, id, before, AT_ONCE).await?;
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_keeps_messages_for_days() {
        assert_eq!(days(r#"{"MessageRetentionPeriod":"30"}"#).expect("good"), 30);
        assert_eq!(days(r#"{"MessageRetentionPeriod":365}"#).expect("good"), 365);
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"MessageRetentionPeriod":0}"#,
            r#"{"MessageRetentionPeriod":"366"}"#,
            r#"{"MessageRetentionPeriod":1.5}"#,
            r#"{"MessageRetentionPeriod":1,"Colour":"red"}"#,
        ] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }
}
