//! Publishing: a message gets its place in its topic, and is handed to a few subscriptions at once, in the publisher's
//! transaction, or to many by a fan-out job. Nothing is signed inside a transaction.
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Arn, Timestamp};
use crate::queues::{Targets, sequence_number};
use crate::store::subscriptions::Subscription;
use crate::store::topics::Topic;
use crate::store::{self, Tx, fan_outs, subscriptions, topic_archive, topic_order};
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::fan_out::{Fan, Handout};
use crate::topics::protection::{Policy, audit};
use crate::topics::rules::{Rules, content_id};
use crate::topics::sieve::{self, Sieve};
use crate::topics::signing::{Key, Version};
use crate::topics::topic::{find, hold};
use crate::topics::{Error, Publication, Topics, attributes};
use crate::workers::{self, SystemQueue};

/// How many subscriptions are served in the publisher's transaction. More are served by a job.
const AT_ONCE: u32 = 100;
/// How long a message is known by its deduplication id.
const KNOWN_FOR: Duration = Duration::from_secs(300);

/// What the publisher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The MessageId.
    pub message_id: String,
    /// The place in a FIFO topic: grows within a group.
    pub sequence_number: Option<String>,
}

/// What was seen before the transaction.
struct Ahead {
    rules: Rules,
    /// Those that want an envelope.
    protocols: Vec<Protocol>,
    /// The subscriptions, if they can be served from here: a few, of a topic without an order or an archive.
    few: Option<Vec<Subscription>>,
    /// Those of other topics' subscriptions that have a filter policy.
    filtered: Vec<Subscription>,
    /// What may stand in its messages.
    protection: Option<Arc<Policy>>,
}

/// One of several messages, and what was made of it before the transaction.
struct BatchEntry {
    n: usize,
    draft: Draft,
    made: Option<(Handout, Targets)>,
    sieve: Sieve,
}

impl Topics {
    /// Publishes to `topic` and returns the MessageId. When it returns, every confirmed subscription has its message, its
    /// delivery job, or its place in a fan-out job, durably. Errors: `TopicMissing`, and those of [`Publication`]'s
    /// limits.
    pub async fn publish(&self, topic: &Arn, publication: Publication) -> Result<String, Error> {
        let published = self.publish_each(topic, vec![publication]).await?.into_iter().next();
        published.unwrap_or(Err(Error::MessageEmpty)).map(|published| published.message_id)
    }

    /// Publishes several messages, each taken or refused for itself; those that are taken are durable on return, as by
    /// [`Topics::publish`]. Errors: `TopicMissing`. A message's own error is its entry of the result.
    pub async fn publish_each(
        &self,
        topic: &Arn,
        publications: Vec<Publication>,
    ) -> Result<Vec<Result<Published, Error>>, Error> {
        let ahead = self.look_ahead(topic).await?;
        let rules = ahead.rules;
        let steps = sieve::STEPS_MAX / u64::try_from(publications.len().max(1)).unwrap_or(1);
        let key = self.signer().key().await?;
        let mut answers = Vec::with_capacity(publications.len());
        let mut drafts = Vec::with_capacity(publications.len());
        for (n, publication) in publications.into_iter().enumerate() {
            match self.ready(topic, publication, &ahead, &key).await {
                Ok(draft) => {
                    let asked = ahead.few.as_ref().unwrap_or(&ahead.filtered);
                    let mut sieve = Sieve::judged(self.compute(), &topic.account, asked, &draft, steps).await?;
                    let made = match &ahead.few {
                        Some(few) => Some(self.make(topic, rules, &key, &draft, few, &mut sieve).await?),
                        None => None,
                    };
                    drafts.push(BatchEntry { n, draft, made, sieve });
                    answers.push(Err(Error::MessageEmpty));
                }
                Err(error) => answers.push(Err(error)),
            }
        }
        for lot in lots(rules, drafts) {
            for (n, published) in self.publish_lot(topic, lot).await? {
                if let Some(answer) = answers.get_mut(n) {
                    *answer = Ok(published);
                }
            }
        }
        Ok(answers)
    }

    /// Whether a batch can be published at all: its size, then the structure of all its messages, which is read only when they
    /// are not too long, then their attributes, groups and deduplication ids.
    /// Errors: `TopicMissing`, `BatchTooLong`, and what is wrong with the first bad one.
    pub async fn check_batch(&self, topic: &Arn, publications: &[Publication]) -> Result<(), Error> {
        let Ahead { rules, .. } = self.look_ahead(topic).await?;
        if publications.iter().map(Publication::bytes).sum::<usize>() > rules.max_bytes {
            return Err(Error::BatchTooLong);
        }
        publications.iter().try_for_each(Publication::check_structure)?;
        publications.iter().try_for_each(|publication| {
            publication.check_attributes()?;
            rules.check(publication)
        })
    }

