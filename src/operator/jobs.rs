//! Jobs of the system's queues that were given up: what each was for, putting it back, dropping it.
use std::fmt;

use crate::base::{AccountId, Page, Region, Timestamp};
use crate::mail::own::OutboundJob;
use crate::mail::receiving::accept::{InboundJob, RuleName};
use crate::store::given_up::{self, GivenUp};
use crate::store::inbound_mails::{self, State};
use crate::store::mails::{self, Status};
use crate::store::{self, Store, Tx};
use crate::topics::given_up::{self as deliveries, Delivery};
use crate::workers::SystemQueue;

/// The most jobs of one page: some hold a whole mail.
pub const PAGE_MAX: u32 = 100;

/// A place in the list of jobs: by queue, by the time when the job was added, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The queue.
    pub queue: SystemQueue,
    /// When the job was added.
    pub queued_at: Timestamp,
    /// Its id.
    pub id: i64,
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadJob {
    /// What names it.
    pub id: i64,
    /// The queue that it was in.
    pub queue: SystemQueue,
    /// Whose it is, where that is known.
    pub account: Option<AccountId>,
    /// In which region.
    pub region: Option<Region>,
    /// When it was added to its queue.
    pub queued_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// What it was for.
    pub task: Task,
    /// A word that says why it was given up.
    pub reason: Option<String>,
    /// The last error in words, where it is remembered.
    pub error: Option<String>,
}

/// What a job was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A sent mail for one recipient.
    Recipient {
        /// The MessageId.
        mail: String,
        /// The recipient; `None` where the mail is gone.
        address: Option<String>,
    },
    /// The receipt rules for a received mail.
    Rules {
        /// The mail's id.
        mail: String,
    },
    /// What a receipt rule has handed over: a webhook, or a function that nobody waits for.
    Handed {
        /// The mail's id.
        mail: String,
        /// The rule, where the job says it.
        rule: Option<RuleName>,
        /// The URL without what may be secret, or the function's ARN.
        to: String,
    },
    /// A message of a topic, an event, a text.
    Delivery(Delivery),
    /// Its text is not one that this version understands.
    Unreadable,
}

/// Why a job stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// Its text cannot be read.
    Unreadable,
    /// What it names is gone.
    Gone,
    /// Its recipient is settled: trying again could deliver twice.
    Settled(Status),
    /// The receipt rules have run for its mail.
    RulesRan,
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable => f.write_str("this version cannot read it"),
            Self::Gone => f.write_str("what it names is gone"),
            Self::Settled(status) => write!(f, "its recipient is settled: {}", status.as_str()),
            Self::RulesRan => f.write_str("the receipt rules have run for its mail"),
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// There is no such job, or no more.
    #[error("there is no job {0} that was given up")]
    Missing(i64),
    /// It cannot be put back.
    #[error("job {0} stays: {1}")]
    Stays(i64, Stays),
    /// The store failed.
    #[error("store: {0}")]
    Store(#[from] store::Error),
}

/// The jobs of a store that were given up. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    store: Store,
}

impl Jobs {
    /// Those of this store.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// A page of jobs, of one queue or of all, after a place in the list: by queue, oldest first. `limit` is [`PAGE_MAX`] at the
    /// most.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(
        &self,
        queue: Option<SystemQueue>,
        after: Option<Key>,
        limit: u32,
    ) -> Result<Page<DeadJob, Key>, store::Error> {
        let limit = limit.clamp(1, PAGE_MAX);
        let mut queues: Vec<SystemQueue> =
            SystemQueue::ALL.into_iter().filter(|one| queue.is_none_or(|queue| queue == *one)).collect();
        if let Some(after) = after {
            queues.drain(..queues.iter().position(|one| *one == after.queue).unwrap_or(0));
        }
        self.store.read(move |tx| Box::pin(async move { read_page(tx, queues, after, limit).await })).await
    }

    /// Puts a job back into its queue, visible at once and with all its attempts. Gives the queue.
    ///
    /// # Errors
    /// When there is no such job, it cannot be tried again, or the store fails.
    pub async fn retry(&self, id: i64) -> Result<SystemQueue, JobError> {
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let (job, queue) = hold(tx, id).await?;
                    if let Some(why) = make_ready(tx, queue, &job).await? {
                        return Err(JobError::Stays(id, why));
                    }
                    if given_up::put_back(tx, &job, queue.id()).await? { Ok(queue) } else { Err(JobError::Missing(id)) }
                })
            })
            .await
    }

    /// Drops a job, and what is kept for it alone. Gives the queue that it was in.
    ///
    /// # Errors
    /// When there is no such job, or the store fails.
    pub async fn drop(&self, id: i64) -> Result<SystemQueue, JobError> {
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let (job, queue) = hold(tx, id).await?;
                    if !given_up::remove(tx, &job).await? {
                        return Err(JobError::Missing(id));
                    }
                    match queue {
                        SystemQueue::TopicDelivery => deliveries::forget_delivery(tx, &job.body).await?,
                        SystemQueue::FanOut => deliveries::forget_fan_out(tx, &job.body).await?,
                        SystemQueue::Outbound | SystemQueue::Inbound => {}
                    }
                    Ok(queue)
                })
            })
            .await
    }
}

