//! The worker of fan-outs to many subscriptions: part by part, each in one transaction with the place that was reached, so
//! that each subscription gets the message once, and a restart goes on where the last part ended. Accounts take turns of a few
//! parts, so that a message to many does not hold up others' messages.
use std::time::Duration;

use futures::future::BoxFuture;

use crate::base::{Arn, Timestamp};
use crate::queues::Targets;
use crate::store::subscriptions::Subscription;
use crate::store::topics::Topic;
use crate::store::{self, Tx, ended, fan_outs, subscriptions, topics};
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::fan_out::{Fan, Handout};
use crate::topics::protecting::Share;
use crate::topics::protection::{Policy, audit};
use crate::topics::rules::Rules;
use crate::topics::sieve::{self, Sieve};
use crate::topics::signing::Key;
use crate::topics::undelivered::prohibited;
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

/// What one share of a part gets.
struct Made {
    draft: Draft,
    kept_as: String,
    handout: Handout,
    targets: Targets,
    denied: Vec<Subscription>,
}

/// What one part needs.
struct FanOutPart {
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
        let Some(FanOutPart { topic, mut draft, reached, subscriptions }) = self.read(message).await? else {
            return Ok(false);
        };
        let arn = topic::arn(&topic);
        let policy = self.topics.protection(&topic)?;
        if let Some(policy) = policy.as_ref().filter(|_| draft.parts.unscreened)
            && !self.screened(message, &arn, policy, &mut draft).await?
        {
            return Ok(false);
        }
        let next = subscriptions.last().map(|last| last.id);
        // What the policies may take of one message, for each who has one.
        let steps = sieve::STEPS_MAX / u64::try_from(subscriptions.len().max(1)).unwrap_or(u64::MAX);
        let key = self.topics.signer().key().await?;
        let rules = Rules::of(&topic)?;
        let shares = match policy.filter(|policy| policy.has_outbound()) {
            Some(policy) => {
                let signed = (&*key, rules.version);
                self.topics.shares(&arn, &policy, (draft, subscriptions), signed).await?
            }
            None => vec![Share { draft, subscriptions, denied: vec![] }],
        };
        let mut made = Vec::with_capacity(shares.len());
        for (n, share) in shares.into_iter().enumerate() {
            let kept_as = if n == 0 { format!("{message}/{reached}") } else { format!("{message}/{reached}/{n}") };
            made.push(self.make((&arn, rules, &key), share, kept_as, steps).await?);
        }
        let (queues, message) = (self.topics.queues().clone(), message.to_owned());
        self.topics
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if fan_outs::advance(tx, &message, reached, next).await? && next.is_some() {
                        for Made { draft, kept_as, handout, targets, denied } in made {
                            let fan = Fan { queues: &queues, key: &key, topic: &arn, rules, draft: &draft, kept_as };
                            fan.commit(tx, handout, &targets).await?;
                            for subscription in denied {
                                prohibited(tx, &arn, &subscription, &draft.parts.id).await?;
                            }
                        }
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(next.is_some())
    }

    /// Makes what a share of the subscriptions gets. Their filter policies are judged by what they may get, since who gets a
    /// message learns what his policy asked; each may take so many steps.
    async fn make(
        &self,
        (topic, rules, key): (&Arn, Rules, &Key),
        share: Share,
        kept_as: String,
        steps: u64,
    ) -> Result<Made, Error> {
        let Share { mut draft, subscriptions, mut denied } = share;
        if !rules.fifo && draft.lacks_signature(&subscriptions, rules.version) {
            draft.sign(topic, key, rules.version, &[Protocol::Sqs])?;
        }
        let mut sieve = self.sieve(topic, &denied, &draft, steps).await?;
        let mut wanted = Vec::with_capacity(denied.len());
        for subscription in denied.drain(..) {
            // Who did not want the message is not denied it.
            if let Some(protocol) = Protocol::parse(&subscription.protocol)
                && sieve.lets_pass(&subscription, protocol, &draft)?
            {
                wanted.push(subscription);
            }
        }
        let queues = self.topics.queues();
        let fan = Fan { queues, key, topic, rules, draft: &draft, kept_as: kept_as.clone() };
        let mut sieve = self.sieve(topic, &subscriptions, &draft, steps).await?;
        let handout = fan.prepare(subscriptions, &mut sieve)?;
        let targets = queues.targets(handout.queues()).await?;
        Ok(Made { draft, kept_as, handout, targets, denied: wanted })
    }

    async fn sieve(&self, topic: &Arn, of: &[Subscription], draft: &Draft, steps: u64) -> Result<Sieve, Error> {
        let steps = steps.saturating_mul(u64::try_from(of.len()).unwrap_or(u64::MAX));
        Sieve::judged(self.topics.compute(), &topic.account, of, draft, steps).await
    }

    /// Asks the topic's policy what may stand in a message of which nobody asked when it was published, and keeps that. `false`
    /// where the message is denied.
    async fn screened(&self, message: &str, topic: &Arn, policy: &Policy, draft: &mut Draft) -> Result<bool, Error> {
        match self.topics.screen(topic, policy, draft).await {
            Ok(()) => {}
            Err(Error::Protected(_)) => {
                tracing::warn!(message.id = message, topic = %topic, "a data protection policy prohibits a message");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let (audits, content, message) = (std::mem::take(&mut draft.audits), draft.content()?, message.to_owned());
        self.topics
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    fan_outs::set_content(tx, &message, &content).await?;
                    audit::tell(tx, &audits).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(true)
    }

    async fn read(&self, message: &str) -> Result<Option<FanOutPart>, Error> {
        let message = message.to_owned();
        self.topics
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let Some(under_way) = fan_outs::find(tx, &message).await? else { return Ok(None) };
                    let topic = match topics::by_id(tx, under_way.topic_id).await? {
                        None => ended::topic(tx, under_way.topic_id).await?,
                        there => there,
                    };
                    let Some(topic) = topic else { return Ok(None) };
                    let draft = Draft::read(&under_way.content)?;
                    let each = draft.parts.publication.message.len() + 1_024;
                    let limit = u32::try_from((PART_BYTES / each).clamp(PART_MIN, PART_MAX)).unwrap_or(u32::MAX);
                    let reached = under_way.reached;
                    let subscriptions = subscribed(tx, topic.id, under_way.created_at, (reached, limit)).await?;
                    Ok(Some(FanOutPart { topic, draft, reached, subscriptions }))
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

/// The next of those who get a message: who is subscribed since before it was published, and who was then and is not any more.
async fn subscribed(
    tx: &mut Tx,
    topic_id: i64,
    published_at: Timestamp,
    (after, limit): (i64, u32),
) -> Result<Vec<Subscription>, store::Error> {
    let mut all = subscriptions::made_by(tx, topic_id, published_at, (after, limit)).await?;
    let ended = ended::subscribed(tx, topic_id, published_at, after, limit).await?;
    if !ended.is_empty() {
        all.extend(ended);
        // One that was restored is there twice; the first counts.
        all.sort_by_key(|one| one.id);
        all.dedup_by_key(|one| one.id);
        all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(all)
}

impl Work for Spreader {
    fn queue(&self) -> SystemQueue {
        SystemQueue::FanOut
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            match self.spread(&claim.body).await {
                // What is left of a fan-out whose topic is gone for long.
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