    /// Publishes to `topic` inside the caller's transaction, for the mail of the topic's account, and returns the
    /// MessageId. When the transaction commits, every confirmed subscription has its message, its delivery job, or its
    /// place in a fan-out job. A subscription whose queue is gone is passed over. Errors: `TopicMissing`,
    /// `Forbidden` where the topic's policy denies it, and those of [`Publication`]'s limits; the transaction can go on
    /// after them.
    pub async fn publish_in(&self, tx: &mut Tx, topic: &Arn, publication: &Publication) -> Result<String, Error> {
        let row = find(tx, topic).await?;
        let draft = self.draft(publication.clone(), Rules::of(&row)?)?;
        self.check_mail(&row, topic)?;
        Ok(self.publish_draft(tx, topic, draft, None, Sieve::default()).await?.message_id)
    }

    /// A message that may be published: checked, screened by the topic's data protection policy, signed.
    async fn ready(&self, topic: &Arn, publication: Publication, ahead: &Ahead, key: &Key) -> Result<Draft, Error> {
        ahead.rules.check(&publication)?;
        let mut draft = self.draft(publication, ahead.rules)?;
        if let Some(policy) = &ahead.protection {
            self.screen(topic, policy, &mut draft).await?;
        }
        if !ahead.rules.fifo {
            // This takes CPU time, and others wait for the transaction.
            draft.sign(topic, key, ahead.rules.version, &ahead.protocols)?;
        }
        Ok(draft)
    }

    fn draft(&self, publication: Publication, rules: Rules) -> Result<Draft, Error> {
        let base = self.base_url(publication.base_url.as_deref());
        Draft::new(publication, base, self.clock().now(), rules.max_bytes)
    }

    /// What is needed before the transaction.
    async fn look_ahead(&self, topic: &Arn) -> Result<Ahead, Error> {
        let (arn, topics) = (topic.clone(), self.clone());
        self.store()
            .read(|tx| {
                Box::pin(async move {
                    let topic = find(tx, &arn).await?;
                    let rules = Rules::of(&topic)?;
                    let protection = topics.protection(&topic)?;
                    let names = subscriptions::enveloped(tx, topic.id).await?;
                    let protocols = names.iter().filter_map(|name| Protocol::parse(name)).collect();
                    // A number is given in the transaction; and whether a replay is under way is seen there. What is looked at
                    // once more on its way out is left to a job.
                    let outbound = protection.as_ref().is_some_and(|policy| policy.has_outbound());
                    let early = !rules.fifo && rules.archived_days.is_none() && !outbound;
                    let few =
                        if early { subscriptions::confirmed(tx, topic.id, 0, AT_ONCE + 1).await? } else { vec![] };
                    let few = Some(few).filter(|few| early && few.len() <= AT_ONCE as usize);
                    let filtered = if early { vec![] } else { subscriptions::filtered(tx, topic.id, AT_ONCE).await? };
                    Ok::<_, Error>(Ahead { rules, protocols, few, filtered, protection })
                })
            })
            .await
    }

    /// Makes what a few subscriptions get, before the transaction.
    async fn make(
        &self,
        topic: &Arn,
        rules: Rules,
        key: &Key,
        draft: &Draft,
        few: &[Subscription],
        sieve: &mut Sieve,
    ) -> Result<(Handout, Targets), Error> {
        let kept_as = draft.parts.id.clone();
        let fan = Fan { queues: self.queues(), key, topic, rules, draft, kept_as };
        let handout = fan.prepare(few.to_vec(), sieve)?;
        let targets = self.queues().targets(handout.queues()).await?;
        Ok((handout, targets))
    }

