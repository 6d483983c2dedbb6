//! Deliveries and fan-outs that were given up, as an operator sees them: what each was for, and whether it could be tried again.
use crate::base::{AccountId, Arn, Region};
use crate::store::publications::Attempt;
use crate::store::{self, Tx, ended, fan_outs, publications, topics};
use crate::topics::delivery::Found;
use crate::topics::endpoint;
use crate::topics::job::{Job, Way};
use crate::topics::topic;

/// How many attempts of a subscription are looked through for those of one message.
const ATTEMPTS_MAX: u32 = 50;

/// What was to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryKind {
    /// A published message.
    Notification,
    /// The question whether an endpoint wants to be subscribed.
    Confirmation,
    /// A text message without a topic.
    Text,
    /// A push message without a topic.
    Push,
    /// An event for an event bus.
    Event,
    /// The copies of a message for the many subscriptions of a topic.
    FanOut,
}

/// What a job was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What was to be delivered.
    pub kind: DeliveryKind,
    /// Whose it is; `None` where what the job names is gone.
    pub account: Option<AccountId>,
    /// In which region.
    pub region: Option<Region>,
    /// The ARN of the subscription, the topic or the event bus, the device or the phone number.
    pub to: String,
    /// The subscribed endpoint, without a password.
    pub endpoint: Option<String>,
    /// The MessageId.
    pub message: String,
    /// The last attempt, where one is remembered.
    pub last: Option<Attempt>,
    /// Whether all is there that another attempt needs.
    pub is_whole: bool,
}

/// What a job of the delivery queue was for. `None` where its text cannot be read.
///
/// # Errors
/// When the store fails.
pub async fn delivery(tx: &mut Tx, body: &str) -> Result<Option<Delivery>, store::Error> {
    let Ok(job) = serde_json::from_str::<Job>(body) else { return Ok(None) };
    let plain = |kind, account, region, to: String, message| Delivery {
        kind,
        account,
        region,
        to,
        endpoint: None,
        message,
        last: None,
        is_whole: true,
    };
    let (mut told, key) = match job {
        Job::Notification { message, subscription, .. } => {
            let told = subscribed(tx, DeliveryKind::Notification, &subscription, message).await?;
            (told, subscription)
        }
        Job::Confirmation(asking) => {
            let told = subscribed(tx, DeliveryKind::Confirmation, &asking.subscription, asking.id).await?;
            (told, asking.subscription)
        }
        Job::Direct(direct) => {
            let kind = if direct.way == Way::Sms { DeliveryKind::Text } else { DeliveryKind::Push };
            let to = direct.to.clone();
            (plain(kind, Some(direct.account), Some(direct.region), direct.to, direct.id), to)
        }
        Job::Event(event) => {
            let bus = event.bus.parse::<Arn>().ok();
            let (account, region) = bus.map(|bus| (bus.account, bus.region)).unzip();
            (plain(DeliveryKind::Event, account, region, event.bus.clone(), event.id), event.bus)
        }
    };
    let attempts = publications::attempts(tx, &key, ATTEMPTS_MAX).await?;
    told.last = attempts.into_iter().find(|attempt| attempt.message_id == told.message);
    Ok(Some(told))
}

/// `kept_as` is what the message is kept as: its id, and for one to many subscribers a part of it behind a slash.
async fn subscribed(tx: &mut Tx, kind: DeliveryKind, uuid: &str, kept_as: String) -> Result<Delivery, store::Error> {
    let message = (kind == DeliveryKind::Notification).then_some(kept_as.as_str());
    let found = Found::read(tx, uuid, message).await?;
    let is_whole = found.as_ref().is_some_and(|found| message.is_none() || found.publication.is_some());
    let id = kept_as.split('/').next().unwrap_or_default().to_owned();
    Ok(match found {
        Some(found) => Delivery {
            kind,
            to: found.arn().to_string(),
            endpoint: Some(endpoint::shown(&found.subscription.endpoint)),
            account: Some(found.topic.account),
            region: Some(found.topic.region),
            message: id,
            last: None,
            is_whole,
        },
        None => Delivery {
            kind,
            to: uuid.to_owned(),
            endpoint: None,
            account: None,
            region: None,
            message: id,
            last: None,
            is_whole,
        },
    })
}

/// Whose a job of the delivery queue is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This account's.
    Account(AccountId),
    /// The owner's of the topic of the subscription with this last part of its ARN: jobs of earlier versions say no more.
    Subscription(String),
}

/// Whose a job of the delivery queue is, and what its message is kept as, if it is kept. `None` where its text cannot be read.
pub fn owner(body: &str) -> Option<(Owner, Option<String>)> {
    let job = serde_json::from_str::<Job>(body).ok()?;
    let account = job.target().map(|target| Owner::Account(target.account));
    Some(match job {
        Job::Notification { message, subscription, .. } => {
            (account.unwrap_or(Owner::Subscription(subscription)), Some(message))
        }
        Job::Confirmation(asking) => (account.unwrap_or(Owner::Subscription(asking.subscription)), None),
        Job::Direct(_) | Job::Event(_) => (account?, None),
    })
}

/// What a job of the fan-out queue was for.
///
/// # Errors
/// When the store fails.
pub async fn fan_out(tx: &mut Tx, message: &str) -> Result<Delivery, store::Error> {
    let under_way = fan_outs::find(tx, message).await?;
    let topic = match &under_way {
        Some(under_way) => match topics::by_id(tx, under_way.topic_id).await? {
            None => ended::topic(tx, under_way.topic_id).await?,
            there => there,
        },
        None => None,
    };
    Ok(Delivery {
        kind: DeliveryKind::FanOut,
        to: topic.as_ref().map(|topic| topic::arn(topic).to_string()).unwrap_or_default(),
        endpoint: None,
        message: message.to_owned(),
        last: None,
        is_whole: topic.is_some(),
        account: topic.as_ref().map(|topic| topic.account.clone()),
        region: topic.map(|topic| topic.region),
    })
}

/// Forgets what was kept for a job of the delivery queue that is dropped.
///
/// # Errors
/// When the store fails.
pub async fn forget_delivery(tx: &mut Tx, body: &str) -> Result<(), store::Error> {
    match serde_json::from_str(body) {
        Ok(Job::Notification { message, .. }) => publications::ended(tx, &message).await,
        _ => Ok(()),
    }
}

/// Forgets what was kept for a job of the fan-out queue that is dropped.
///
/// # Errors
/// When the store fails.
pub async fn forget_fan_out(tx: &mut Tx, message: &str) -> Result<(), store::Error> {
    fan_outs::delete(tx, message).await.map(drop)
}
