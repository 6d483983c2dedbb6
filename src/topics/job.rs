//! Jobs of the delivery queue: what they say, and how they get into it.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{AccountId, Arn, Region, Timestamp};
use crate::store;
use crate::store::Tx;
use crate::topics::confirmation::QuestionKind;
use crate::topics::endpoint;
use crate::topics::endpoint::Protocol;
use crate::workers::{self, SystemQueue};

/// The longest name of a group.
const GROUP_MAX: usize = 128;

/// What a delivery job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub(in crate::topics) enum Job {
    /// Posts a publication, which is kept beside, to a subscription.
    #[serde(rename = "notification")]
    Notification {
        /// The publication's MessageId.
        message: String,
        /// The last part of the subscription's ARN.
        subscription: String,
        /// Where it goes. Jobs of earlier versions do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Target>,
    },
    /// Asks an endpoint to confirm.
    #[serde(rename = "confirmation")]
    Confirmation(Asking),
    /// A message to one phone or device, without a topic.
    #[serde(rename = "direct")]
    Direct(Direct),
    /// An event for an event bus, which is no message of a topic.
    #[serde(rename = "event")]
    Event(BusEvent),
}

/// Whose places in the traffic a job takes, and where: known without a look into the store, so that a job that has no place
/// costs next to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in crate::topics) struct Target {
    /// The account that sends.
    pub account: AccountId,
    /// What answers: `scheme://host:port`, a function's ARN, a gateway. `None` for what this server keeps itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl Target {
    /// The target of what `account` sends to a subscribed endpoint.
    pub(super) fn of(account: &AccountId, protocol: &str, endpoint: &str) -> Self {
        let at = match Protocol::parse(protocol) {
            Some(Protocol::Http | Protocol::Https) => origin(endpoint),
            Some(Protocol::Lambda) => Some(endpoint.to_owned()),
            Some(Protocol::Sms) => Some(Way::Sms.gateway().to_owned()),
            Some(Protocol::Application) => Some(Way::Push.gateway().to_owned()),
            Some(Protocol::Email | Protocol::EmailJson | Protocol::Firehose | Protocol::Sqs) | None => None,
        };
        Self { account: account.clone(), at }
    }
}

impl Job {
    /// Where it goes; `None` where only the store knows.
    pub(super) fn target(&self) -> Option<Target> {
        match self {
            Self::Notification { target, .. } => target.clone(),
            Self::Confirmation(asking) => asking.target.clone(),
            Self::Direct(direct) => {
                Some(Target { account: direct.account.clone(), at: Some(direct.way.gateway().to_owned()) })
            }
            Self::Event(event) => {
                let bus: Arn = event.bus.parse().ok()?;
                Some(Target { account: bus.account, at: Some(event.bus.clone()) })
            }
        }
    }
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
pub(in crate::topics) enum Way {
    /// Text messages.
    #[serde(rename = "sms")]
    Sms,
    /// Push messages.
    #[serde(rename = "push")]
    Push,
}

impl Way {
    /// What it is called among the places that deliveries share.
    pub(super) fn gateway(self) -> &'static str {
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
    pub what: QuestionKind,
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
    /// Where it goes. Jobs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// Adds jobs. The jobs of one subscription form a group, so that a slow endpoint holds up none but itself.
pub(in crate::topics) async fn enqueue(tx: &mut Tx, jobs: &[Job]) -> Result<(), store::Error> {
    let now = tx.now();
    let jobs: Vec<workers::Job> = jobs.iter().map(|job| of(job, now)).collect::<Result<_, store::Error>>()?;
    workers::enqueue(tx, SystemQueue::TopicDelivery, &jobs).await
}

fn of(job: &Job, now: Timestamp) -> Result<workers::Job, store::Error> {
    let body = serde_json::to_string(job).map_err(store::Error::corrupt)?;
    let of_account = |target: &Target| {
        let at = target.at.as_deref().unwrap_or_default();
        format!("{}:{at}", target.account).chars().take(GROUP_MAX).collect::<String>()
    };
    let group = match job {
        Job::Notification { subscription, .. } => Some(subscription.clone()),
        // Nobody has confirmed yet: all questions of an account to one host share its places, so that no host is flooded
        // with them, and none waits for those of another account.
        Job::Confirmation(asking) => asking.target.as_ref().map(|target| format!("ask:{}", of_account(target))),
        Job::Direct(_) => job.target().as_ref().map(of_account),
        Job::Event(event) => Some(event.bus.chars().take(GROUP_MAX).collect()),
    };
    Ok(workers::Job { body, group, visible_at: now })
}

/// Scheme, host and port of an endpoint on the web.
fn origin(endpoint: &str) -> Option<String> {
    let url = [Protocol::Http, Protocol::Https].into_iter().find_map(|p| endpoint::web(p, endpoint).ok())?;
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_a_round_trip_and_group_by_subscription() {
        let target = Some(Target::of(&AccountId::development(), "https", "https://Example.com/hook?x"));
        let job = Job::Notification { message: "m".to_owned(), subscription: "s".to_owned(), target };
        let queued = of(&job, Timestamp::from_secs(1)).expect("a job");
        assert_eq!(queued.group.as_deref(), Some("s"));
        assert_eq!(serde_json::from_str::<Job>(&queued.body).expect("our own text"), job);
        let at = job.target().and_then(|target| target.at);
        assert_eq!(at.as_deref(), Some("https://example.com:443"));
        let earlier = r#"{"kind":"notification","message":"m","subscription":"s"}"#;
        assert_eq!(serde_json::from_str::<Job>(earlier).expect("an earlier text").target(), None);
    }
}
