//! The one door for mail that is to be sent: the API and SMTP submission both come through here, so that both have the same
//! checks and the same result. What it says yes to is durable: message, recipients, jobs and the Send event commit together.
use std::sync::Arc;

use bytes::Bytes;
use tracing::info;

use crate::base::{AccountId, Clock, EmailAddress, Region, Timestamp, ids};
use crate::mail::content::event::Event;
use crate::mail::content::publish_event;
use crate::mail::message::headers_record::HeadersRecord;
use crate::mail::message::{Finished, Known, Stamp, finish_knowing};
use crate::mail::own::jobs::{insert, with_jobs};
use crate::mail::sending::SendError;
use crate::mail::sending::checked::{self, Checks, Passed};
use crate::mail::sending::checks::{Authors, Checked};
use crate::mail::sending::idempotency::{self, Idempotency};
use crate::mail::sending::message_tags;
use crate::mail::sending::quota::{self, Limits, Quota};
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::submission::{MESSAGE_MAX, RECIPIENTS_MAX, Submission};
use crate::mail::sending::unrendered::{self, Unrendered};
use crate::store::mails::{Kind, Mail};
use crate::store::sending_use::{self, Charge};
use crate::store::{self, Json, Pairs, Store};
use crate::topics::Topics;
use crate::workers::Compute;

/// Octets of a message that is read on the thread that asks for it: a fraction of a millisecond.
const READ_HERE_MAX: usize = 256 * 1024;

/// How the door is set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What accounts without limits of their own may send.
    pub limits: Limits,
    /// Our host name: the right side of every Message-ID.
    pub hostname: String,
}

/// On which terms a mail is accepted.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Once only, however often it is called.
    pub once: Option<Idempotency>,
    /// Its template could not be rendered: it is accepted as SES does, told of, and not sent. Its message is a stand-in
    /// with the headers that are known.
    pub unrendered: Option<Unrendered>,
    /// The operation that it came by, as the tag `ses:operation` tells it. `None`: the one of `Grants::action`.
    pub operation: Option<&'static str>,
    /// The octets of a message that the API takes, where it takes fewer than [`MESSAGE_MAX`].
    pub octets_max: Option<usize>,
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Sending {
    pub(super) store: Store,
    pub(super) clock: Clock,
    topics: Topics,
    pub(super) settings: Arc<Settings>,
    passed: Arc<Passed>,
    pub(super) simulator: Simulator,
    compute: Compute,
}

impl Sending {
    /// A door to `store`; events go to `topics`.
    pub fn new(store: Store, clock: Clock, topics: Topics, settings: Settings) -> Self {
        let passed = Arc::new(checked::passed(&store));
        Self {
            store,
            clock,
            topics,
            settings: Arc::new(settings),
            passed,
            simulator: Simulator::default(),
            compute: Compute::default(),
        }
    }

    /// The same door, where `compute` reads large messages.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The same door with a mailbox simulator of these domains.
    pub fn with_simulator(self, simulator: Simulator) -> Self {
        Self { simulator, ..self }
    }

    /// Accepts a mail and returns its SES message id after everything about it is durable. A refusal changes nothing.
    pub async fn accept(&self, submission: Submission) -> Result<String, SendError> {
        self.accept_on(submission, Terms::default()).await
    }

    /// [`Sending::accept`], on terms. A call that was accepted before on the same terms gives the first one's id.
    pub async fn accept_on(&self, submission: Submission, terms: Terms) -> Result<String, SendError> {
        let length = submission.raw.len();
        if let Some(max) = terms.octets_max.filter(|max| length > *max) {
            return Err(SendError::TooLargeForApi { max, length });
        }
        self.store.check_room()?;
        let mut submission = submission;
        let count = submission.recipients.len();
        if count == 0 {
            return Err(SendError::NoRecipients);
        }
        if count > RECIPIENTS_MAX {
            return Err(SendError::TooManyRecipients(count));
        }
        if submission.raw.len() > MESSAGE_MAX {
            return Err(SendError::TooLarge(MESSAGE_MAX));
        }
        submission.recipients = each_once(submission.recipients);
        let now = self.clock.now();
        let id = ids::ses_message_id(now);
        let finished = self.finished(&submission, &id, now).await?;
        if let Some(list) = finished.contact_list {
            return Err(SendError::ContactListMissing(list.chars().take(64).collect()));
        }
        if let Some(tenant) = finished.tenant {
            return Err(SendError::TenantMissing(tenant.chars().take(64).collect()));
        }
        submission.raw = Bytes::new();
        submission.return_path = submission.return_path.or_else(|| finished.return_path.clone());
        let [source, from, return_path] = finished.arns.clone();
        let given = &mut submission.grants;
        given.source = given.source.take().or(source);
        given.from = given.from.take().or(from);
        given.return_path = given.return_path.take().or(return_path);
        // SES: tags of the call win over those of the header, and are not merged with them.
        let mut tags = if submission.tags.is_empty() { finished.tags.clone() } else { submission.tags.clone() };
        message_tags::check(&tags)?;
        let action = submission.grants.action;
        let operation = terms.operation.unwrap_or_else(|| action.strip_prefix("ses:").unwrap_or(action));
        tags.push((message_tags::OPERATION.to_owned(), operation.to_owned()));
        let named_set = submission.configuration_set.clone().or_else(|| finished.configuration_set.clone());
        let authors = Authors { list: finished.authors.clone(), from: finished.from.clone() };
        let checked = self.checks().checked(&submission, authors, named_set).await?;
        // SES: mails to the simulator count in no daily quota.
        let counted = submission.recipients.iter().filter(|address| !self.simulator.has(address)).count();
        let counted = i64::try_from(counted).unwrap_or(i64::MAX);
        let charge = quota::charge(&submission.account, &submission.region, checked.limits, counted);
        let mail = Mail { recipient_count: counted, ..mail_row(&id, now, &submission, &finished, &tags, &checked)? };
        let plain = mail.configuration_set.is_none() && terms.once.is_none() && terms.unrendered.is_none();
        let id = if plain {
            let accepted = with_jobs(mail, finished.raw, &submission.recipients, charge);
            quota::judge(self.store.accept(accepted).await?)?;
            id
        } else {
            let (own, unrendered) = (mail.id.clone(), terms.unrendered.clone());
            let owner = (submission.account.clone(), submission.region.clone());
            let id = self.write_on(mail, finished.raw, submission, charge, terms).await?;
            // A call that came again was told of the first time.
            if let Some(failure) = unrendered.filter(|_| id == own) {
                failure.warn((&owner.0, &owner.1), &id);
            }
            id
        };
        info!(message.id = %id, recipients = count, "mail accepted");
        Ok(id)
    }

