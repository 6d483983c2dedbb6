//! A writer lane: takes the jobs that wait, runs them in one transaction, commits once, answers all of them.
//!
//! While one commit is on its way to the disk, the next jobs gather; so the cost of a commit falls as load grows, and
//! a lone job does not wait for company. Values that many callers bring become one job with one statement
//! ([`Kind`](crate::store::engine::merged::Kind)); where that fails, each is tried alone, so that a bad one costs itself only.
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::DropGuard;

use crate::base::Clock;
use crate::store::engine::dialect::Engine;
use crate::store::engine::floors::Floors;
use crate::store::engine::hints::Hints;
use crate::store::engine::jobs::Job;
use crate::store::engine::merged::Registered;
use crate::store::engine::pool::Pool;
use crate::store::engine::room::Room;
use crate::store::engine::waiting::{Waiting, jobs};
use crate::store::engine::wake::Wakes;
use crate::store::engine::wal::Wal;
use crate::store::vault::Vault;
use crate::store::{Error, Tx};

/// How long a connection to PostgreSQL may rest at a lane. The server may close it meanwhile.
const RESTS_AFTER: Duration = Duration::from_secs(1);

/// How many changes for which no caller waits one commit may carry: some 20 ms of work, for which a caller's has to wait.
const BEHIND_PER_COMMIT_MAX: usize = 48;

pub(in crate::store) type Queue = Arc<Mutex<mpsc::Receiver<Waiting>>>;

/// One lane. SQLite has one, which puts all that waits into a commit. PostgreSQL has several. Those for closures carry
/// one each: there the server itself shares syncs between commits, and closures of strangers in one transaction could
/// deadlock. Those for values of one kind carry all that wait.
#[derive(Clone)]
pub(in crate::store) struct Lane {
    /// The kinds of values that there are, in the order in which a commit runs them.
    pub(in crate::store) kinds: &'static [Registered],
    pub(in crate::store) queue: Queue,
    /// Changes for which no caller waits, where they wait apart.
    pub(in crate::store) behind: Option<Queue>,
    pub(in crate::store) pool: Arc<Pool>,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) vault: Arc<Vault>,
    pub(in crate::store) wakes: Arc<Wakes>,
    pub(in crate::store) floors: Arc<Floors>,
    pub(in crate::store) room: Arc<Room>,
    /// Where other nodes may wait for messages too.
    pub(in crate::store) hints: Option<Arc<Hints>>,
    /// The tasks beside the lanes end with the last lane.
    pub(in crate::store) _alive: Arc<DropGuard>,
    pub(in crate::store) jobs_per_commit_max: usize,
    /// How often a transaction is begun on another connection, when the one at hand is broken.
    pub(in crate::store) begins_max: usize,
}

/// The connection of a lane, kept from one commit to the next: to give it back would cost a task and a round trip.
type Kept = Option<Tx>;

impl Lane {
    /// Works until the store is dropped and the last job is answered. `wal` is SQLite's log, which this lane writes.
    pub(in crate::store) async fn run(self, mut wal: Option<Wal>) {
        let (mut waiting, mut kept) = (Vec::new(), None);
        while self.wait(&mut waiting, &mut kept).await > 0 {
            let alone = self.commit(jobs(self.kinds, waiting.drain(..)), &mut kept).await;
            for job in alone {
                for lost in self.commit(vec![job], &mut kept).await {
                    lost.finish(Err(Error::Full));
                }
            }
            if let (Some(wal), Some(tx)) = (&mut wal, &mut kept) {
                if !self.room.is_left() {
                    self.room.look(tx);
                } else if let Err(error) = wal.tidy(tx) {
                    self.room.failed(&error, "the write-ahead log cannot be moved into the database");
                }
            }
        }
    }

    /// Takes the jobs that wait, or waits for the next one. A connection to PostgreSQL that rests goes back to the pool,
    /// which tests it before it gives it out again.
    async fn wait(&self, waiting: &mut Vec<Waiting>, kept: &mut Kept) -> usize {
        let resting = kept.is_some() && self.pool.engine() == Engine::Postgres;
        if resting {
            match self.clock.timeout(RESTS_AFTER, self.take(waiting)).await {
                Some(taken) => return taken,
                None => *kept = None,
            }
        }
        self.take(waiting).await
    }

