//! The claim loop: claim a few, work them outside any transaction, write each outcome only if the claim still holds.
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::base::{Clock, Quiet, Timestamp, ids};
use crate::store;
use crate::store::messages::Groups;
use crate::store::{Store, messages};
use crate::workers::leases::{LEASE, Leases};
use crate::workers::outcome::{Finish, Outcome, Reason};
use crate::workers::queue::{Claim, SystemQueue};
use crate::workers::slow::Slow;
use crate::workers::{Hold, Stop};

/// At the most so many are claimed at once, so that one node does not take all.
const CLAIM_MAX: usize = 64;
/// How long the loop trusts wake-ups before it looks into the queue again: another node may have added a job.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The loop looks no sooner than this after a claim.
const SOON: Duration = Duration::from_millis(50);

/// Where all places were taken, more is claimed once a part of them is free: an eighth, or half of a few.
fn enough(at_once_max: usize) -> usize {
    (at_once_max / 8).max((at_once_max / 2).min(8))
}

/// What the jobs of one system queue mean.
pub trait Work: Send + Sync + 'static {
    /// Which queue this works on.
    fn queue(&self) -> SystemQueue;

    /// Does one job, outside any transaction. It may come again although it was done: after a crash, or when the
    /// claim was lost. So it must do no harm twice, or be known to.
    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish>;

    /// Whether a group that rests does so as a whole: what is added to it meanwhile would be in the same way, so that it is
    /// not claimed either.
    fn rests_as_one(&self) -> bool {
        false
    }
}

/// The workers of one queue on this node.
#[derive(Clone)]
pub struct Pool {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) work: Arc<dyn Work>,
    node: Arc<str>,
    at_once_max: usize,
    pub(super) per_group_max: Option<u32>,
    hold: Hold,
    pub(super) slow: Arc<Slow>,
    quiet: Arc<Quiet>,
}

impl Pool {
    /// Workers for `work`'s queue; `at_once_max` jobs at a time. `node` names this node in its claims.
    pub fn new(store: Store, clock: Clock, node: &str, at_once_max: usize, work: impl Work) -> Self {
        Self {
            store,
            clock,
            work: Arc::new(work),
            node: node.into(),
            at_once_max,
            per_group_max: None,
            hold: Hold::default(),
            slow: Arc::default(),
            quiet: Arc::default(),
        }
    }

    /// The same, with at most `max` jobs of one group at a time, on all nodes together: so a group whose jobs take long
    /// cannot fill all places.
    pub fn per_group(self, max: u32) -> Self {
        Self { per_group_max: Some(max), ..self }
    }

    /// The same, which begins no job while `hold` says so. What is under way goes on.
    pub fn held_by(self, hold: Hold) -> Self {
        Self { hold, ..self }
    }