    async fn publish_lot(&self, topic: &Arn, lot: Vec<BatchEntry>) -> Result<Vec<(usize, Published)>, Error> {
        self.store().check_room()?;
        let (topics, topic) = (self.clone(), topic.clone());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut published = Vec::with_capacity(lot.len());
                    for BatchEntry { n, draft, made, sieve } in lot {
                        published.push((n, topics.publish_draft(tx, &topic, draft, made, sieve).await?));
                    }
                    Ok(published)
                })
            })
            .await
    }

    async fn publish_draft(
        &self,
        tx: &mut Tx,
        topic: &Arn,
        mut draft: Draft,
        made: Option<(Handout, Targets)>,
        sieve: Sieve,
    ) -> Result<Published, Error> {
        let row = find(tx, topic).await?;
        let rules = Rules::of(&row)?;
        rules.check(&draft.parts.publication)?;
        if rules.archived_days.is_some() {
            // An archive has the order of the commits, so that a replay overlooks nothing.
            hold(tx, topic).await?;
        }
        if rules.fifo
            && let Some(before) = take_place(tx, &row, rules, &mut draft).await?
        {
            return Ok(before);
        }
        let published = Published { message_id: draft.parts.id.clone(), sequence_number: draft.parts.sequence.clone() };
        if rules.archived_days.is_some() {
            topic_archive::insert(tx, row.id, Timestamp::from_micros(draft.parts.at), &draft.content()?).await?;
        }
        audit::tell(tx, &draft.audits).await?;
        if let Some(policy) = self.protection(&row)? {
            // What nobody has looked at, such as an event of a mail, is looked at by the job.
            draft.parts.unscreened = !draft.screened;
            if policy.has_outbound() || draft.parts.unscreened {
                fan_out_later(tx, &row, &draft).await?;
                return Ok(published);
            }
        }
        match made {
            // Still good: the topic has not got an archive meanwhile, of which a replay may be under way.
            Some((handout, targets)) if rules.archived_days.is_none() => {
                let key = self.signer().key_in(tx).await?;
                let kept_as = published.message_id.clone();
                let fan = Fan { queues: self.queues(), key: &key, topic, rules, draft: &draft, kept_as };
                fan.commit(tx, handout, &targets).await?;
            }
            _ => self.fan_out(tx, topic, (&row, rules), draft, sieve).await?,
        }
        Ok(published)
    }

    async fn fan_out(
        &self,
        tx: &mut Tx,
        topic: &Arn,
        (row, rules): (&Topic, Rules),
        draft: Draft,
        mut sieve: Sieve,
    ) -> Result<(), Error> {
        let some = subscriptions::confirmed(tx, row.id, 0, AT_ONCE + 1).await?;
        let unsigned = !rules.fifo && draft.lacks_signature(&some, rules.version);
        if some.len() > AT_ONCE as usize || unsigned {
            return Ok(fan_out_later(tx, row, &draft).await?);
        }
        if some.is_empty() {
            return Ok(());
        }
        let key = self.signer().key_in(tx).await?;
        let kept_as = draft.parts.id.clone();
        let fan = Fan { queues: self.queues(), key: &key, topic, rules, draft: &draft, kept_as };
        let handout = fan.prepare(some, &mut sieve)?;
        if sieve.is_spent() && !rules.fifo {
            // The policies want more time than there is in a transaction. In a FIFO topic, whose order would be lost, they
            // were judged ahead, all but those that changed since.
            return Ok(fan_out_later(tx, row, &draft).await?);
        }
        let targets = self.queues().targets_in(tx, handout.queues()).await?;
        Ok(fan.commit(tx, handout, &targets).await?)
    }
}

/// Leaves a message to the workers of fan-outs.
async fn fan_out_later(tx: &mut Tx, topic: &Topic, draft: &Draft) -> Result<(), store::Error> {
    fan_outs::insert(tx, &draft.parts.id, topic.id, &draft.content()?).await?;
    // Accounts take turns.
    let (group, visible_at) = (Some(topic.account.to_string()), tx.now());
    let job = workers::Job { body: draft.parts.id.clone(), group, visible_at };
    workers::enqueue(tx, SystemQueue::FanOut, &[job]).await
}

/// Messages that go into one transaction. In a FIFO topic those of one group: who holds several groups of several queues
/// could wait for another such in a circle.
fn lots(rules: Rules, entries: Vec<BatchEntry>) -> Vec<Vec<BatchEntry>> {
    let mut lots: Vec<Vec<BatchEntry>> = Vec::new();
    for entry in entries {
        let group = &entry.draft.parts.publication.group;
        let same = |lot: &&mut Vec<BatchEntry>| {
            lot.first().is_none_or(|first| !rules.fifo || first.draft.parts.publication.group == *group)
        };
        match lots.iter_mut().find(same) {
            Some(lot) => lot.push(entry),
            None => lots.push(vec![entry]),
        }
    }
    lots
}

/// Gives a message its place in a FIFO topic. Gives the message before it, when it was published already.
async fn take_place(
    tx: &mut Tx,
    topic: &Topic,
    rules: Rules,
    draft: &mut Draft,
) -> Result<Option<Published>, store::Error> {
    let publication = &draft.parts.publication;
    let group = publication.group.as_deref().unwrap_or_default();
    topic_order::hold_groups(tx, topic.id, &BTreeSet::from([group])).await?;
    let id = publication.deduplication_id.clone().unwrap_or_else(|| content_id(&publication.message));
    let key = (if rules.per_group { group } else { "" }, id.as_str());
    let until = tx.now() + KNOWN_FOR;
    let taken = topic_order::take(tx, topic.id, key, &draft.parts.id, until).await?;
    let sequence = sequence_number(taken.sequence);
    if !taken.fresh {
        return Ok(Some(Published { message_id: taken.message_id, sequence_number: Some(sequence) }));
    }
    draft.parts.sequence = Some(sequence);
    Ok(None)
}

/// The signature version that a topic's attributes name.
pub(in crate::topics) fn version(topic_attributes: &str) -> Result<Version, store::Error> {
    Ok(Rules::from(&attributes::read(topic_attributes)?).version)
}
