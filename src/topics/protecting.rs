//! Data protection policies of topics: put, read, and asked what becomes of a message on its way in and out.
use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;

use crate::base::Arn;
use crate::store;
use crate::store::subscriptions::Subscription;
use crate::store::topics as rows;
use crate::store::topics::Topic;
use crate::topics::draft::Draft;
use crate::topics::endpoint::Protocol;
use crate::topics::protection::audit::{self, About, AuditRecord};
use crate::topics::protection::policy::{Operation, Statement};
use crate::topics::protection::verdict::{Judged, judge, wanted};
use crate::topics::protection::{Direction, Findings, Policy, Who, scan, weight};
use crate::topics::rules::{Rules, SUFFIX};
use crate::topics::signing::{Key, Version};
use crate::topics::topic::{find, hold};
use crate::topics::{Error, Topics, attributes};

/// Under which name a policy is kept among a topic's attributes, where whoever publishes reads it anyway. It is not shown there.
pub(in crate::topics) const NAME: &str = "DataProtectionPolicy";
/// Octets that are looked at on the thread that asks for it, each counted once for each kind of data: less than a millisecond.
const HERE_MAX: usize = 64 * 1024;

/// A text of a message, that of a protocol or that of all others, with what was found in it and what is judged of it.
struct TextVerdict {
    protocol: Option<Protocol>,
    findings: Findings,
    judged: Vec<Judged>,
}

/// Subscriptions that get the same of a message.
pub(in crate::topics) struct Share {
    pub draft: Draft,
    pub subscriptions: Vec<Subscription>,
    /// Those that get nothing, since the policy denies it.
    pub denied: Vec<Subscription>,
}

impl Topics {
    fn protection_of(&self, topic_attributes: &str) -> Result<Option<Arc<Policy>>, store::Error> {
        if !topic_attributes.contains(NAME) {
            return Ok(None);
        }
        let Some(text) = attributes::read(topic_attributes)?.remove(NAME) else { return Ok(None) };
        let read = || Policy::parse(&text).map(Arc::new).map_err(store::Error::corrupt);
        self.protections().get_or_make(text.as_str(), read).map(Some)
    }

    /// A topic's data protection policy; `None` where it has none.
    ///
    /// # Errors
    /// `TopicMissing`.
    pub async fn data_protection_policy(&self, topic: &Arn) -> Result<Option<String>, Error> {
        let arn = topic.clone();
        let topic = self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await?;
        Ok(attributes::read(&topic.attributes)?.remove(NAME))
    }

