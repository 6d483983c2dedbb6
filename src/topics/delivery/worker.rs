//! The worker of the delivery queue: posts one message to one endpoint, keeps a record of the attempt, and decides what
//! becomes of the job.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::Url;

use crate::base::{Arn, Timestamp};
use crate::queues::Outgoing;
use crate::store;
use crate::store::publications::{self, Attempt};
use crate::store::subscriptions::{self, State, Subscription};
use crate::store::topics::{self, Topic};
use crate::topics::attributes;
use crate::topics::delivery::letter::{self, Letter};
use crate::topics::delivery::policy::{self, Effective};
use crate::topics::delivery::post::{Posted, Poster};
use crate::topics::delivery::verdict::{Verdict, judge};
use crate::topics::endpoint::{self, Protocol};
use crate::topics::envelope::Notification;
use crate::topics::job::Job;
use crate::topics::publish::{to_dead_letters, version};
use crate::topics::topic;
use crate::topics::{Error, Topics};
use crate::workers::{Claim, Finish, Outcome, Reason, SystemQueue, Work};

/// How long a job waits when something of our own failed.
const OWN_FAULT_DELAY: Duration = Duration::from_secs(10);

/// Delivers to HTTP endpoints.
pub struct Deliverer {
    topics: Topics,
    poster: Poster,
}

/// What a job needs, as the store has it now.
pub(super) struct Found {
    pub subscription: Subscription,
    pub topic: Topic,
    pub publication: Option<String>,
}

impl Deliverer {
    /// The worker for `topics`, which posts with `poster`.
    pub fn new(topics: Topics, poster: Poster) -> Self {
        Self { topics, poster }
    }

    async fn deliver(&self, claim: &Claim) -> Result<Finish, Error> {
        let Ok(job) = serde_json::from_str::<Job>(&claim.body) else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Unreadable)));
        };
        let Some(found) = self.find(&job).await? else { return Ok(done(&job)) };
        let Some(letter) = self.write(&job, &found).await? else { return Ok(done(&job)) };
        let Some(url) = url(&found.subscription) else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Unreadable)));
        };
        let started = self.topics.clock().now();
        let posted = self.poster.post(url, letter.headers.clone(), letter.body.clone()).await;
        let latency = self.topics.clock().now().since(started);
        let attempt = attempt(claim, &found, &letter, &posted, started, latency);
        let effective = effective(&found)?;
        Ok(self.settle(claim, job, found, letter, &posted, attempt, &effective))
    }

    /// Reads what the job needs. `None` when its subscription is gone: then nothing is left to do.
    async fn find(&self, job: &Job) -> Result<Option<Found>, Error> {
        let (uuid, message) = match job {
            Job::Notification { message, subscription } => (subscription.clone(), Some(message.clone())),
            Job::Confirmation(asking) => (asking.subscription.clone(), None),
        };
        self.topics
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let Some(subscription) = subscriptions::by_uuid(tx, &uuid).await? else { return Ok(None) };
                    let Some(topic) = topics::by_id(tx, subscription.topic_id).await? else { return Ok(None) };
                    let publication = match message {
                        Some(message) => publications::content(tx, &message).await?,
                        None => None,
                    };
                    Ok(Some(Found { subscription, topic, publication }))
                })
            })
            .await
    }

    /// Writes what is posted. `None` when it is not wanted any more.
    async fn write(&self, job: &Job, found: &Found) -> Result<Option<Letter>, Error> {
        let key = self.topics.signer().key().await?;
        match job {
            Job::Notification { .. } => {
                let Some(content) = &found.publication else { return Ok(None) };
                if found.subscription.state != State::Confirmed {
                    return Ok(None);
                }
                let mut kept: BTreeMap<Protocol, Notification> =
                    serde_json::from_str(content).map_err(store::Error::corrupt)?;
                let protocol = Protocol::parse(&found.subscription.protocol);
                let Some(mut notification) = protocol.and_then(|protocol| kept.remove(&protocol)) else {
                    return Ok(None);
                };
                let content_type = effective(found)?.content_type;
                letter::notification(&mut notification, found, &key, content_type).map(Some)
            }
            Job::Confirmation(asking) => {
                let wanted = match found.subscription.state {
                    State::Confirmed => false,
                    State::Pending | State::Unsubscribed => found.subscription.token == asking.token,
                };
                let version = version(&found.topic.attributes)?;
                if wanted { letter::confirmation(asking, found, &key, version).map(Some) } else { Ok(None) }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one attempt, told apart by nothing else")]
    fn settle(
        &self,
        claim: &Claim,
        job: Job,
        found: Found,
        letter: Letter,
        posted: &Posted,
        attempt: Attempt,
        effective: &Effective,
    ) -> Finish {
        let outcome = match judge(posted) {
            Verdict::Delivered => Outcome::Done,
            Verdict::Final(why) => Outcome::GiveUp(why),
            Verdict::Again(why) => match effective.retry.delay(claim.attempt) {
                Some(delay) => Outcome::RetryAt(self.topics.clock().now() + delay, why),
                None => Outcome::GiveUp(Reason::Exhausted),
            },
        };
        tracing::info!(
            message.id = attempt.message_id,
            subscription = attempt.subscription,
            endpoint.host = claim.group,
            attempt = attempt.attempt,
            status = attempt.status,
            outcome = attempt.outcome,
            duration_ms = attempt.latency_micros / 1_000,
            "posted to an endpoint"
        );
        // Nobody waits for a message that says "you are unsubscribed"; all others may have a dead-letter queue.
        let given_up = matches!(outcome, Outcome::GiveUp(_)) && letter.message_type != "UnsubscribeConfirmation";
        let has_queue = given_up && has_dead_letter_queue(&found);
        // What moves to the subscriber's own dead-letter queue needs no second place among ours.
        let outcome = if has_queue { Outcome::Done } else { outcome };
        let ended = outcome == Outcome::Done;
        let queues = self.topics.queues().clone();
        Finish::with(outcome, move |tx| {
            Box::pin(async move {
                publications::insert_attempt(tx, &attempt).await?;
                if has_queue {
                    let outgoing = Outgoing { body: letter.body, ..Outgoing::default() };
                    to_dead_letters(tx, &queues, &found.subscription.attributes, &topic::arn(&found.topic), outgoing)
                        .await?;
                }
                match job {
                    Job::Notification { message, .. } if ended => publications::ended(tx, &message).await,
                    _ => Ok(()),
                }
            })
        })
    }
}

impl Work for Deliverer {
    fn queue(&self) -> SystemQueue {
        SystemQueue::TopicDelivery
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            match self.deliver(claim).await {
                Ok(finish) => finish,
                Err(error) => {
                    tracing::error!(%error, "cannot deliver to an endpoint");
                    let at = self.topics.clock().now() + OWN_FAULT_DELAY;
                    Finish::plain(Outcome::RetryAt(at, Reason::Internal))
                }
            }
        })
    }
}