async fn read_page(
    tx: &mut Tx,
    queues: Vec<SystemQueue>,
    after: Option<Key>,
    limit: u32,
) -> Result<Page<DeadJob, Key>, store::Error> {
    let mut page = Page::<DeadJob, Key>::default();
    for queue in queues {
        let place =
            after.filter(|after| after.queue == queue).map_or((Timestamp::from_secs(0), 0), |a| (a.queued_at, a.id));
        let left = limit - u32::try_from(page.items.len()).unwrap_or(limit).min(limit);
        // One more than asked for, which tells whether there is more.
        for job in given_up::page(tx, queue.dead_letters_id(), place, left + 1).await? {
            if page.items.len() >= limit as usize {
                page.next =
                    page.items.last().map(|last| Key { queue: last.queue, queued_at: last.queued_at, id: last.id });
                return Ok(page);
            }
            page.items.push(told(tx, queue, job).await?);
        }
    }
    Ok(page)
}

async fn hold(tx: &mut Tx, id: i64) -> Result<(GivenUp, SystemQueue), JobError> {
    let ids = SystemQueue::ALL.map(SystemQueue::dead_letters_id);
    let job = given_up::hold(tx, id, &ids).await?.ok_or(JobError::Missing(id))?;
    let queue = SystemQueue::of_dead_letters(job.queue_id).ok_or(JobError::Missing(id))?;
    Ok((job, queue))
}

async fn told(tx: &mut Tx, queue: SystemQueue, job: GivenUp) -> Result<DeadJob, store::Error> {
    let mut told = DeadJob {
        id: job.id,
        queue,
        account: None,
        region: None,
        queued_at: job.sent_at,
        given_up_at: job.given_up_at,
        attempts: job.attempts,
        task: Task::Unreadable,
        reason: job.why,
        error: None,
    };
    match queue {
        SystemQueue::Outbound => tell_recipient(tx, &mut told, &job.body).await?,
        SystemQueue::Inbound => tell_received(tx, &mut told, &job.body).await?,
        SystemQueue::TopicDelivery => {
            if let Some(delivery) = deliveries::delivery(tx, &job.body).await? {
                tell_delivery(&mut told, delivery);
            }
        }
        SystemQueue::FanOut => tell_delivery(&mut told, deliveries::fan_out(tx, &job.body).await?),
    }
    Ok(told)
}

async fn tell_recipient(tx: &mut Tx, told: &mut DeadJob, body: &str) -> Result<(), store::Error> {
    let Ok(job) = serde_json::from_str::<OutboundJob>(body) else { return Ok(()) };
    let recipient = mails::recipient(tx, &job.mail, job.recipient).await?;
    if let Some(mail) = mails::find(tx, &job.mail).await? {
        (told.account, told.region) = (Some(mail.account), Some(mail.region));
    }
    told.error = recipient.as_ref().and_then(|to| to.last_reply.clone());
    told.task = Task::Recipient { mail: job.mail, address: recipient.map(|to| to.address) };
    Ok(())
}

async fn tell_received(tx: &mut Tx, told: &mut DeadJob, body: &str) -> Result<(), store::Error> {
    let Ok(job) = serde_json::from_str::<InboundJob>(body) else { return Ok(()) };
    (told.account, told.region) = (job.account, job.region);
    let mail = inbound_mails::find(tx, &job.mail).await?;
    if let Some(mail) = &mail {
        told.account.get_or_insert_with(|| mail.account.clone());
        told.region.get_or_insert_with(|| mail.region.clone());
    }
    told.task = match job.task {
        Some(task) => Task::Handed { mail: job.mail, rule: job.rule, to: task.to() },
        None => {
            told.error = mail.and_then(|mail| mail.note);
            Task::Rules { mail: job.mail }
        }
    };
    Ok(())
}

fn tell_delivery(told: &mut DeadJob, delivery: Delivery) {
    (told.account, told.region) = (delivery.account.clone(), delivery.region.clone());
    told.error = delivery.last.as_ref().map(|attempt| match attempt.status {
        Some(status) => format!("{status} {}", attempt.answer).trim_end().to_owned(),
        None => attempt.answer.clone(),
    });
    told.task = Task::Delivery(delivery);
}

/// Makes ready what a job needs to be tried again, or says why it cannot be.
async fn make_ready(tx: &mut Tx, queue: SystemQueue, job: &GivenUp) -> Result<Option<Stays>, store::Error> {
    match queue {
        SystemQueue::Outbound => {
            let Ok(job) = serde_json::from_str::<OutboundJob>(&job.body) else { return Ok(Some(Stays::Unreadable)) };
            let Some(to) = mails::recipient(tx, &job.mail, job.recipient).await? else { return Ok(Some(Stays::Gone)) };
            if to.status != Status::Pending {
                return Ok(Some(Stays::Settled(to.status)));
            }
            Ok((!mails::has_raw(tx, &job.mail).await?).then_some(Stays::Gone))
        }
        SystemQueue::Inbound => {
            let Ok(job) = serde_json::from_str::<InboundJob>(&job.body) else { return Ok(Some(Stays::Unreadable)) };
            // What was handed over has all it needs with it.
            if job.task.is_some() {
                return Ok(None);
            }
            let Some(mail) = inbound_mails::find(tx, &job.mail).await? else { return Ok(Some(Stays::Gone)) };
            if mail.state == State::Done {
                return Ok(Some(Stays::RulesRan));
            }
            if !mails::has_raw(tx, &mail.raw_id).await? {
                return Ok(Some(Stays::Gone));
            }
            inbound_mails::wait_again(tx, &mail.id).await?;
            Ok(None)
        }
        SystemQueue::TopicDelivery => Ok(match deliveries::delivery(tx, &job.body).await? {
            None => Some(Stays::Unreadable),
            Some(delivery) => (!delivery.is_whole).then_some(Stays::Gone),
        }),
        SystemQueue::FanOut => Ok((!deliveries::fan_out(tx, &job.body).await?.is_whole).then_some(Stays::Gone)),
    }
}