    async fn take(&self, waiting: &mut Vec<Waiting>) -> usize {
        let (mut queue, max) = (self.queue.lock().await, self.jobs_per_commit_max);
        let Some(behind) = &self.behind else { return queue.recv_many(waiting, max).await };
        let mut behind = behind.lock().await;
        tokio::select! {
            biased;
            _ = queue.recv_many(waiting, max) => {}
            Some(one) = behind.recv() => waiting.push(one),
        }
        let most = waiting.len() + BEHIND_PER_COMMIT_MAX;
        while waiting.len() < most
            && let Ok(one) = behind.try_recv()
        {
            waiting.push(one);
        }
        waiting.len()
    }

    /// Gives the jobs that are to be tried alone.
    async fn commit(&self, mut batch: Vec<Box<dyn Job>>, kept: &mut Kept) -> Vec<Box<dyn Job>> {
        let ended = match &mut batch[..] {
            [] => return vec![],
            [only] if only.is_one_statement(self.pool.engine()) => self.run_alone(only, kept).await,
            _ => self.run_together(&mut batch, kept).await,
        };
        if kept.as_ref().is_some_and(Tx::is_broken) || self.pool.is_crowded() {
            *kept = None;
        }
        if let Some(hints) = self.hints.as_ref().filter(|hints| hints.is_guest()) {
            // Rare, and not to be a part of every commit.
            Box::pin(hints.tell_now(&self.clock)).await;
        }
        finish(batch, ended, self.room.is_left())
    }

    /// Runs jobs in one transaction. Says of each whether it was kept.
    async fn run_together(&self, batch: &mut [Box<dyn Job>], kept: &mut Kept) -> Result<Vec<bool>, Error> {
        let tx = self.begin(kept).await.inspect_err(|error| self.room.failed(error, "cannot begin a transaction"))?;
        match self.run_batch(tx, batch).await {
            Ok(done) => {
                self.committed(tx);
                Ok(done)
            }
            Err(error) => {
                self.room.failed(&error, "a transaction failed");
                // It may still be open; such a connection must not be used again.
                tx.close_on_drop();
                let _ = tx.control("ROLLBACK").await;
                if matches!(error, Error::Full) {
                    // Nothing of it is there. What frees room is worth another try, with what was kept back.
                    batch.iter_mut().filter(|job| job.grows()).for_each(|job| job.fail(Error::Full));
                    return Ok(vec![false; batch.len()]);
                }
                Err(error)
            }
        }
    }

    /// Runs the jobs and commits. Says of each whether it was kept.
    async fn run_batch(&self, tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<Vec<bool>, Error> {
        let Some(kept) = run_batch(tx, batch, &self.room).await? else { return Ok(vec![false; batch.len()]) };
        if let Some(hints) = self.hints.as_ref().filter(|_| tx.changes_settings()) {
            // Rare, and not to be a part of every commit.
            Box::pin(hints.announce_settings(tx)).await?;
        }
        tx.commit().await?;
        Ok(kept)
    }

    /// Runs one statement, which is a transaction by itself: PostgreSQL is asked once and not three times, and SQLite need
    /// not be able to undo it without the rest.
    async fn run_alone(&self, job: &mut Box<dyn Job>, kept: &mut Kept) -> Result<Vec<bool>, Error> {
        let tx = self.connected(kept).await?;
        tx.look_for_others(&self.wakes.settings);
        tx.one_statement();
        let (_, failure) = run_job(tx, job).await;
        match failure {
            None => {
                self.committed(tx);
                Ok(vec![true])
            }
            Some(error) if error.is_of_values() || error.is_stale_statement() => Ok(vec![false]),
            Some(Error::Full) => {
                self.room.failed(&Error::Full, "");
                Ok(vec![false])
            }
            Some(error) => {
                // It is not known whether it was committed.
                self.room.failed(&error, "a statement failed");
                tx.close_on_drop();
                Err(error)
            }
        }
    }

    /// What follows from a commit.
    fn committed(&self, tx: &mut Tx) {
        if std::mem::take(&mut tx.grew) {
            self.room.grew();
        }
        for (queue_id, messages) in std::mem::take(&mut tx.rings) {
            self.ring(queue_id, messages);
        }
    }

    fn ring(&self, queue_id: i64, messages: usize) {
        self.wakes.ring(queue_id, messages);
        if let Some(hints) = &self.hints {
            hints.tell(queue_id, messages);
        }
    }

    /// The connection that was kept, or a new one.
    async fn connected<'k>(&self, kept: &'k mut Kept) -> Result<&'k mut Tx, Error> {
        let tx = match kept.take() {
            Some(tx) => tx,
            None => {
                let connection = self.pool.connection().await?;
                Tx::of_lane(connection, self.clock.clone(), self.vault.clone(), self.floors.clone())
            }
        };
        Ok(kept.insert(tx))
    }

    /// Begins a transaction. PostgreSQL may have closed connections while they waited (a restart, a failover): one that
    /// fails here has done nothing yet, so another one takes its place, until each that could have waited was tried.
    async fn begin<'k>(&self, kept: &'k mut Kept) -> Result<&'k mut Tx, Error> {
        let mut left = self.begins_max;
        loop {
            let begun = self.connected(kept).await?.begin().await;
            match begun {
                Ok(()) => {
                    let tx = self.connected(kept).await?;
                    tx.look_for_others(&self.wakes.settings);
                    return Ok(tx);
                }
                Err(error) => {
                    if let Some(mut tx) = kept.take() {
                        tx.close_on_drop();
                    }
                    left = left.saturating_sub(1);
                    if left == 0 {
                        return Err(error);
                    }
                }
            }
        }
    }
}

