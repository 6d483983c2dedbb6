//! What a job carries: the message as its subscriber gets it, made when it is about to go out.
use std::collections::BTreeMap;

use bytes::Bytes;
use reqwest::header::HeaderMap;

use crate::base::Arn;
use crate::store::ended;
use crate::store::publications;
use crate::store::subscriptions::{self, State, Subscription};
use crate::store::topics::{self, Topic};
use crate::store::{self, Tx};
use crate::topics::Error;
use crate::topics::attributes;
use crate::topics::delivery::letter;
use crate::topics::delivery::policy::{self, Effective};
use crate::topics::endpoint::Protocol;
use crate::topics::envelope::Notification;
use crate::topics::job::{Job, Target};
use crate::topics::publish::version;
use crate::topics::signing::Key;
use crate::topics::subscription;
use crate::topics::topic;

/// What a job needs, as the store has it now.
pub(in crate::topics) struct Found {
    pub subscription: Subscription,
    pub topic: Topic,
    pub publication: Option<String>,
}

/// A message on its way to a subscriber.
pub(super) struct Parcel {
    /// Its id.
    pub message_id: String,
    /// Headers of the POST, for web endpoints.
    pub headers: HeaderMap,
    /// The body of the POST, and what a dead-letter queue gets: text, kept once however often it is sent.
    pub body: Bytes,
    /// The published message, for web endpoints without its text, which the body has; `None` for a question.
    pub notification: Option<Notification>,
    /// Whether somebody misses it when it does not arrive, so that a dead-letter queue gets it: not so a question.
    pub missed: bool,
}

impl Parcel {
    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The same, where the parcel is not needed any more.
    pub(super) fn into_text(self) -> String {
        String::from_utf8(self.body.into()).unwrap_or_default()
    }
}

impl Found {
    /// Reads what a job needs. What was published to a subscription before it ended is delivered as it was then. `None`
    /// when nothing is left to do.
    pub(crate) async fn read(tx: &mut Tx, uuid: &str, message: Option<&str>) -> Result<Option<Self>, store::Error> {
        let there = subscriptions::by_uuid(tx, uuid).await?;
        let ended = match &there {
            Some(there) if there.state != State::Unsubscribed => None,
            _ if message.is_none() => None,
            _ => ended::subscription(tx, uuid).await?,
        };
        let Some(subscription) = ended.or(there) else { return Ok(None) };
        let topic = match topics::by_id(tx, subscription.topic_id).await? {
            None => ended::topic(tx, subscription.topic_id).await?,
            there => there,
        };
        let Some(topic) = topic else { return Ok(None) };
        let publication = match message {
            Some(message) => publications::content(tx, message).await?,
            None => None,
        };
        Ok(Some(Self { subscription, topic, publication }))
    }

    /// The subscription's ARN.
    pub(crate) fn arn(&self) -> Arn {
        subscription::arn(&topic::arn(&self.topic), &self.subscription.uuid)
    }

    /// Whose places a delivery takes, and where.
    pub(crate) fn target(&self) -> Target {
        Target::of(&self.topic.account, &self.subscription.protocol, &self.subscription.endpoint)
    }

    /// The delivery policy in force.
    pub(crate) fn policy(&self) -> Result<Effective, Error> {
        let policy_of = |json: &str| Ok::<_, Error>(attributes::read(json)?.remove("DeliveryPolicy"));
        let (topic, own) = (policy_of(&self.topic.attributes)?, policy_of(&self.subscription.attributes)?);
        Ok(policy::effective(topic.as_deref(), own.as_deref()))
    }

    /// Whether what is given up has a dead-letter queue to go to.
    pub(crate) fn has_dead_letter_queue(&self) -> bool {
        let redrive =
            attributes::read(&self.subscription.attributes).ok().and_then(|mut all| all.remove("RedrivePolicy"));
        redrive.is_some_and(|redrive| attributes::dead_letter_queue(&redrive, &topic::arn(&self.topic)).is_ok())
    }

    /// Makes what goes out. Links in mails start with `own_url`. `None` when it is not wanted any more.
    pub(super) fn pack(
        &mut self,
        job: &Job,
        key: &Key,
        policy: &Effective,
        own_url: &str,
    ) -> Result<Option<Parcel>, Error> {
        match job {
            Job::Notification { .. } => self.pack_notification(key, policy, own_url),
            Job::Confirmation(asking) => {
                let wanted = match self.subscription.state {
                    State::Confirmed => false,
                    State::Pending | State::Unsubscribed => self.subscription.token == asking.token,
                };
                let version = version(&self.topic.attributes)?;
                if wanted { letter::confirmation(asking, self, key, version).map(Some) } else { Ok(None) }
            }
            Job::Direct(_) | Job::Event(_) => Ok(None),
        }
    }

    fn pack_notification(&mut self, key: &Key, policy: &Effective, own_url: &str) -> Result<Option<Parcel>, Error> {
        // Whatever becomes of it, nobody reads it again.
        let Some(content) = self.publication.take() else { return Ok(None) };
        if self.subscription.state != State::Confirmed {
            return Ok(None);
        }
        let mut kept: BTreeMap<Protocol, Notification> =
            serde_json::from_str(&content).map_err(store::Error::corrupt)?;
        let protocol = Protocol::parse(&self.subscription.protocol);
        let Some(mut notification) = protocol.and_then(|protocol| kept.remove(&protocol)) else { return Ok(None) };
        if protocol.is_some_and(Protocol::is_mail) {
            own_url.clone_into(&mut notification.base);
        }
        let arn = self.arn().to_string();
        let body = if self.subscription.raw {
            notification.message.clone()
        } else {
            notification.sign(key)?;
            notification.envelope(key, &arn)
        };
        let headers = letter::notification_headers(&notification, self, &arn, policy.content_type.as_deref())?;
        let message_id = notification.id.clone();
        if protocol.is_some_and(Protocol::is_web) {
            notification.message = String::new();
        }
        Ok(Some(Parcel { message_id, headers, body: body.into(), notification: Some(notification), missed: true }))
    }
}