    /// Sets a topic's data protection policy; an empty one takes it away. Messages that are on their way already are not asked
    /// again when they were published.
    ///
    /// # Errors
    /// `TopicMissing`; `DataProtection`, which says what is wrong.
    pub async fn set_data_protection_policy(&self, topic: &Arn, text: &str) -> Result<(), Error> {
        let policy = self.checked_protection(topic, text)?;
        let arn = topic.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let topic = hold(tx, &arn).await?;
                    if policy.is_some() && Rules::of(&topic)?.archived_days.is_some() {
                        return Err(Error::DataProtection("not supported for topics with an ArchivePolicy".to_owned()));
                    }
                    let mut all = attributes::read(&topic.attributes)?;
                    match policy {
                        Some(policy) => drop(all.insert(NAME.to_owned(), policy)),
                        None => drop(all.remove(NAME)),
                    }
                    rows::set_attributes(tx, topic.id, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Checks a policy for a topic, and gives it as it is kept; `None` where it is empty.
    pub(in crate::topics) fn checked_protection(&self, topic: &Arn, text: &str) -> Result<Option<String>, Error> {
        if matches!(text.trim(), "" | "{}") {
            return Ok(None);
        }
        if topic.resource.ends_with(SUFFIX) {
            return Err(Error::DataProtection("not supported for FIFO topics".to_owned()));
        }
        let policy = Policy::parse(text).map_err(Error::DataProtection)?;
        for name in policy.streams() {
            let stream = Arn::new("firehose", &topic.region, &topic.account, format!("deliverystream/{name}"));
            let known = self.ways().streams.as_ref().is_some_and(|streams| streams.destination(&stream).is_some());
            if !known {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
                let why =
                    format!("Audit destination Firehose {shown}: no bucket is configured for this delivery stream");
                return Err(Error::DataProtection(why));
            }
        }
        Ok(Some(text.to_owned()))
    }

    /// The policy that a topic's messages are screened by. Costs next to nothing where there is none.
    pub(in crate::topics) fn protection(&self, topic: &Topic) -> Result<Option<Arc<Policy>>, store::Error> {
        self.protection_of(&topic.attributes)
    }

    /// Screens a message on its way into its topic: what is told of it is kept in the draft, what must not be in it is taken
    /// out.
    ///
    /// # Errors
    /// `Protected` for a message that is denied; too much work of the account that waits.
    pub(in crate::topics) async fn screen(&self, topic: &Arn, policy: &Policy, draft: &mut Draft) -> Result<(), Error> {
        let who = draft.parts.publication.publisher.clone().map_or(Who::Service, Who::Account);
        let statements = policy.at(&policy.about(Direction::Inbound, &who));
        draft.screened = true;
        draft.parts.unscreened = false;
        if statements.is_empty() {
            return Ok(());
        }
        let looked = self.look(topic, draft, vec![statements.clone()]).await?;
        draft.audits = self.audits(topic, who, draft, &statements, &looked).await?;
        let judged: Vec<_> = looked.into_iter().filter_map(|mut one| Some((one.protocol, one.judged.pop()?))).collect();
        if judged.iter().any(|(_, judged)| judged.denied) {
            self.tell_of_denied(std::mem::take(&mut draft.audits)).await?;
            return Err(Error::Protected(topic.to_string()));
        }
        draft.reword(changed(judged));
        Ok(())
    }

    /// A message that is denied leaves nothing but what its audit tells.
    async fn tell_of_denied(&self, audits: Vec<AuditRecord>) -> Result<(), store::Error> {
        if audits.is_empty() {
            return Ok(());
        }
        self.store().write(move |tx| Box::pin(async move { audit::tell(tx, &audits).await })).await
    }

    /// Looks at each text of a message, and judges it by each of several lists of statements, away from the threads that answer
    /// others where it is much.
    async fn look(&self, topic: &Arn, draft: &Draft, lists: Vec<Vec<Statement>>) -> Result<Vec<TextVerdict>, Error> {
        let texts: Vec<(Option<Protocol>, String)> =
            draft.texts().map(|(protocol, text)| (protocol, text.to_owned())).collect();
        let kinds = wanted(lists.iter().flatten());
        let octets: usize = texts.iter().map(|(_, text)| weight(text)).sum();
        let size = octets.saturating_mul(kinds.len() + lists.len());
        let work = move || {
            let one = |(protocol, text): (Option<Protocol>, String)| {
                let findings = scan(&text, &kinds);
                let judged = lists.iter().map(|statements| judge(&text, &findings, statements)).collect();
                TextVerdict { protocol, findings, judged }
            };
            texts.into_iter().map(one).collect()
        };
        Ok(self.compute().linear(topic.account.as_str(), (size, HERE_MAX), work).await?)
    }

    /// What is told of a message by its policy's audit: of as many messages as it wants.
    async fn audits(
        &self,
        topic: &Arn,
        who: Who,
        draft: &Draft,
        statements: &[Statement],
        looked: &[TextVerdict],
    ) -> Result<Vec<AuditRecord>, Error> {
        let sampled = |of: &&Statement| match &of.operation {
            Operation::Audit(audit) => rand::rng().random_ratio(u32::from(audit.rate), 100),
            _ => false,
        };
        let sampled: Vec<Statement> = statements.iter().filter(sampled).cloned().collect();
        if sampled.is_empty() {
            return Ok(vec![]);
        }
        let about = About { topic: topic.clone(), message: draft.parts.id.clone(), who, at: self.clock().now() };
        let found = |((_, text), looked): ((_, &str), &TextVerdict)| (text.to_owned(), looked.findings.clone());
        let texts: Vec<(String, Findings)> = draft.texts().zip(looked).map(found).collect();
        let size = texts.iter().map(|(text, found)| text.len().saturating_mul(found.len())).sum();
        let work = move || sampled.iter().filter_map(|of| audit::record(of, &about, &texts)).collect();
        let mut told: Vec<AuditRecord> = self.compute().linear(topic.account.as_str(), (size, HERE_MAX), work).await?;
        for record in &mut told {
            if let Some(stream) = &record.stream
                && !self.takes_audits(stream).await?
            {
                tracing::warn!(%stream, "a delivery stream does not take what an audit found");
                record.stream = None;
            }
        }
        Ok(told)
    }

    async fn takes_audits(&self, stream: &Arn) -> Result<bool, store::Error> {
        match self.ways().streams.as_ref().filter(|streams| streams.destination(stream).is_some()) {
            Some(streams) => streams.takes(stream).await,
            None => Ok(false),
        }
    }

    /// Divides subscriptions by what they may get of a message on its way out. What is signed for them is signed here, on the
    /// account's own places, since there may be many wordings.
    ///
    /// # Errors
    /// Too much work of the account that waits.
    pub(in crate::topics) async fn shares(
        &self,
        topic: &Arn,
        policy: &Policy,
        (draft, subscriptions): (Draft, Vec<Subscription>),
        (key, version): (&Key, Version),
    ) -> Result<Vec<Share>, Error> {
        let mut divided: BTreeMap<Vec<usize>, Vec<Subscription>> = BTreeMap::new();
        for subscription in subscriptions {
            let about = policy.about(Direction::Outbound, &Who::Account(subscription.owner.clone()));
            divided.entry(about).or_default().push(subscription);
        }
        let lists = divided.keys().map(|places| policy.at(places)).collect();
        let mut looked = self.look(topic, &draft, lists).await?;
        let mut shares = Vec::with_capacity(divided.len());
        for (n, (_, subscriptions)) in divided.into_iter().enumerate() {
            let judged = |one: &mut TextVerdict| Some((one.protocol, std::mem::take(one.judged.get_mut(n)?)));
            let judged: Vec<(Option<Protocol>, Judged)> = looked.iter_mut().filter_map(judged).collect();
            let denies = |of: &Subscription| {
                let own = Protocol::parse(&of.protocol);
                let own = judged.iter().find(|(protocol, _)| *protocol == own);
                own.or_else(|| judged.iter().find(|(protocol, _)| protocol.is_none()))
                    .is_some_and(|(_, one)| one.denied)
            };
            let (denied, subscriptions): (Vec<_>, Vec<_>) = subscriptions.into_iter().partition(denies);
            let mut draft = draft.clone();
            draft.reword(changed(judged));
            if draft.lacks_signature(&subscriptions, version) {
                let sign = || draft.sign(topic, key, version, &[Protocol::Sqs]);
                self.compute().in_place(topic.account.as_str(), sign).await??;
            }
            shares.push(Share { draft, subscriptions, denied });
        }
        Ok(shares)
    }
}

fn changed(judged: Vec<(Option<Protocol>, Judged)>) -> BTreeMap<Option<Protocol>, String> {
    judged.into_iter().filter_map(|(protocol, judged)| Some((protocol, judged.changed?))).collect()
}