    fn checks(&self) -> Checks<'_> {
        let Self { store, passed, simulator, .. } = self;
        Checks { store, limits: self.settings.limits, simulator, passed }
    }

    /// Reads and stamps a message; a large one away from the threads that answer others.
    async fn finished(&self, submission: &Submission, id: &str, now: Timestamp) -> Result<Finished, SendError> {
        let message_id = format!("<{id}@{}>", self.settings.hostname);
        let date = now.rfc2822();
        let Submission { account, region, raw, tags, source, .. } = submission;
        let (size, settings) = ((raw.len(), READ_HERE_MAX), self.settings.clone());
        let (owner, raw, tags, source) = ((account.clone(), region.clone()), raw.clone(), tags.clone(), source.clone());
        let read = move || {
            let feedback_id = |of_header: &[(String, String)]| {
                let tags = if tags.is_empty() { of_header } else { &tags };
                message_tags::feedback_id(tags, &owner.0, &owner.1, &settings.hostname)
            };
            let known = Known { source: Some(&source), feedback_id: Some(&feedback_id) };
            finish_knowing(&raw, &Stamp { message_id: &message_id, date: &date }, &known)
        };
        Ok(self.compute.linear(account.as_str(), size, read).await??)
    }

    /// Writes a mail on terms, or with events, which commit with it. Gives its id, or that of the one before.
    async fn write_on(
        &self,
        mail: Mail,
        raw: Vec<u8>,
        submission: Submission,
        charge: Option<Charge>,
        terms: Terms,
    ) -> Result<String, SendError> {
        let topics = self.topics.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let owner = (&submission.account, &submission.region);
                    if let Some(first) = idempotency::claim(tx, owner, terms.once.as_ref(), &mail.id).await? {
                        return Ok(first);
                    }
                    if let Some(charge) = charge {
                        quota::judge(sending_use::charge_one(tx, &charge).await?)?;
                    }
                    if let Some(failure) = terms.unrendered {
                        unrendered::keep(tx, &topics, mail, &submission.recipients, failure).await
                    } else {
                        insert(tx, &mail, raw, &submission.recipients).await?;
                        publish_event(tx, &topics, &mail, &Event::Send).await?;
                        Ok::<_, SendError>(mail.id)
                    }
                })
            })
            .await
    }

    /// Our host name.
    pub(super) fn hostname(&self) -> &str {
        &self.settings.hostname
    }

    /// What accounts without limits of their own may send.
    pub(super) fn default_limits(&self) -> Limits {
        self.settings.limits
    }

    /// The account's limits and what it has used of them.
    pub async fn quota(&self, account: &AccountId, region: &Region) -> Result<Quota, SendError> {
        let (account, region, default) = (account.clone(), region.clone(), self.settings.limits);
        self.store
            .read(move |tx| Box::pin(async move { Ok(quota::quota(tx, &account, &region, default).await?) }))
            .await
    }
}

fn mail_row(
    id: &str,
    now: Timestamp,
    submission: &Submission,
    finished: &Finished,
    tags: &Pairs,
    checked: &Checked,
) -> Result<Mail, store::Error> {
    let destination = submission.recipients.iter().map(EmailAddress::to_string).collect();
    let headers = HeadersRecord::new(Some(finished.from.clone()), destination, finished.lines.iter().cloned());
    Ok(Mail {
        id: id.to_owned(),
        account: submission.account.clone(),
        region: submission.region.clone(),
        caller: submission.caller.clone(),
        source_ip: submission.source_ip.map(|ip| ip.to_string()),
        source: submission.source.to_string(),
        return_path: submission.return_path.as_ref().unwrap_or(&submission.source).to_string(),
        configuration_set: checked.configuration_set.clone(),
        tags: Json::of(tags)?,
        headers: Json::of(&headers)?,
        identity: Some(checked.identity.clone()),
        kind: Kind::User,
        size: i64::try_from(finished.raw.len()).unwrap_or(i64::MAX),
        recipient_count: i64::try_from(submission.recipients.len()).unwrap_or(i64::MAX),
        accepted_at: now,
        expires_at: now + checked.way.tried_for,
        require_tls: checked.way.require_tls,
    })
}

/// The list without repetitions, in order.
fn each_once(list: Vec<EmailAddress>) -> Vec<EmailAddress> {
    let mut once: Vec<EmailAddress> = Vec::with_capacity(list.len());
    for address in list {
        if !once.contains(&address) {
            once.push(address);
        }
    }
    once
}
