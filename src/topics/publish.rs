//! Publishing: the fan-out of one message to all confirmed subscriptions, in the publisher's transaction.
use std::collections::BTreeMap;

use crate::base::{Arn, Timestamp, ids};
use crate::queues::{self, Outgoing, Queues};
use crate::store::subscriptions::{self, Subscription};
use crate::store::{self, Tx, publications};
use crate::topics::attributes;
use crate::topics::endpoint::Protocol;
use crate::topics::envelope::Notification;
use crate::topics::filter_policy::{Facts, Scope};
use crate::topics::job::{self, Job};
use crate::topics::message::Wordings;
use crate::topics::signing::{Signer, Version};
use crate::topics::topic::find;
use crate::topics::{Error, Publication, Topics};

/// How many subscriptions are read at a time, so that memory stays bounded whatever the topic's size.
const AT_ONCE: u32 = 256;

/// A publication that was checked and has its id, ready for its transaction.
struct Draft {
    id: String,
    at: Timestamp,
    publication: Publication,
    wordings: Wordings,
    base: String,
    /// Signatures that were made before the transaction, by version and text.
    signatures: Vec<(Version, String, String)>,
}

impl Topics {
    /// Publishes to `topic` and returns the MessageId. When it returns, every confirmed queue subscription has its
    /// message and every HTTP subscription its delivery job, durably. Errors: `TopicMissing`, and those of
    /// [`Publication`]'s limits.
    pub async fn publish(&self, topic: &Arn, publication: Publication) -> Result<String, Error> {
        let ids = self.publish_all(topic, vec![publication]).await?;
        ids.into_iter().next().ok_or(Error::MessageEmpty)
    }

    /// Publishes several messages in one transaction, all or none, and returns their MessageIds.
    pub async fn publish_all(&self, topic: &Arn, publications: Vec<Publication>) -> Result<Vec<String>, Error> {
        let drafts = publications.into_iter().map(|publication| self.draft(publication));
        let mut drafts: Vec<Draft> = drafts.collect::<Result<_, Error>>()?;
        // Signing takes CPU time, and others wait for the transaction.
        self.sign_ahead(topic, &mut drafts).await?;
        let (topics, topic) = (self.clone(), topic.clone());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let mut ids = Vec::with_capacity(drafts.len());
                    for draft in drafts {
                        ids.push(topics.fan_out(tx, &topic, draft).await?);
                    }
                    Ok(ids)
                })
            })
            .await
    }

    /// Publishes to `topic` inside the caller's transaction and returns the MessageId. When the transaction commits, every
    /// confirmed queue subscription has its message and every HTTP subscription its delivery job. A subscription whose
    /// queue is gone is passed over. Errors: `TopicMissing`, and those of [`Publication`]'s limits; the transaction can
    /// go on after them.
    pub async fn publish_in(&self, tx: &mut Tx, topic: &Arn, publication: &Publication) -> Result<String, Error> {
        let draft = self.draft(publication.clone())?;
        self.fan_out(tx, topic, draft).await
    }

    fn draft(&self, publication: Publication) -> Result<Draft, Error> {
        let wordings = publication.wordings()?;
        let base = self.base_url(publication.base_url.as_deref());
        Ok(Draft { id: ids::uuid(), at: self.clock().now(), publication, wordings, base, signatures: Vec::new() })
    }

    async fn sign_ahead(&self, topic: &Arn, drafts: &mut [Draft]) -> Result<(), Error> {
        let arn = topic.clone();
        let (version, protocols) = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let topic = find(tx, &arn).await?;
                    Ok::<_, Error>((version(&topic.attributes)?, subscriptions::enveloped(tx, topic.id).await?))
                })
            })
            .await?;
        let protocols: Vec<Protocol> = protocols.iter().filter_map(|name| Protocol::parse(name)).collect();
        if protocols.is_empty() {
            return Ok(());
        }
        let key = self.signer().key().await?;
        for draft in drafts {
            for protocol in &protocols {
                let mut notification = draft.notification(*protocol, topic, version);
                if notification.signature.is_none() {
                    notification.sign(&key)?;
                    draft.signatures.extend(notification.signature.map(|made| (version, notification.message, made)));
                }
            }
        }
        Ok(())
    }

    async fn fan_out(&self, tx: &mut Tx, topic: &Arn, draft: Draft) -> Result<String, Error> {
        let row = find(tx, topic).await?;
        let mut fan = Fan {
            queues: self.queues(),
            signer: self.signer(),
            topic,
            version: version(&row.attributes)?,
            draft,
            ready: BTreeMap::new(),
            sieve: Sieve::default(),
            posts: 0,
        };
        let mut after = 0;
        loop {
            let some = subscriptions::confirmed(tx, row.id, after, AT_ONCE).await?;
            fan.hand_out(tx, &some).await?;
            match some.last() {
                Some(last) if some.len() == AT_ONCE as usize => after = last.id,
                _ => break,
            }
        }
        fan.keep(tx).await
    }
}

/// One fan-out under way.
struct Fan<'a> {
    queues: &'a Queues,
    signer: &'a Signer,
    topic: &'a Arn,
    version: Version,
    draft: Draft,
    ready: BTreeMap<Protocol, Notification>,
    sieve: Sieve,
    posts: u32,
}

