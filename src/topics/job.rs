//! Jobs of the delivery queue: what they say, and how they get into it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{AccountId, Region, Timestamp};
use crate::store;
use crate::store::Tx;
use crate::topics::confirmation::Kind;
use crate::topics::endpoint;
use crate::topics::endpoint::Protocol;
use crate::workers::{self, SystemQueue};

/// What a delivery job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::topics) enum Job {
    /// Posts a publication, which is kept beside, to a subscription.
    Notification {
        /// The publication's MessageId.
        message: String,
        /// The last part of the subscription's ARN.
        subscription: String,
    },
    /// Asks an endpoint to confirm.
    Confirmation(Asking),
    /// A message to one phone or device, without a topic.
    Direct(Direct),
    /// An event for an event bus, which is no message of a topic.
    Event(BusEvent),
}

/// An event for an event bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::topics) struct BusEvent {
    /// The bus's ARN.
    pub bus: String,
    /// The event's id.
    pub id: String,
    /// The event, as JSON.
    pub body: String,
}

/// A message to one phone or device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::topics) struct Direct {
    /// Which gateway takes it.
    pub way: Way,
    /// The MessageId.
    pub id: String,
    /// Who sends it.
    pub account: AccountId,
    /// Where it was sent.
    pub region: Region,
    /// The phone number, or the ARN of the device's endpoint.
    pub to: String,
    /// The text, or the payload for the device's platform.
    pub message: String,
    /// What else the gateway is told.
    pub more: BTreeMap<String, String>,
}

/// A gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::topics) enum Way {
    /// Text messages.
    Sms,
    /// Push messages.
    Push,
}

impl Way {
    /// The group of the jobs that go to it.
    pub fn group(self) -> &'static str {
        match self {
            Self::Sms => "gateway:sms",
            Self::Push => "gateway:push",
        }
    }
}

/// What an endpoint is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::topics) struct Asking {
    /// Whether to subscribe, or to stay unsubscribed.
    pub what: Kind,
    /// The last part of the subscription's ARN.
    pub subscription: String,
    /// The MessageId.
    pub id: String,
    /// What confirms.
    pub token: String,
    /// When it was asked, microseconds.
    pub at: i64,
    /// `scheme://host` of the links.
    pub base: String,
}

/// Adds jobs, each with the endpoint that it goes to. The jobs of one subscription form a group, so that a slow endpoint
/// holds up none but itself.
pub(in crate::topics) async fn enqueue(tx: &mut Tx, jobs: &[(Job, &str)]) -> Result<(), store::Error> {
    let now = tx.now();
    let jobs: Vec<workers::Job> =
        jobs.iter().map(|(job, endpoint)| of(job, endpoint, now)).collect::<Result<_, store::Error>>()?;
    workers::enqueue(tx, SystemQueue::TopicDelivery, &jobs).await
}

fn of(job: &Job, endpoint: &str, now: Timestamp) -> Result<workers::Job, store::Error> {
    let body = serde_json::to_string(job).map_err(store::Error::corrupt)?;
    let group = match job {
        Job::Notification { subscription, .. } => Some(subscription.clone()),
        // Nobody has confirmed yet: all questions to one host share its places, so that no host is flooded with them.
        Job::Confirmation(_) => host(endpoint).map(|host| format!("ask:{host}")),
        Job::Direct(direct) => Some(direct.way.group().to_owned()),
        Job::Event(event) => Some(event.bus.chars().take(128).collect()),
    };
    Ok(workers::Job { body, group, visible_at: now })
}

/// The host and port of an endpoint.
fn host(endpoint: &str) -> Option<String> {
    let url = [Protocol::Http, Protocol::Https].into_iter().find_map(|p| endpoint::web(p, endpoint).ok())?;
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_a_round_trip_and_group_by_subscription() {
        let job = Job::Notification { message: "m".to_owned(), subscription: "s".to_owned() };
        let queued = of(&job, "https://Example.com/hook?x", Timestamp::from_secs(1)).expect("a job");
        assert_eq!(queued.group.as_deref(), Some("s"));
        assert_eq!(serde_json::from_str::<Job>(&queued.body).expect("our own text"), job);
        assert_eq!(host("https://Example.com/hook?x").as_deref(), Some("example.com:443"));
    }
}
