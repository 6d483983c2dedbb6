//! Replays: what a ReplayPolicy says, and how one begins and is stopped.
use serde_json::Value as Json;

use crate::base::{Timestamp, ids};
use crate::store::topics::Topic;
use crate::store::{Tx, replays, topic_archive};
use crate::topics::Error;
use crate::topics::rules::Rules;

/// The values of ReplayStatus.
pub(in crate::topics) mod status {
    pub(crate) const PENDING: &str = "Pending";
    pub(crate) const IN_PROGRESS: &str = "In progress";
    pub(crate) const COMPLETED: &str = "Completed";
    pub(crate) const FAILED: &str = "Failed";
}

/// Which messages are replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::topics) struct Span {
    /// Those that were published then or later.
    pub from: Timestamp,
    /// Those that were published then or before. Where there is an end, nothing new is delivered after the replay.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Reads a ReplayPolicy: `{"PointType":"Timestamp","StartingPoint":"2026-01-02T03:04:05.000Z"}`, with an EndingPoint
    /// if there shall be an end.
    pub(super) fn parse(policy: &str) -> Result<Self, Error> {
        let wrong = |why: &str| Error::AttributeValue("ReplayPolicy", why.to_owned());
        let Ok(Json::Object(policy)) = serde_json::from_str::<Json>(policy) else {
            return Err(wrong("failed to parse JSON."));
        };
        if policy.keys().any(|key| !["PointType", "StartingPoint", "EndingPoint"].contains(&key.as_str())) {
            return Err(wrong("only PointType, StartingPoint and EndingPoint are known"));
        }
        if policy.get("PointType").and_then(Json::as_str) != Some("Timestamp") {
            return Err(wrong("PointType must be Timestamp"));
        }
        let point = |value: &Json| value.as_str().and_then(Timestamp::parse_rfc3339);
        let from = policy.get("StartingPoint").and_then(point);
        let from = from.ok_or_else(|| wrong("StartingPoint must be a time in ISO 8601 form"))?;
        let until = match policy.get("EndingPoint") {
            None => None,
            Some(value) => Some(point(value).ok_or_else(|| wrong("EndingPoint must be a time in ISO 8601 form"))?),
        };
        if until.is_some_and(|until| until <= from) {
            return Err(wrong("EndingPoint must be after StartingPoint"));
        }
        Ok(Self { from, until })
    }

    /// The last moment that counts.
    pub(super) fn end(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::from_micros(i64::MAX))
    }
}

/// Begins the replay that a policy says, in the place of one under way, or with none goes back to what is published now.
/// The topic is held.
pub(in crate::topics) async fn begin(
    tx: &mut Tx,
    topic: &Topic,
    subscription_id: i64,
    policy: Option<&str>,
) -> Result<(), Error> {
    let Some(policy) = policy else {
        replays::end(tx, subscription_id, true, None).await?;
        return Ok(());
    };
    let span = Span::parse(policy)?;
    if Rules::of(topic)?.archived_days.is_none() {
        let why = "the topic has no ArchivePolicy".to_owned();
        return Err(Error::AttributeValue("ReplayPolicy", why));
    }
    let after = topic_archive::before(tx, topic.id, span.from).await?;
    replays::begin(tx, subscription_id, &ids::uuid(), after, status::PENDING).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_points_in_time() {
        let from = Timestamp::from_secs(1_800_000_000);
        let read = |more: &str| Span::parse(&format!(r#"{{"PointType":"Timestamp"{more}}}"#));
        let start = r#","StartingPoint":"2027-01-15T08:00:00Z""#;
        assert_eq!(read(start).expect("good"), Span { from, until: None });
        let end = format!(r#"{start},"EndingPoint":"2027-01-15T08:00:01.000Z""#);
        assert_eq!(read(&end).expect("good").until, Some(Timestamp::from_secs(1_800_000_001)));
        for bad in [
            String::new(),
            r#","StartingPoint":"yesterday""#.to_owned(),
            r#","StartingPoint":1800000000"#.to_owned(),
            format!(r#"{start},"EndingPoint":"2027-01-15T08:00:00Z""#),
            format!(r#"{start},"Colour":"red""#),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        assert!(Span::parse(r#"{"PointType":"Place","StartingPoint":"2027-01-15T08:00:00Z"}"#).is_err());
    }
}
