//! The worker of the delivery queue: carries one message to one subscriber, keeps a record of the attempt, and decides what
//! becomes of the job.
use std::time::Duration;

use futures::future::BoxFuture;

use crate::base::{Instant, Timestamp};
use crate::outlets::barred;
use crate::queues::Outgoing;
use crate::store::publications::{self, Attempt};
use crate::store::{self, throttles};
use crate::topics::delivery::bus;
use crate::topics::delivery::carry::{Tried, carry};
use crate::topics::delivery::direct;
use crate::topics::delivery::history;
use crate::topics::delivery::parcel::{Found, Parcel};
use crate::topics::delivery::policy::Effective;
use crate::topics::delivery::post::Poster;
use crate::topics::delivery::signed;
use crate::topics::delivery::traffic::{EndpointPlace, Traffic};
use crate::topics::delivery::verdict::DeliveryVerdict;
use crate::topics::job::{BusEvent, Direct, Job, Target};
use crate::topics::topic;
use crate::topics::undelivered::to_dead_letters;
use crate::topics::{Error, Topics};
use crate::workers::{Claim, Finish, Outcome, Reason, SystemQueue, Work};

/// How long a job waits when something of our own failed.
const OWN_FAULT_DELAY: Duration = Duration::from_secs(10);
/// How long a message is tried at the most (SNS: 23 days).
const TRIED_FOR: Duration = Duration::from_secs(23 * 86_400);
/// Workers of the pool where nobody says how many.
const WORKERS: usize = 750;

/// When an attempt began, and since when it has lasted.
#[derive(Clone, Copy)]
struct Started {
    at: Timestamp,
    since: Instant,
}

/// Delivers to subscribers that are no queues.
pub struct Deliverer {
    topics: Topics,
    poster: Poster,
    traffic: Traffic,
}

/// What a job may do now.
enum Leave {
    /// Make an attempt; where others answer, in this place.
    Go(Option<EndpointPlace>),
    /// Nothing any more: it waited longer than a message is tried.
    TooLate,
}

impl Leave {
    /// Makes an attempt, where it may be made, and gives the place back with what came of it.
    async fn attempt(self, work: impl Future<Output = Result<Tried, Error>>) -> Result<Tried, Error> {
        let Self::Go(place) = self else {
            let why = "the endpoint did not answer for 23 days";
            return Ok(Tried::plain(DeliveryVerdict::Final(Reason::Exhausted), None, why));
        };
        let tried = work.await?;
        if let Some(place) = place {
            place.end(tried.came());
        }
        Ok(tried)
    }
}

impl Deliverer {
    /// The worker for `topics`, which posts with `poster`.
    pub fn new(topics: Topics, poster: Poster) -> Self {
        let traffic = Traffic::new(topics.clock().clone(), WORKERS);
        Self { topics, poster, traffic }
    }

    /// The same for a pool with so many workers, which accounts and endpoints share.
    #[must_use]
    pub fn for_workers(self, workers: usize) -> Self {
        Self { traffic: Traffic::new(self.topics.clock().clone(), workers), ..self }
    }

