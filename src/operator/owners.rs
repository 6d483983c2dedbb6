//! Which jobs of the system's queues are an account's, by what they say.
use std::collections::HashSet;

use crate::base::AccountId;
use crate::mail::own::OutboundJob;
use crate::mail::receiving::accept::InboundJob;
use crate::store::queued_jobs::{self as queued, Queued};
use crate::store::{self, Tx};
use crate::topics::given_up::{Owner, owner};
use crate::workers::SystemQueue;

/// A job of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// Its place in the store.
    pub id: i64,
    /// What its message is kept as, where it is kept for such jobs.
    pub publication: Option<String>,
}

/// What says whose a job is.
enum By<'a> {
    Account(AccountId),
    Mail(String),
    Subscription(String),
    FanOut(&'a str),
}

/// Those of some jobs of a queue, or of those of its jobs that were given up, that are the account's.
///
/// # Errors
/// When the store fails.
pub async fn of_account(
    tx: &mut Tx,
    account: &AccountId,
    queue: SystemQueue,
    jobs: &[Queued],
) -> Result<Vec<Owned>, store::Error> {
    let known: Vec<_> = jobs.iter().filter_map(|job| said(queue, job)).collect();
    let (mut mails, mut subscriptions, mut fan_outs) = (vec![], vec![], vec![]);
    for (_, by) in &known {
        match by {
            By::Account(_) => {}
            By::Mail(mail) => mails.push(mail.as_str()),
            By::Subscription(uuid) => subscriptions.push(uuid.as_str()),
            By::FanOut(message) => fan_outs.push(*message),
        }
    }
    let mails = queued::mails_of(tx, account, &mails).await?;
    let subscriptions = queued::subscriptions_of(tx, account, &subscriptions).await?;
    let fan_outs: HashSet<String> = queued::fan_outs_of(tx, account, &fan_outs).await?;
    let is_theirs = |by: &By| match by {
        By::Account(named) => named == account,
        By::Mail(mail) => mails.contains(mail),
        By::Subscription(uuid) => subscriptions.contains(uuid),
        By::FanOut(message) => fan_outs.contains(*message),
    };
    Ok(known.iter().filter(|(_, by)| is_theirs(by)).map(|(job, _)| job.clone()).collect())
}

/// What a job says of whose it is; `None` where its text cannot be read.
fn said(queue: SystemQueue, job: &Queued) -> Option<(Owned, By<'_>)> {
    let (by, publication) = match queue {
        SystemQueue::Outbound => (By::Mail(serde_json::from_str::<OutboundJob>(&job.body).ok()?.mail), None),
        SystemQueue::Inbound => {
            let job = serde_json::from_str::<InboundJob>(&job.body).ok()?;
            (job.account.map_or(By::Mail(job.mail), By::Account), None)
        }
        SystemQueue::TopicDelivery => match owner(&job.body)? {
            (Owner::Account(account), publication) => (By::Account(account), publication),
            (Owner::Subscription(uuid), publication) => (By::Subscription(uuid), publication),
        },
        SystemQueue::FanOut => (By::FanOut(&job.body), None),
    };
    Some((Owned { id: job.id, publication }, by))
}