/// Answers the jobs of a transaction, but for those that were undone and may be tried alone. Where the transaction
/// failed as a whole, nothing is: its end is not known.
fn finish(batch: Vec<Box<dyn Job>>, ended: Result<Vec<bool>, Error>, has_room: bool) -> Vec<Box<dyn Job>> {
    let kept = match ended {
        Ok(kept) => kept,
        Err(error) => {
            batch.into_iter().for_each(|job| job.finish(Err(error.clone())));
            return vec![];
        }
    };
    let mut alone = vec![];
    for (job, kept) in batch.into_iter().zip(kept) {
        if !kept && !has_room && job.grows() {
            job.finish(Err(Error::Full));
            continue;
        }
        match if kept { Err(job) } else { job.apart() } {
            Ok(parts) => alone.extend(parts),
            Err(job) => job.finish(Ok(())),
        }
    }
    alone
}

/// Runs the jobs. Says of each whether it stays; the others were undone. `None`: all were, and nothing is left to commit.
async fn run_batch(tx: &mut Tx, batch: &mut [Box<dyn Job>], room: &Room) -> Result<Option<Vec<bool>>, Error> {
    if batch.len() == 1 || batch.iter().all(|job| job.is_repeatable()) {
        let keep = run_as_one(tx, batch, room).await?;
        return Ok(keep.then(|| vec![true; batch.len()]));
    }
    let mut kept = Vec::with_capacity(batch.len());
    for job in batch {
        tx.savepoint().await?;
        let (keep, failure) = run_job(tx, job).await;
        if let Some(Error::Full) = failure {
            return Err(Error::Full);
        }
        if !keep {
            tx.undo().await?;
        }
        tx.release().await?;
        kept.push(keep);
    }
    Ok(Some(kept))
}

/// Runs jobs that are kept or undone together: what is undone can be tried again alone.
async fn run_as_one(tx: &mut Tx, batch: &mut [Box<dyn Job>], room: &Room) -> Result<bool, Error> {
    for job in batch {
        let (keep, failure) = run_job(tx, job).await;
        if !keep {
            if let Some(error @ Error::Full) = failure {
                room.failed(&error, "");
            }
            tx.rollback().await?;
            tx.rings.clear();
            tx.grew = false;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs one job. `false` when it must be undone: it says so itself, a statement of it failed (then it cannot say that all
/// is well), or it panicked, which must cost this job alone and not the lane. Gives the failure of the statement too.
async fn run_job(tx: &mut Tx, job: &mut Box<dyn Job>) -> (bool, Option<Error>) {
    let (rings, grew) = (tx.rings.len(), tx.grew);
    let mut keep = AssertUnwindSafe(job.run(tx)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a change panicked");
        tx.close_on_drop();
        job.fail(Error::Panicked);
        false
    });
    let failure = tx.take_failure();
    if let Some(error) = &failure {
        job.fail(error.clone());
        keep = false;
    }
    if !keep {
        tx.rings.truncate(rings);
        tx.grew = grew;
    }
    (keep, failure)
}