/// The end of a job that nobody waits for any more.
fn done(job: &Job) -> Finish {
    match job {
        Job::Notification { message, .. } => {
            let message = message.clone();
            Finish::with(Outcome::Done, move |tx| Box::pin(async move { publications::ended(tx, &message).await }))
        }
        Job::Confirmation(_) => Finish::plain(Outcome::Done),
    }
}

fn url(subscription: &Subscription) -> Option<Url> {
    let protocol = Protocol::parse(&subscription.protocol)?;
    endpoint::web(protocol, &subscription.endpoint).ok()
}

fn effective(found: &Found) -> Result<Effective, Error> {
    let policy_of = |json: &str| Ok::<_, Error>(attributes::read(json)?.remove("DeliveryPolicy"));
    let (topic, own) = (policy_of(&found.topic.attributes)?, policy_of(&found.subscription.attributes)?);
    Ok(policy::effective(topic.as_deref(), own.as_deref()))
}

fn has_dead_letter_queue(found: &Found) -> bool {
    let arn: Arn = topic::arn(&found.topic);
    let redrive = attributes::read(&found.subscription.attributes).ok().and_then(|mut all| all.remove("RedrivePolicy"));
    redrive.is_some_and(|redrive| attributes::dead_letter_queue(&redrive, &arn).is_ok())
}

fn attempt(
    claim: &Claim,
    found: &Found,
    letter: &Letter,
    posted: &Posted,
    at: Timestamp,
    latency: Duration,
) -> Attempt {
    let (status, answer) = match posted {
        Posted::Answer(status, text) => (Some(u32::from(*status)), text.clone()),
        Posted::Unreachable(why) => (None, why.clone()),
        Posted::Silent => (None, "no answer within 15 seconds".to_owned()),
        Posted::Forbidden => (None, "the address is not public and not in webhook-allow".to_owned()),
    };
    let outcome = match judge(posted) {
        Verdict::Delivered => "delivered",
        Verdict::Again(why) | Verdict::Final(why) => why.as_str(),
    };
    Attempt {
        subscription: found.subscription.uuid.clone(),
        message_id: letter.message_id.clone(),
        attempt: claim.attempt,
        at,
        status,
        latency_micros: i64::try_from(latency.as_micros()).unwrap_or(i64::MAX),
        outcome: outcome.to_owned(),
        answer,
    }
}