    /// The queue's name, for logs.
    pub fn name(&self) -> &'static str {
        self.work.queue().name()
    }

    /// Gives back what this node held when it died. Call before the loop starts.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<u64, store::Error> {
        let (queue, node) = (self.work.queue(), self.node.clone());
        let released = self
            .store
            .write(move |tx| Box::pin(async move { messages::release_held(tx, queue.id(), Some(&node)).await }))
            .await?;
        if released > 0 {
            tracing::info!(queue.name = queue.name(), released, "released the claims of the last run");
        }
        Ok(released)
    }

    /// One round: claims what is there, up to the limit, works it and writes the outcomes. Gives how many there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn round(&self) -> Result<usize, store::Error> {
        if self.hold.is_held() || !self.store.has_room() {
            return Ok(0);
        }
        let claims = self.claim(self.at_once_max.min(CLAIM_MAX)).await?;
        let count = claims.len();
        let never = CancellationToken::new();
        let one = async |claim: Claim| self.settle(&claim, self.work_one(&claim).await, &never).await;
        futures::future::join_all(claims.into_iter().map(one)).await;
        Ok(count)
    }

    /// Works until the stop begins, then waits for what it holds; what does not end in time is released.
    pub async fn run(self, stop: Stop) {
        let mut waiter = self.store.waiter(self.work.queue().id());
        let mut running = Running::default();
        let mut leases = Leases::given(&self.clock);
        let mut holding = self.hold.watch();
        loop {
            // Before the claim: where the machine slept, what runs here would look free, and be claimed again.
            if leases.are_due(&self.clock) {
                // Read before: time may pass while the renewal is written.
                leases = Leases::given(&self.clock);
                self.renew(&running).await;
            }
            let stopping = stop.soft().is_cancelled();
            if stopping && running.is_empty() {
                return;
            }
            // What is done and cannot be written down would be done again.
            let idle = stopping || holding.borrow_and_update().is_some() || !self.store.has_room();
            let free = if idle { 0 } else { self.at_once_max.saturating_sub(running.len()).min(CLAIM_MAX) };
            let claimed = if free == 0 { 0 } else { self.start(free, &stop, &mut running).await };
            if claimed > 0 && claimed == free {
                continue;
            }
            let looks = free > 0;
            let (look, renew) = (pin!(self.sleep_until_work()), pin!(self.clock.sleep_to(leases.renew_at)));
            let (mut look, mut renew) = (look, renew);
            loop {
                tokio::select! {
                    () = stop.soft().cancelled(), if !stopping => break,
                    // An end is no reason to look for work, but where there was no room for it: who ends the last of a
                    // group's turns rings. And not for a single one, since a claim of many costs little more.
                    () = running.ended(), if !running.is_empty() => {
                        if stopping || (!looks && running.len() + enough(self.at_once_max) <= self.at_once_max) {
                            break;
                        }
                    }
                    () = waiter.rung(), if looks => break,
                    () = &mut look, if looks => break,
                    // This pool keeps the other end, so it does not fail.
                    _ = holding.changed() => break,
                    () = &mut renew => break,
                }
            }
        }
    }

    async fn start(&self, free: usize, stop: &Stop, running: &mut Running) -> usize {
        let claims = match self.claim(free).await {
            Ok(claims) => claims,
            Err(error) => {
                self.fails(&error, "cannot claim jobs");
                return 0;
            }
        };
        let count = claims.len();
        for claim in claims {
            let (pool, hard) = (self.clone(), stop.hard().clone());
            running.start(claim.id, claim.receipt, async move {
                // Only the work is cut off; an outcome that is on its way into the store gets there.
                let finish = tokio::select! {
                    biased;
                    finish = pool.work_one(&claim) => finish,
                    () = hard.cancelled() => Finish::plain(Outcome::Release),
                };
                pool.settle(&claim, finish, &hard).await;
            });
        }
        count
    }

    async fn claim(&self, limit: usize) -> Result<Vec<Claim>, store::Error> {
        let (queue, node, slow) = (self.work.queue(), self.node.clone(), self.slow.clone());
        let groups = if queue.has_only_groups() { Groups::OnlyTurns } else { Groups::Turns }(self.per_group_max);
        let claimed = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.instant();
                    let claim = messages::Claim {
                        queue_id: queue.id(),
                        limit: u32::try_from(limit).unwrap_or(u32::MAX),
                        hidden_until: tx.now() + LEASE,
                        receipt: ids::nonce(),
                        holder: Some(&node),
                        groups,
                        receives_max: None,
                    };
                    messages::claim_few(tx, claim, &|group| slow.pace(group, now)).await
                })
            })
            .await?;
        Ok(claimed.into_iter().map(Claim::new).collect())
    }

    async fn work_one(&self, claim: &Claim) -> Finish {
        // A panic costs one attempt of one job: without this, the claim would be renewed for ever.
        AssertUnwindSafe(async { self.work.work(claim).await }).catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(queue.name = self.name(), job.id = claim.id, attempt = claim.attempt, "a worker panicked");
            Finish::plain(Outcome::RetryAt(self.after_a_fault(claim), Reason::Internal))
        })
    }

    /// Keeps the claims of what runs here, row by row: a queue may hold any number of others that are hidden.
    async fn renew(&self, running: &Running) {
        let held: Vec<(i64, i64)> = running.held.values().copied().collect();
        let renewed = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let until = tx.now() + LEASE;
                    messages::renew(tx, &held, until).await
                })
            })
            .await;
        if let Err(error) = renewed {
            self.fails(&error, "cannot renew claims");
        }
    }

    /// Sleeps until a job is visible. Another node may add one, so this looks again and again; a look is a query, and a claim
    /// that finds nothing would be a transaction.
    async fn sleep_until_work(&self) {
        // Under load a bell rings before, and the look is saved.
        self.clock.sleep(SOON).await;
        loop {
            let next = self.next_visible_at().await.unwrap_or_else(|error| {
                self.fails(&error, "cannot look into the queue");
                None
            });
            let left = next.map_or(LOOK_EVERY, |at| at.since(self.clock.now()));
            self.clock.sleep(left.min(LOOK_EVERY)).await;
            if next.is_some_and(|at| at <= self.clock.now()) {
                return;
            }
        }
    }

    /// The store failed, as it does for each of the jobs then.
    pub(super) fn fails(&self, error: &store::Error, what: &str) {
        let queue = self.name();
        self.quiet.tell(&self.clock, |left_out| tracing::error!(queue.name = queue, %error, left_out, "{what}"));
    }

    async fn next_visible_at(&self) -> Result<Option<Timestamp>, store::Error> {
        messages::next_visible_at(&mut self.store.reader().await?, self.work.queue().id()).await
    }
}

/// The jobs that run on this node, with the claims that they hold.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    held: HashMap<Id, (i64, i64)>,
}

impl Running {
    fn start(&mut self, id: i64, receipt: i64, job: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(job);
        self.held.insert(task.id(), (id, receipt));
    }

    /// Returns once a job has ended, and forgets all that have.
    async fn ended(&mut self) {
        let mut ended = self.tasks.join_next_with_id().await;
        while let Some(task) = ended {
            let id = task.map_or_else(|error| error.id(), |(id, ())| id);
            self.held.remove(&id);
            ended = self.tasks.try_join_next_with_id();
        }
    }

    fn len(&self) -> usize {
        self.tasks.len()
    }

    fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }
}