impl Fan<'_> {
    async fn hand_out(&mut self, tx: &mut Tx, subscriptions: &[Subscription]) -> Result<(), Error> {
        let mut jobs = Vec::new();
        for subscription in subscriptions {
            let Some(protocol) = Protocol::parse(&subscription.protocol) else { continue };
            if !self.sieve.lets_pass(subscription, protocol, &self.draft)? {
                continue;
            }
            self.ready.entry(protocol).or_insert_with(|| self.draft.notification(protocol, self.topic, self.version));
            if protocol != Protocol::Sqs {
                let (message, subscription_id) = (self.draft.id.clone(), subscription.uuid.clone());
                jobs.push((
                    Job::Notification { message, subscription: subscription_id },
                    subscription.endpoint.as_str(),
                ));
            } else {
                self.send_to_queue(tx, subscription).await?;
            }
        }
        self.posts += u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        if jobs.is_empty() { Ok(()) } else { Ok(job::enqueue(tx, &jobs).await?) }
    }

    async fn send_to_queue(&mut self, tx: &mut Tx, subscription: &Subscription) -> Result<(), Error> {
        let Some(notification) = self.ready.get_mut(&Protocol::Sqs) else { return Ok(()) };
        let mut outgoing = Outgoing {
            group_id: self.draft.publication.group.clone(),
            sender: Some(self.topic.account.to_string()),
            ..Outgoing::default()
        };
        if subscription.raw {
            outgoing.body = notification.message.clone();
            outgoing.attributes = notification.attributes.clone();
        } else {
            let key = self.signer.key_in(tx).await?;
            notification.sign(&key)?;
            outgoing.body = notification.envelope(&key, &format!("{}:{}", self.topic, subscription.uuid));
        }
        let refused = match subscription.endpoint.parse::<Arn>() {
            Ok(queue) => self.queues.deliver_for(tx, self.topic, &queue, outgoing.clone()).await.err(),
            Err(_) => return Ok(()),
        };
        match refused {
            None => Ok(()),
            Some(queues::Error::Internal(error)) => Err(error.into()),
            Some(error) => {
                let (message, endpoint) = (&self.draft.id, &subscription.endpoint);
                tracing::warn!(message.id = message, endpoint, %error, "a subscribed queue did not take a message");
                to_dead_letters(tx, self.queues, &subscription.attributes, self.topic, outgoing).await?;
                Ok(())
            }
        }
    }

    /// Keeps what the delivery jobs refer to, and gives the MessageId.
    async fn keep(self, tx: &mut Tx) -> Result<String, Error> {
        if self.posts > 0 {
            let web: BTreeMap<_, _> =
                self.ready.into_iter().filter(|(protocol, _)| *protocol != Protocol::Sqs).collect();
            let content = serde_json::to_string(&web).map_err(store::Error::corrupt)?;
            publications::insert(tx, &self.draft.id, &content, self.posts).await?;
        }
        Ok(self.draft.id)
    }
}

/// What filter policies look at, read once per publication and only when a policy asks.
#[derive(Default)]
struct Sieve {
    attributes: Option<Facts>,
    bodies: BTreeMap<Protocol, Option<Facts>>,
}

impl Sieve {
    /// Whether the subscription's filter policy lets the message pass. A policy for bodies lets no body pass that is no
    /// JSON object.
    fn lets_pass(&mut self, of: &Subscription, protocol: Protocol, draft: &Draft) -> Result<bool, Error> {
        // Most subscriptions have no policy, and then their attributes need not be read.
        if !of.attributes.contains("FilterPolicy") {
            return Ok(true);
        }
        let Some((policy, scope)) = attributes::filter_policy(&attributes::read(&of.attributes)?)? else {
            return Ok(true);
        };
        let facts = match scope {
            Scope::Attributes => {
                Some(&*self.attributes.get_or_insert_with(|| Facts::of_attributes(&draft.publication.attributes)))
            }
            Scope::Body => {
                let body = || Facts::of_body(draft.wordings.of(protocol));
                self.bodies.entry(protocol).or_insert_with(body).as_ref()
            }
        };
        Ok(facts.is_some_and(|facts| policy.matches(facts)))
    }
}

impl Draft {
    fn notification(&self, protocol: Protocol, topic: &Arn, version: Version) -> Notification {
        let message = self.wordings.of(protocol).to_owned();
        let made = self.signatures.iter().find(|(of, text, _)| *of == version && *text == message);
        Notification {
            id: self.id.clone(),
            topic: topic.to_string(),
            subject: self.publication.subject.clone(),
            signature: made.map(|(_, _, signature)| signature.clone()),
            message,
            at: self.at.micros(),
            attributes: self.publication.attributes.clone(),
            base: self.base.clone(),
            version,
        }
    }
}

/// Hands a message that could not be delivered to the dead-letter queue of its subscription, when that has one. The
/// message is given up when that queue does not take it either, as on AWS.
pub(in crate::topics) async fn to_dead_letters(
    tx: &mut Tx,
    queues: &Queues,
    subscription_attributes: &str,
    topic: &Arn,
    outgoing: Outgoing,
) -> Result<bool, store::Error> {
    let attributes = attributes::read(subscription_attributes)?;
    let queue = attributes.get("RedrivePolicy").and_then(|redrive| attributes::dead_letter_queue(redrive, topic).ok());
    let Some(queue) = queue else { return Ok(false) };
    match queues.deliver_for(tx, topic, &queue, outgoing).await {
        Ok(_) => Ok(true),
        Err(queues::Error::Internal(error)) => Err(error),
        Err(error) => {
            tracing::warn!(queue = %queue, %error, "a dead-letter queue did not take a message");
            Ok(false)
        }
    }
}

/// The signature version that a topic's attributes name.
pub(in crate::topics) fn version(topic_attributes: &str) -> Result<Version, store::Error> {
    let attributes = attributes::read(topic_attributes)?;
    Ok(attributes.get("SignatureVersion").and_then(|text| Version::parse(text)).unwrap_or_default())
}