    async fn deliver(&self, claim: &Claim) -> Result<Finish, Error> {
        let Ok(job) = serde_json::from_str::<Job>(&claim.body) else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Unreadable)));
        };
        let Some(target) = self.target(&job).await? else { return Ok(done(&job)) };
        let leave = match self.leave(claim, &target).await {
            Ok(leave) => leave,
            // Its whole subscription rests, and no attempt counts.
            Err(until) => return Ok(Finish::plain(Outcome::Crowded(until))),
        };
        match job {
            Job::Direct(direct) => self.send(claim, &direct, leave).await,
            Job::Event(event) => self.post(claim, &event, leave).await,
            Job::Notification { .. } | Job::Confirmation(_) => self.carry(claim, job, leave).await,
        }
    }

    /// Where a job goes. `None` when nothing is left to do.
    async fn target(&self, job: &Job) -> Result<Option<Target>, Error> {
        if let Some(target) = job.target() {
            return Ok(Some(target));
        }
        // A job of an earlier version.
        Ok(self.find(job).await?.map(|found| found.target()))
    }

    async fn leave(&self, claim: &Claim, target: &Target) -> Result<Leave, Timestamp> {
        if target.at.is_none() {
            return Ok(Leave::Go(None));
        }
        match self.traffic.enter(target).await {
            Ok(place) => Ok(Leave::Go(Some(place))),
            Err(_) if claim.sent_at + TRIED_FOR < self.topics.clock().now() => Ok(Leave::TooLate),
            Err(until) => Err(until),
        }
    }

    async fn send(&self, claim: &Claim, direct: &Direct, leave: Leave) -> Result<Finish, Error> {
        let started = self.started();
        let tried = leave.attempt(direct::send(&self.topics, direct)).await?;
        let attempt = self.attempt(claim, &direct.to, &direct.id, &tried, started);
        let outcome = self.outcome(claim, &tried, &Effective::default());
        Ok(self.record(outcome, attempt, tried, None))
    }

    async fn post(&self, claim: &Claim, event: &BusEvent, leave: Leave) -> Result<Finish, Error> {
        let started = self.started();
        let tried = leave.attempt(async { Ok(bus::send(&self.topics, &self.poster, event).await) }).await?;
        let attempt = self.attempt(claim, &event.bus, &event.id, &tried, started);
        let outcome = match tried.verdict {
            DeliveryVerdict::Delivered => Outcome::Done,
            DeliveryVerdict::Final(why) => Outcome::GiveUp(why),
            DeliveryVerdict::Again(why) => signed::again(claim.attempt, self.topics.clock())
                .map_or(Outcome::GiveUp(Reason::Exhausted), |at| Outcome::RetryAt(at, why)),
        };
        Ok(self.record(outcome, attempt, tried, None))
    }

    async fn carry(&self, claim: &Claim, job: Job, leave: Leave) -> Result<Finish, Error> {
        let Some(mut found) = self.find(&job).await? else { return Ok(done(&job)) };
        let (key, policy) = (self.topics.signer().key().await?, found.policy()?);
        let Some(parcel) = found.pack(&job, &key, &policy, self.topics.own_url())? else { return Ok(done(&job)) };
        if let Some(until) = self.throttled(&found, &parcel, &policy).await? {
            // The whole subscription rests until the next window.
            return Ok(Finish::plain(Outcome::Crowded(until)));
        }
        let _room = match self.traffic.hold(&found.topic.account, parcel.body.len()) {
            Ok(room) => room,
            Err(until) => return Ok(Finish::plain(Outcome::Crowded(until))),
        };
        let started = self.started();
        let tried = leave.attempt(carry(&self.topics, &self.poster, &found, &parcel, &key)).await?;
        let attempt = self.attempt(claim, &found.subscription.uuid, &parcel.message_id, &tried, started);
        let outcome = self.outcome(claim, &tried, &policy);
        Ok(self.record(outcome, attempt, tried, Some(Carried { job, found, parcel })))
    }

    fn started(&self) -> Started {
        let clock = self.topics.clock();
        Started { at: clock.now(), since: clock.instant() }
    }

    async fn find(&self, job: &Job) -> Result<Option<Found>, Error> {
        let (uuid, message) = match job {
            Job::Notification { message, subscription, .. } => (subscription.clone(), Some(message.clone())),
            Job::Confirmation(asking) => (asking.subscription.clone(), None),
            Job::Direct(_) | Job::Event(_) => return Ok(None),
        };
        let found =
            self.topics.store().read(|tx| Box::pin(async move { Found::read(tx, &uuid, message.as_deref()).await }));
        Ok(found.await?)
    }

    /// Counts a notification that its policy throttles, and gives the time that it has to wait for, if it has.
    async fn throttled(&self, found: &Found, parcel: &Parcel, policy: &Effective) -> Result<Option<Timestamp>, Error> {
        let (Some(max), Some(_)) = (policy.max_per_second, &parcel.notification) else { return Ok(None) };
        let uuid = found.subscription.uuid.clone();
        let counted: Result<_, store::Error> =
            self.topics.store().write(|tx| Box::pin(async move { throttles::count_delivery(tx, &uuid).await })).await;
        let (used, ends) = counted?;
        Ok((used > max).then_some(ends))
    }

    fn outcome(&self, claim: &Claim, tried: &Tried, policy: &Effective) -> Outcome {
        let now = self.topics.clock().now();
        match tried.verdict {
            DeliveryVerdict::Delivered => Outcome::Done,
            DeliveryVerdict::Final(why) => Outcome::GiveUp(why),
            DeliveryVerdict::Again(why) => {
                let delay = tried.retry.as_ref().unwrap_or(&policy.retry).delay(claim.attempt);
                let at = delay.map(|delay| now + delay).filter(|at| *at <= claim.sent_at + TRIED_FOR);
                at.map_or(Outcome::GiveUp(Reason::Exhausted), |at| Outcome::RetryAt(at, why))
            }
        }
    }

    fn attempt(&self, claim: &Claim, to: &str, message_id: &str, tried: &Tried, started: Started) -> Attempt {
        let latency = self.topics.clock().instant().since(started.since);
        let attempt = Attempt {
            subscription: to.to_owned(),
            message_id: message_id.to_owned(),
            attempt: claim.attempt,
            at: started.at,
            status: tried.status.map(u32::from),
            latency_micros: i64::try_from(latency.as_micros()).unwrap_or(i64::MAX),
            outcome: match tried.verdict {
                DeliveryVerdict::Delivered => "delivered".to_owned(),
                DeliveryVerdict::Again(why) | DeliveryVerdict::Final(why) => why.as_str().to_owned(),
            },
            answer: tried.answer.clone(),
        };
        tracing::info!(
            message.id = attempt.message_id,
            subscription = attempt.subscription,
            attempt = attempt.attempt,
            status = attempt.status,
            outcome = attempt.outcome,
            duration_ms = attempt.latency_micros / 1_000,
            "tried to deliver a message"
        );
        attempt
    }

    /// The end of an attempt, with all that is written with it.
    fn record(&self, outcome: Outcome, attempt: Attempt, tried: Tried, carried: Option<Carried>) -> Finish {
        let given_up = matches!(outcome, Outcome::GiveUp(_));
        let has_queue =
            given_up && carried.as_ref().is_some_and(|c| c.parcel.missed && c.found.has_dead_letter_queue());
        if given_up && !has_queue {
            let (message, to, endpoint) =
                (&attempt.message_id, &attempt.subscription, carried.as_ref().map(Carried::url));
            tracing::warn!(
                message.id = message,
                to,
                endpoint,
                cause = attempt.answer,
                "given up; the job is kept (admin jobs)"
            );
        }
        // What moves to the subscriber's own dead-letter queue needs no second place among ours.
        let outcome = if has_queue { Outcome::Done } else { outcome };
        let ended = outcome == Outcome::Done;
        let queues = self.topics.queues().clone();
        Finish::with(outcome, move |tx| {
            Box::pin(async move {
                if let Some(effect) = tried.effect {
                    effect(tx).await?;
                }
                history::keep(tx, &attempt).await?;
                let Some(Carried { job, found, parcel }) = carried else { return Ok(()) };
                if has_queue {
                    let outgoing = Outgoing { body: parcel.into_text(), ..Outgoing::default() };
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

/// What was carried, and for which subscription.
struct Carried {
    job: Job,
    found: Found,
    parcel: Parcel,
}

impl Carried {
    /// Where it should have gone, where that is an endpoint on the web; without what may be secret.
    fn url(&self) -> String {
        barred::shown(&self.found.subscription.endpoint)
    }
}

impl Work for Deliverer {
    fn queue(&self) -> SystemQueue {
        SystemQueue::TopicDelivery
    }

    /// A group is a subscription, and what it waits for are its endpoint, its account's share, or its own rate.
    fn rests_as_one(&self) -> bool {
        true
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
        Job::Confirmation(_) | Job::Direct(_) | Job::Event(_) => Finish::plain(Outcome::Done),
    }
}
