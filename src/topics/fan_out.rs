//! The fan-out of one message to subscriptions, inside a transaction: who wants it, and how it gets there.
use std::collections::BTreeMap;

use crate::base::Arn;
use crate::queues::{Outgoing, Queues, Targets};
use crate::store::subscriptions::Subscription;
use crate::store::{self, Tx, publications};
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::envelope::{Frame, Notification};
use crate::topics::job::{self, Job, Target};
use crate::topics::rules::{Rules, content_id};
use crate::topics::sieve::Sieve;
use crate::topics::signing::Key;
use crate::topics::undelivered::{Refused, give_up};
use crate::topics::{Attribute, Error, Value};

/// The most attributes of a message in a queue.
const ATTRIBUTES_MAX: usize = 10;

/// One fan-out under way.
pub(in crate::topics) struct Fan<'a> {
    pub queues: &'a Queues,
    /// Signs nothing here: names the certificate.
    pub key: &'a Key,
    pub topic: &'a Arn,
    pub rules: Rules,
    pub draft: &'a Draft,
    /// Under which publications are kept for the delivery jobs. Its own for each part of a fan-out.
    pub kept_as: String,
}

/// What a fan-out writes, made before any transaction where there is time.
#[derive(Default)]
pub(in crate::topics) struct Handout {
    to_queues: Vec<(Subscription, Arn, Outgoing)>,
    jobs: Vec<Job>,
    ready: BTreeMap<Protocol, Notification>,
}

impl Handout {
    /// The queues that get a message.
    pub(super) fn queues(&self) -> Vec<Arn> {
        self.to_queues.iter().map(|(_, queue, _)| queue.clone()).collect()
    }
}

impl Fan<'_> {
    /// Hands the message to those of the subscriptions that want it: to queues at once, to others by a delivery job. A
    /// queue that does not take it is passed over, and the message goes to the dead-letter queue if there is one.
    pub(super) async fn hand_out(
        &self,
        tx: &mut Tx,
        subscriptions: Vec<Subscription>,
        sieve: &mut Sieve,
    ) -> Result<(), Error> {
        let handout = self.prepare(subscriptions, sieve)?;
        let targets = self.queues.targets_in(tx, handout.queues()).await?;
        Ok(self.commit(tx, handout, &targets).await?)
    }

    /// Makes what those of the subscriptions get that want the message.
    pub(super) fn prepare(&self, subscriptions: Vec<Subscription>, sieve: &mut Sieve) -> Result<Handout, Error> {
        let mut frame = None;
        let mut handout = Handout::default();
        for subscription in subscriptions {
            let Some(protocol) = Protocol::parse(&subscription.protocol) else { continue };
            if !sieve.lets_pass(&subscription, protocol, self.draft)? {
                continue;
            }
            if protocol == Protocol::Sqs {
                let Ok(queue) = subscription.endpoint.parse::<Arn>() else { continue };
                let outgoing = self.outgoing(&subscription, &queue, &mut frame);
                handout.to_queues.push((subscription, queue, outgoing));
                continue;
            }
            handout.ready.entry(protocol).or_insert_with(|| self.notification(protocol));
            let target = Target::of(&self.topic.account, &subscription.protocol, &subscription.endpoint);
            let (message, subscription) = (self.kept_as.clone(), subscription.uuid);
            handout.jobs.push(Job::Notification { message, subscription, target: Some(target) });
        }
        Ok(handout)
    }

    /// Writes what was made.
    pub(super) async fn commit(&self, tx: &mut Tx, handout: Handout, targets: &Targets) -> Result<(), store::Error> {
        let Handout { to_queues, jobs, ready } = handout;
        self.send_to_queues(tx, to_queues, targets).await?;
        if !jobs.is_empty() {
            job::enqueue(tx, &jobs).await?;
            let content = serde_json::to_string(&ready).map_err(store::Error::corrupt)?;
            let count = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            publications::insert(tx, &self.kept_as, &content, count).await?;
        }
        Ok(())
    }

    fn notification(&self, protocol: Protocol) -> Notification {
        self.draft.notification(protocol, self.topic, self.rules.version)
    }

    fn outgoing(&self, to: &Subscription, queue: &Arn, frame: &mut Option<Frame>) -> Outgoing {
        let publication = &self.draft.parts.publication;
        // The groups of a FIFO topic do not show in a standard queue, as on AWS.
        let grouped = !self.rules.fifo || queue.resource.ends_with(".fifo");
        let mut outgoing = Outgoing {
            group_id: publication.group.clone().filter(|_| grouped),
            sender: Some(self.topic.account.to_string()),
            trace_header: publication.trace_header.clone(),
            ..Outgoing::default()
        };
        if self.rules.fifo && queue.resource.ends_with(".fifo") {
            outgoing.deduplication_id = Some(self.deduplication_id(to));
        }
        if to.raw {
            outgoing.body = self.draft.wording(Protocol::Sqs).to_owned();
            outgoing.attributes = publication.attributes.clone();
            if self.draft.replayed && outgoing.attributes.len() < ATTRIBUTES_MAX {
                let replayed = Attribute { data_type: "String".to_owned(), value: Value::Text("true".to_owned()) };
                outgoing.attributes.insert("Replayed".to_owned(), replayed);
            }
        } else {
            outgoing.body = self.enveloped(to, frame);
        }
        outgoing
    }

    fn enveloped(&self, to: &Subscription, frame: &mut Option<Frame>) -> String {
        let frame = frame.get_or_insert_with(|| self.notification(Protocol::Sqs).frame(self.key));
        frame.around(&format!("{}:{}", self.topic, to.uuid))
    }

    /// What a FIFO queue knows the message by. A replayed one has another id than it had at first, since the queue would
    /// drop it where it got the first within five minutes; what is replayed twice within one replay has the same.
    fn deduplication_id(&self, to: &Subscription) -> String {
        let publication = &self.draft.parts.publication;
        if self.draft.replayed {
            return content_id(&format!("{} {}", to.replay_id, self.draft.parts.id));
        }
        publication.deduplication_id.clone().unwrap_or_else(|| content_id(&publication.message))
    }

    async fn send_to_queues(
        &self,
        tx: &mut Tx,
        messages: Vec<(Subscription, Arn, Outgoing)>,
        targets: &Targets,
    ) -> Result<(), store::Error> {
        if messages.is_empty() {
            return Ok(());
        }
        let mut subscriptions = Vec::with_capacity(messages.len());
        let mut each = Vec::with_capacity(messages.len());
        for (subscription, queue, outgoing) in messages {
            subscriptions.push((subscription, queue.clone()));
            each.push((queue, outgoing));
        }
        let answers = self.queues.deliver_each(tx, self.topic, each, targets).await?;
        for ((subscription, queue), refused) in subscriptions.into_iter().zip(answers) {
            let Some(error) = refused else { continue };
            let group_id = self.draft.parts.publication.group.clone();
            // A standard queue has no deduplication id, and its dead-letter queue may know one.
            let deduplication_id = self.rules.fifo.then(|| self.deduplication_id(&subscription));
            let outgoing = Outgoing { group_id, deduplication_id, ..self.outgoing(&subscription, &queue, &mut None) };
            let envelope = || self.enveloped(&subscription, &mut None);
            let (topic, message) = (self.topic, self.draft.parts.id.as_str());
            let refused = Refused { topic, subscription: &subscription, message, why: &error };
            give_up(tx, self.queues, &refused, outgoing, envelope).await?;
        }
        Ok(())
    }
}
