//! Writing what jobs came to: in one transaction with what belongs to it, if the claim still holds. While the database does not
//! answer this waits for it, since what is done and not written down would be done again.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::base::{Instant, Timestamp};
use crate::store;
use crate::store::settled::Settled;
use crate::store::{Tx, messages};
use crate::workers::backoff;
use crate::workers::leases::LEASE;
use crate::workers::outcome::{Finish, Outcome, Reason, Written};
use crate::workers::pool::Pool;
use crate::workers::queue::{Claim, SystemQueue};

/// After a fault of our own, a panic or an outcome that could not be written.
const FAULT_FIRST_RETRY: Duration = Duration::from_secs(10);
const FAULT_LAST_RETRY: Duration = Duration::from_secs(3_600);
/// How often an outcome is tried to be written while the database does not answer.
const TRY_EVERY: Duration = Duration::from_secs(1);

type Writing<'a> = BoxFuture<'a, Result<bool, store::Error>>;

/// How long it is tried.
struct Tries<'a> {
    until: Instant,
    /// Or until a stop is in a hurry.
    hard: &'a CancellationToken,
}

/// An outcome on its way into a transaction.
struct Way {
    queue: SystemQueue,
    id: i64,
    receipt: i64,
    /// The group whose turns are limited.
    group: Option<String>,
    finish: Finish,
}

impl Pool {
    pub(super) fn after_a_fault(&self, claim: &Claim) -> Timestamp {
        self.clock.now() + backoff::doubling(claim.attempt, FAULT_FIRST_RETRY, FAULT_LAST_RETRY)
    }

    /// Writes the outcome and what belongs to it in one transaction, if the claim still holds.
    pub(super) async fn settle(&self, claim: &Claim, finish: Finish, hard: &CancellationToken) {
        let queue = self.work.queue();
        let (id, receipt) = (claim.id, claim.receipt);
        self.slow.note(claim.group.as_deref(), &finish.outcome, self.work.rests_as_one(), &self.clock);
        // As long as a claim lasts. One that ended before is not harmed: the receipt says so.
        let tries = Tries { until: self.clock.instant() + LEASE, hard };
        let (crowded, outcome) = (rests_until(&finish.outcome), finish.outcome.clone());
        let together = |end| Settled { queue_id: queue.id(), id, receipt, end, crowded };
        let merged = match &finish.written {
            Written::End(end) => Some(together(Some(end.clone()))),
            Written::Nothing if crowded.is_some() || matches!(outcome, Outcome::Done) => Some(together(None)),
            Written::Nothing | Written::Record(_) => None,
        };
        let held = if let Some(settled) = merged {
            let write = || -> Writing<'_> { Box::pin(self.store.settle(settled.clone())) };
            self.patiently(&tries, write, || true).await
        } else {
            let group = claim.group.clone().filter(|_| self.per_group_max.is_some());
            // It is taken out within the transaction, and can be tried again as long as it was not.
            let way = Arc::new(Mutex::new(Some(Way { queue, id, receipt, group, finish })));
            let write = || -> Writing<'_> {
                let way = way.clone();
                Box::pin(self.store.write_behind(move |tx| {
                    Box::pin(async move {
                        let taken = way.lock().unwrap_or_else(PoisonError::into_inner).take();
                        taken.ok_or(store::Error::Closed)?.write(tx).await
                    })
                }))
            };
            self.patiently(&tries, write, || way.lock().unwrap_or_else(PoisonError::into_inner).is_some()).await
        };
        self.settled(claim, &outcome, held, &tries).await;
    }

    async fn settled(&self, claim: &Claim, outcome: &Outcome, held: Result<bool, store::Error>, tries: &Tries<'_>) {
        let (queue, id) = (self.work.queue(), claim.id);
        match held {
            Ok(true) => {
                match outcome {
                    // What the job names was taken away, and the job was not.
                    Outcome::GiveUp(Reason::Missing) => {
                        tracing::error!(queue.name = queue.name(), job.id = id, "what a job is about is gone");
                    }
                    Outcome::GiveUp(why) => {
                        tracing::warn!(queue.name = queue.name(), job.id = id, %why, "gave a job up");
                    }
                    _ => {}
                }
            }
            Ok(false) => tracing::warn!(queue.name = queue.name(), job.id = id, "the claim was lost; outcome not kept"),
            Err(error) => {
                self.fails(&error, "cannot write an outcome");
                self.put_off(claim, tries).await;
            }
        }
    }

    /// The outcome could not be written, so what was done is done again: each time later, since the cause may be in the
    /// outcome itself. The job comes back by itself when its lease ends, if this fails too.
    async fn put_off(&self, claim: &Claim, tries: &Tries<'_>) {
        let (id, receipt, at) = (claim.id, claim.receipt, self.after_a_fault(claim));
        let why = Reason::Internal;
        let write = || -> Writing<'_> {
            Box::pin(self.store.write(move |tx| {
                Box::pin(async move {
                    let rows = messages::release(tx, id, receipt, at, true, Some(why.as_str())).await?;
                    Ok::<_, store::Error>(rows > 0)
                })
            }))
        };
        let _ = self.patiently(tries, write, || true).await;
    }

    /// Writes, and again every second while the database does not answer and there is still something to write. What was
    /// committed without our hearing of it is not written twice: the receipt is gone then.
    async fn patiently<'a>(
        &self,
        tries: &Tries<'_>,
        write: impl Fn() -> Writing<'a>,
        is_left: impl Fn() -> bool,
    ) -> Result<bool, store::Error> {
        loop {
            let written = write().await;
            let Err(error) = &written else { return written };
            if !error.is_of_connection() || !is_left() || self.clock.instant() + TRY_EVERY > tries.until {
                return written;
            }
            self.fails(error, "cannot write an outcome yet");
            tokio::select! {
                biased;
                () = tries.hard.cancelled() => return written,
                () = self.clock.sleep(TRY_EVERY) => {}
            }
        }
    }
}

/// When a job comes again that was in others' way.
fn rests_until(outcome: &Outcome) -> Option<Timestamp> {
    match outcome {
        Outcome::Crowded(until) | Outcome::Resting(until) => Some(*until),
        _ => None,
    }
}

impl Way {
    /// Whether the claim still held.
    async fn write(self, tx: &mut Tx) -> Result<bool, store::Error> {
        let Self { queue, id, receipt, group, finish } = self;
        let rows = match &finish.outcome {
            Outcome::Done => messages::delete(tx, queue.id(), id, receipt).await?,
            Outcome::RetryAt(at, why) => messages::release(tx, id, receipt, *at, true, Some(why.as_str())).await?,
            Outcome::PutOff(at) | Outcome::Crowded(at) | Outcome::Resting(at) => {
                messages::release(tx, id, receipt, *at, false, None).await?
            }
            Outcome::GiveUp(why) => {
                messages::move_to(tx, id, receipt, queue.dead_letters_id(), None, why.as_str()).await?
            }
            Outcome::Release => {
                let now = tx.now();
                messages::release(tx, id, receipt, now, false, None).await?
            }
        };
        match (group, rests_until(&finish.outcome)) {
            (Some(group), Some(until)) => messages::rest_until(tx, queue.id(), &group, until).await?,
            (Some(group), None) => messages::let_go(tx, queue.id(), &group).await?,
            (None, _) => {}
        }
        if rows > 0
            && let Written::Record(record) = finish.written
        {
            record(tx).await?;
        }
        Ok(rows > 0)
    }
}
