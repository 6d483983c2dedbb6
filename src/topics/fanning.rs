//! The worker of fan-outs to many subscriptions: part by part, each in one transaction with the place that was reached, so
//! that each subscription gets the message once, and a restart goes on where the last part ended. Accounts take turns of a few
//! parts, so that a message to many does not hold up others' messages.
use std::time::Duration;

use futures::future::BoxFuture;

use crate::store::subscriptions::Subscription;
use crate::store::topics::Topic;
use crate::store::{fan_outs, subscriptions, topics};
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::fan_out::Fan;
use crate::topics::rules::Rules;
use crate::topics::sieve::{self, Sieve};
use crate::topics::{Error, Topics, topic};
use crate::workers::{Claim, Finish, Outcome, Reason, SystemQueue, Work};

/// The most subscriptions of one part: few enough that others hardly wait for its transaction.
const PART_MAX: usize = 250;
const PART_MIN: usize = 8;
/// About how many bytes of bodies a part has, so that memory stays bounded.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of one turn: then others have theirs.
const TURN: usize = 8;
/// How long a job waits when too much other work of its account waits.
const CROWDED_DELAY: Duration = Duration::from_secs(2);
/// How long a job waits when something of our own failed.
const OWN_FAULT_DELAY: Duration = Duration::from_secs(10);

/// Serves the subscriptions of topics that have many.
pub struct Spreader {
    topics: Topics,
}

/// What one part needs.
struct Part {
    topic: Topic,
    draft: Draft,
    reached: i64,
    subscriptions: Vec<Subscription>,
}

impl Spreader {
    /// The worker for `topics`.
    pub fn new(topics: Topics) -> Self {
        Self { topics }
    }

    /// Serves one part. `false` when there is nothing left to do.
    async fn part(&self, message: &str) -> Result<bool, Error> {
        let Some(Part { topic, mut draft, reached, subscriptions }) = self.read(message).await? else {
            return Ok(false);
        };
        let rules = Rules::of(&topic)?;
        let arn = topic::arn(&topic);
        let key = self.topics.signer().key().await?;
        if !rules.fifo && draft.lacks_signature(&subscriptions, rules.version) {
            draft.sign(&arn, &key, rules.version, &[Protocol::Sqs])?;
        }
        let next = subscriptions.last().map(|last| last.id);
        let (queues, message) = (self.topics.queues().clone(), message.to_owned());
        let kept_as = format!("{message}/{reached}");
        let fan = Fan { queues: &queues, key: &key, topic: &arn, rules, draft: &draft, kept_as: kept_as.clone() };
        let compute = self.topics.compute();
        let mut sieve = Sieve::judged(compute, &arn.account, &subscriptions, &draft, sieve::STEPS_MAX).await?;
        let handout = fan.prepare(subscriptions, &mut sieve)?;
        let targets = queues.targets(handout.queues()).await?;
        self.topics
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if fan_outs::advance(tx, &message, reached, next).await? && next.is_some() {
                        let fan = Fan { queues: &queues, key: &key, topic: &arn, rules, draft: &draft, kept_as };
                        fan.commit(tx, handout, &targets).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(next.is_some())
    }

    async fn read(&self, message: &str) -> Result<Option<Part>, Error> {
        let message = message.to_owned();
        self.topics
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let Some(under_way) = fan_outs::find(tx, &message).await? else { return Ok(None) };
                    let Some(topic) = topics::by_id(tx, under_way.topic_id).await? else { return Ok(None) };
                    let draft = Draft::read(&under_way.content)?;
                    let each = draft.parts.publication.message.len() + 1_024;
                    let limit = u32::try_from((PART_BYTES / each).clamp(PART_MIN, PART_MAX)).unwrap_or(u32::MAX);
                    let reached = under_way.reached;
                    let subscriptions = subscriptions::confirmed(tx, topic.id, reached, limit).await?;
                    Ok(Some(Part { topic, draft, reached, subscriptions }))
                })
            })
            .await
    }

    /// One turn. `false` when there is more to do.
    async fn spread(&self, message: &str) -> Result<bool, Error> {
        for _ in 0..TURN {
            if !self.part(message).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Work for Spreader {
    fn queue(&self) -> SystemQueue {
        SystemQueue::FanOut
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            match self.spread(&claim.body).await {
                // What is left of a fan-out whose topic is gone.
                Ok(true) => {
                    let message = claim.body.clone();
                    Finish::with(Outcome::Done, move |tx| {
                        Box::pin(async move { fan_outs::delete(tx, &message).await.map(drop) })
                    })
                }
                // Its account's turn is over.
                Ok(false) => Finish::plain(Outcome::PutOff(self.topics.clock().now())),
                // The account has more to reckon than it may: that is none of ours, and this one waits.
                Err(Error::Crowded) => Finish::plain(Outcome::PutOff(self.topics.clock().now() + CROWDED_DELAY)),
                Err(error) => {
                    tracing::error!(message.id = claim.body, %error, "a fan-out cannot go on now");
                    let at = self.topics.clock().now() + OWN_FAULT_DELAY;
                    Finish::plain(Outcome::RetryAt(at, Reason::Internal))
                }
            }
        })
    }
}
