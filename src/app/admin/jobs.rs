//! Jobs of the system's queues that were given up: a line each, putting them back, dropping them.
use std::collections::HashSet;

use crate::app::admin::{Admin, AdminError};
use crate::operator::Jobs;
use crate::operator::jobs::{DeadJob, JobError, PAGE_MAX, Task};
use crate::outlets::barred::REFUSAL;
use crate::topics::given_up::DeliveryKind;
use crate::workers::{Reason, SystemQueue};

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of these ids.
    Ids(Vec<i64>),
    /// All of a queue.
    AllOf(SystemQueue),
}

/// What is done with jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// They go back into their queue.
    Retry,
    /// They are dropped.
    Drop,
}

impl Admin {
    /// The jobs of a queue, or of all, that were given up; oldest first in each queue. A line each: id, queue, account, region, since
    /// when, attempts, what for, why. And whether there are more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn jobs(&self, queue: Option<SystemQueue>, limit: u32) -> Result<(Vec<String>, bool), AdminError> {
        let (jobs, mut lines, mut after) = (Jobs::new(self.store.clone()), vec![], None);
        let mut left = limit;
        while left > 0 {
            let page = jobs.page(queue, after, left.min(PAGE_MAX)).await?;
            left = left.saturating_sub(u32::try_from(page.items.len()).unwrap_or(u32::MAX));
            lines.extend(page.items.iter().map(line));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok((lines, after.is_some()))
    }

    /// Does it with jobs that were given up; says for each one what became of it.
    ///
    /// # Errors
    /// When the store fails, or one of the jobs that were named stays where it is; the others are done then.
    pub async fn do_with_jobs(&self, deed: Deed, which: Which) -> Result<Vec<String>, AdminError> {
        match which {
            Which::Ids(ids) => {
                let (mut lines, mut stay) = (vec![], vec![]);
                let mut seen = HashSet::new();
                for id in ids.into_iter().filter(|id| seen.insert(*id)) {
                    match self.do_with_job(deed, id).await? {
                        Ok(line) => lines.push(line),
                        Err(why) => stay.push(why),
                    }
                }
                if stay.is_empty() { Ok(lines) } else { Err(AdminError::Stay { lines, why: stay.join("; ") }) }
            }
            Which::AllOf(queue) => self.do_with_all(deed, queue).await,
        }
    }

    async fn do_with_all(&self, deed: Deed, queue: SystemQueue) -> Result<Vec<String>, AdminError> {
        let (jobs, mut ids, mut after) = (Jobs::new(self.store.clone()), vec![], None);
        // All ids first: a job that fails at once when it is tried again would come again and again.
        loop {
            let page = jobs.page(Some(queue), after, PAGE_MAX).await?;
            ids.extend(page.items.iter().map(|job| job.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let (mut done, mut stay) = (0_u64, vec![]);
        for id in ids {
            match self.do_with_job(deed, id).await? {
                Ok(_) => done += 1,
                Err(why) => stay.push(why),
            }
        }
        let what = if deed == Deed::Retry { "are back in" } else { "are dropped of" };
        let line = format!("{done} jobs {what} {}", queue.name());
        if stay.is_empty() {
            return Ok(vec![line]);
        }
        let why = format!("{} jobs stay where they are", stay.len());
        stay.push(line);
        Err(AdminError::Stay { lines: stay, why })
    }

    /// What was done, or why it was not.
    async fn do_with_job(&self, deed: Deed, id: i64) -> Result<Result<String, String>, AdminError> {
        let jobs = Jobs::new(self.store.clone());
        let done = match deed {
            Deed::Retry => jobs.retry(id).await.map(|queue| format!("job {id} is back in {}", queue.name())),
            Deed::Drop => jobs.drop(id).await.map(|queue| format!("job {id} is dropped of {}", queue.name())),
        };
        match done {
            Ok(line) => Ok(Ok(line)),
            Err(JobError::Store(error)) => Err(error.into()),
            Err(why) => Ok(Err(why.to_string())),
        }
    }
}

fn line(job: &DeadJob) -> String {
    let account = job.account.as_ref().map_or("-", |account| account.as_str());
    let region = job.region.as_ref().map_or("-", |region| region.as_str());
    let attempts = if job.attempts == 1 { "attempt" } else { "attempts" };
    let forbidden = || Some(REFUSAL).filter(|_| job.reason.as_deref() == Some(Reason::Forbidden.as_str()));
    let why: Vec<&str> = job.reason.as_deref().into_iter().chain(job.error.as_deref().or_else(forbidden)).collect();
    let text = format!(
        "{} {} {account} {region} {} {} {attempts} {}: {}",
        job.id,
        job.queue.name(),
        job.given_up_at,
        job.attempts,
        task(&job.task),
        why.join(": ")
    );
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1_000).collect()
}

fn task(task: &Task) -> String {
    match task {
        Task::Recipient { mail, address } => format!("mail {mail} to {}", address.as_deref().unwrap_or("-")),
        Task::Rules { mail } => format!("rules for received mail {mail}"),
        Task::Handed { mail, rule, to } => {
            let rule = rule.as_ref().map_or_else(|| "-".to_owned(), |name| format!("{}/{}", name.set, name.rule));
            format!("received mail {mail} by rule {rule} to {to}")
        }
        Task::Delivery(delivery) => {
            let what = match delivery.kind {
                DeliveryKind::Notification => "message",
                DeliveryKind::Confirmation => "question",
                DeliveryKind::Text => "text",
                DeliveryKind::Push => "push",
                DeliveryKind::Event => "event",
                DeliveryKind::FanOut => "fan-out of message",
            };
            let endpoint = delivery.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
            format!("{what} {} to {}{endpoint}", delivery.message, delivery.to)
        }
        Task::Unreadable => "a text that this version cannot read".to_owned(),
    }
}
