//! A writer lane: takes the jobs that wait, runs them in one transaction, commits once, answers all of them.
//!
//! While one commit is on its way to the disk, the next jobs gather; so the cost of a commit falls as load grows, and
//! a lone job does not wait for company. Values that many callers bring become one job with one statement
//! ([`Kind`](crate::store::jobs::Kind)); where that fails, each is tried alone, so that a bad one costs itself only.
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use sqlx::{Postgres, Sqlite};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::DropGuard;

use crate::base::Clock;
use crate::store::dialect::Engine;
use crate::store::hints::Hints;
use crate::store::jobs::{Job, Waiting, jobs};
use crate::store::tx::Connection;
use crate::store::vault::Vault;
use crate::store::wake::Wakes;
use crate::store::wal::Wal;
use crate::store::{Error, Tx};

/// Where a lane takes its connections from.
pub(super) enum Pool {
    Sqlite(sqlx::Pool<Sqlite>),
    Postgres(sqlx::Pool<Postgres>),
}

impl Pool {
    pub(super) async fn connection(&self) -> Result<Connection, Error> {
        // What may connect is large. Unboxed it would be a part of every request's future, and be moved along with it.
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(Box::pin(pool.acquire()).await?),
            Self::Postgres(pool) => Connection::Postgres(Box::pin(pool.acquire()).await?),
        })
    }
}

pub(super) type Queue = Arc<Mutex<mpsc::Receiver<Waiting>>>;

/// One lane. SQLite has one, which puts all that waits into a commit. PostgreSQL has several. Those for closures carry
/// one each: there the server itself shares syncs between commits, and closures of strangers in one transaction could
/// deadlock. Those for values of one kind carry all that wait.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) queue: Queue,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    pub(super) vault: Arc<Vault>,
    pub(super) wakes: Arc<Wakes>,
    /// Where other nodes may wait for messages too.
    pub(super) hints: Option<Arc<Hints>>,
    /// The tasks beside the lanes end with the last lane.
    pub(super) _alive: Arc<DropGuard>,
    pub(super) jobs_per_commit_max: usize,
    /// How often a transaction is begun on another connection, when the one at hand is broken.
    pub(super) begins_max: usize,
}

impl Lane {
    /// Works until the store is dropped and the last job is answered. `wal` is SQLite's log, which this lane writes.
    pub(super) async fn run(self, mut wal: Option<Wal>) {
        let mut waiting = Vec::new();
        loop {
            let taken = self.queue.lock().await.recv_many(&mut waiting, self.jobs_per_commit_max).await;
            if taken == 0 {
                return;
            }
            let alone = self.commit(jobs(waiting.drain(..)), &mut wal).await;
            for job in alone {
                self.commit(vec![job], &mut wal).await;
            }
        }
    }

    /// Gives the jobs that are to be tried alone.
    async fn commit(&self, mut batch: Vec<Box<dyn Job>>, wal: &mut Option<Wal>) -> Vec<Box<dyn Job>> {
        if let [only] = &mut batch[..]
            && let Pool::Postgres(_) = &*self.pool
            && only.is_one_statement(Engine::Postgres)
        {
            let ended = self.run_alone(only).await;
            return finish(batch, ended);
        }
        let (ended, tx) = match self.begin().await {
            Ok(mut tx) => match run_batch(&mut tx, &mut batch).await {
                Ok(kept) => {
                    self.ring_all(&mut tx);
                    (Ok(kept), Some(tx))
                }
                Err(error) => {
                    tracing::error!(%error, changes = batch.len(), "a transaction failed");
                    // It may still be open; such a connection must not go back to the pool.
                    tx.close_on_drop();
                    let _ = tx.control("ROLLBACK").await;
                    (Err(error), None)
                }
            },
            Err(error) => {
                tracing::error!(%error, changes = batch.len(), "cannot begin a transaction");
                (Err(error), None)
            }
        };
        let alone = finish(batch, ended);
        if let (Some(wal), Some(mut tx)) = (wal, tx) {
            wal.tidy(&mut tx).await;
        }
        alone
    }

    /// Runs one statement, which is a transaction by itself: PostgreSQL is asked once and not three times.
    async fn run_alone(&self, job: &mut Box<dyn Job>) -> Result<Vec<bool>, Error> {
        let mut tx = Tx::of_lane(self.pool.connection().await?, self.clock.clone(), self.vault.clone());
        let (_, failure) = run_job(&mut tx, job).await;
        match failure {
            None => {
                self.ring_all(&mut tx);
                Ok(vec![true])
            }
            Some(error) if error.is_of_values() || error.is_stale_statement() => Ok(vec![false]),
            Some(error) => {
                // It is not known whether it was committed.
                tracing::error!(%error, "a statement failed");
                tx.close_on_drop();
                Err(error)
            }
        }
    }

    fn ring_all(&self, tx: &mut Tx) {
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

    /// Begins a transaction. PostgreSQL may have closed connections while they waited (a restart, a failover): one that
    /// fails here has done nothing yet, so another one takes its place, until each that could have waited was tried.
    async fn begin(&self) -> Result<Tx, Error> {
        let mut left = self.begins_max;
        loop {
            let mut tx = Tx::of_lane(self.pool.connection().await?, self.clock.clone(), self.vault.clone());
            match tx.begin().await {
                Ok(()) => return Ok(tx),
                Err(error) => {
                    tx.close_on_drop();
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
fn finish(batch: Vec<Box<dyn Job>>, ended: Result<Vec<bool>, Error>) -> Vec<Box<dyn Job>> {
    let kept = match ended {
        Ok(kept) => kept,
        Err(error) => {
            batch.into_iter().for_each(|job| job.finish(Err(error.clone())));
            return vec![];
        }
    };
    let mut alone = vec![];
    for (job, kept) in batch.into_iter().zip(kept) {
        match if kept { Err(job) } else { job.apart() } {
            Ok(parts) => alone.extend(parts),
            Err(job) => job.finish(Ok(())),
        }
    }
    alone
}

/// Runs the jobs and commits. Says of each whether it was kept; the others were undone.
async fn run_batch(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<Vec<bool>, Error> {
    if batch.len() == 1 || batch.iter().all(|job| job.is_repeatable()) {
        let keep = run_as_one(tx, batch).await?;
        return Ok(vec![keep; batch.len()]);
    }
    let mut kept = Vec::with_capacity(batch.len());
    for job in batch {
        tx.savepoint().await?;
        let (keep, _) = run_job(tx, job).await;
        if !keep {
            tx.undo().await?;
        }
        tx.release().await?;
        kept.push(keep);
    }
    tx.commit().await?;
    Ok(kept)
}

/// Runs jobs that are kept or undone together: what is undone can be tried again alone.
async fn run_as_one(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<bool, Error> {
    let Some((last, others)) = batch.split_last_mut() else { return Ok(true) };
    for job in others {
        if !run_job(tx, job).await.0 {
            tx.rollback().await?;
            return Ok(false);
        }
    }
    if last.is_one_statement(tx.engine()) {
        tx.commit_with_next();
    }
    let (keep, _) = run_job(tx, last).await;
    if keep {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok(keep)
}

/// Runs one job. `false` when it must be undone: it says so itself, a statement of it failed (then it cannot say that all
/// is well), or it panicked, which must cost this job alone and not the lane. Gives the failure of the statement too.
async fn run_job(tx: &mut Tx, job: &mut Box<dyn Job>) -> (bool, Option<Error>) {
    let rings = tx.rings.len();
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
    }
    (keep, failure)
}
