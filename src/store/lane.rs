//! A writer lane: takes the jobs that wait, runs them in one transaction, commits once, answers all of them.
//!
//! While one commit is on its way to the disk, the next jobs gather; so the cost of a commit falls as load grows, and
//! a lone job does not wait for company.
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::{Postgres, Sqlite};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::DropGuard;

use crate::base::Clock;
use crate::store::hints::Hints;
use crate::store::tx::Connection;
use crate::store::vault::Vault;
use crate::store::wake::Wakes;
use crate::store::wal::Wal;
use crate::store::{Error, Tx};

/// A change to make in a transaction, and the one who waits for its answer.
pub(super) trait Job: Send {
    /// Makes the change. `false` when it must be undone.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool>;
    /// Replaces what the change itself said: it was undone for this reason.
    fn fail(&mut self, why: Error);
    /// Answers, once the transaction's end is known.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

/// The usual job: a closure over the transaction.
pub(super) struct Change<F, T, E> {
    pub(super) work: Option<F>,
    pub(super) result: Option<Result<T, E>>,
    pub(super) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Change<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let result = match self.work.take() {
                Some(work) => work(tx).await,
                None => Err(Error::Closed.into()),
            };
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn fail(&mut self, why: Error) {
        if !matches!(self.result, Some(Err(_))) {
            self.result = Some(Err(why.into()));
        }
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)), Err(error)) => Err(error.into()),
            (Some(result), _) => result,
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // Nobody waits any more when the caller went away; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// Where a lane takes its connections from.
pub(super) enum Pool {
    Sqlite(sqlx::Pool<Sqlite>),
    Postgres(sqlx::Pool<Postgres>),
}

impl Pool {
    pub(super) async fn connection(&self) -> Result<Connection, Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Self::Postgres(pool) => Connection::Postgres(pool.acquire().await?),
        })
    }
}

pub(super) type Jobs = Arc<Mutex<mpsc::Receiver<Box<dyn Job>>>>;

/// One lane. SQLite has one, which may put many jobs into a commit. PostgreSQL has several with one job each: there
/// the server itself shares syncs between commits, and jobs of strangers in one transaction could deadlock.
pub(super) struct Lane {
    pub(super) jobs: Jobs,
    pub(super) pool: Arc<Pool>,
    pub(super) clock: Clock,
    pub(super) vault: Arc<Vault>,
    pub(super) wakes: Arc<Wakes>,
    /// Where other nodes may wait for messages too.
    pub(super) hints: Option<Arc<Hints>>,
    /// SQLite's log, which this lane writes.
    pub(super) wal: Option<Wal>,
    /// The tasks beside the lanes end with the last lane.
    pub(super) _alive: Arc<DropGuard>,
    pub(super) jobs_per_commit_max: usize,
    /// How often a transaction is begun on another connection, when the one at hand is broken.
    pub(super) begins_max: usize,
}

impl Lane {
    /// Works until the store is dropped and the last job is answered.
    pub(super) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.jobs.lock().await.recv_many(&mut batch, self.jobs_per_commit_max).await;
            if taken == 0 {
                return;
            }
            self.commit(std::mem::take(&mut batch)).await;
        }
    }

    async fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        let (committed, tx) = match self.begin().await {
            Ok(mut tx) => match run_batch(&mut tx, &mut batch).await {
                Ok(()) => {
                    std::mem::take(&mut tx.rings).into_iter().for_each(|(id, messages)| self.ring(id, messages));
                    (Ok(()), Some(tx))
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
        for job in batch {
            job.finish(committed.clone());
        }
        if let (Some(wal), Some(mut tx)) = (&mut self.wal, tx) {
            wal.tidy(&mut tx).await;
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
            match tx.control(tx.engine().begin()).await {
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

async fn run_batch(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<(), Error> {
    if let [only] = batch {
        let keep = run_job(tx, only).await;
        return tx.control(if keep { "COMMIT" } else { "ROLLBACK" }).await;
    }
    for job in batch {
        tx.control("SAVEPOINT job").await?;
        if !run_job(tx, job).await {
            tx.control("ROLLBACK TO SAVEPOINT job").await?;
        }
        tx.control("RELEASE SAVEPOINT job").await?;
    }
    tx.control("COMMIT").await
}

/// Runs one job. `false` when it must be undone: it says so itself, a statement of it failed (then it cannot say that all
/// is well), or it panicked, which must cost this job alone and not the lane.
async fn run_job(tx: &mut Tx, job: &mut Box<dyn Job>) -> bool {
    let rings = tx.rings.len();
    let mut keep = AssertUnwindSafe(job.run(tx)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a change panicked");
        tx.close_on_drop();
        job.fail(Error::Panicked);
        false
    });
    if let Some(error) = tx.take_failure() {
        job.fail(error);
        keep = false;
    }
    if !keep {
        tx.rings.truncate(rings);
    }
    keep
}
