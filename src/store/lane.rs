//! A writer lane: takes the jobs that wait, runs them in one transaction, commits once, answers all of them.
//!
//! While one commit is on its way to the disk, the next jobs gather; so the cost of a commit falls as load grows, and
//! a lone job does not wait for company.
use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::{Postgres, Sqlite};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::base::Clock;
use crate::store::tx::Connection;
use crate::store::vault::Vault;
use crate::store::wake::Wakes;
use crate::store::{Error, Tx};

/// A change to make in a transaction, and the one who waits for its answer.
pub(super) trait Job: Send {
    /// Makes the change. `false` when it must be undone.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool>;
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
    pub(super) jobs_per_commit_max: usize,
}

impl Lane {
    /// Works until the store is dropped and the last job is answered.
    pub(super) async fn run(self) {
        let mut batch = Vec::new();
        loop {
            let taken = self.jobs.lock().await.recv_many(&mut batch, self.jobs_per_commit_max).await;
            if taken == 0 {
                return;
            }
            self.commit(std::mem::take(&mut batch)).await;
        }
    }

    async fn commit(&self, mut batch: Vec<Box<dyn Job>>) {
        let outcome = match self.pool.connection().await {
            Ok(connection) => {
                let mut tx = Tx::new(connection, self.clock.clone(), self.vault.clone());
                let outcome = run_batch(&mut tx, &mut batch).await;
                if outcome.is_err() {
                    // The transaction may still be open; a connection must not go back to the pool like that.
                    let _ = tx.run("ROLLBACK", vec![]).await;
                    tx.rings.clear();
                }
                outcome.map(|()| std::mem::take(&mut tx.rings))
            }
            Err(error) => Err(error),
        };
        let committed = match outcome {
            Ok(rings) => {
                rings.into_iter().for_each(|(queue_id, messages)| self.wakes.ring(queue_id, messages));
                Ok(())
            }
            Err(error) => Err(error),
        };
        for job in batch {
            job.finish(committed.clone());
        }
    }
}

async fn run_batch(tx: &mut Tx, batch: &mut [Box<dyn Job>]) -> Result<(), Error> {
    tx.run(tx.engine().begin(), vec![]).await?;
    if let [only] = batch {
        let keep = only.run(tx).await;
        if !keep {
            tx.rings.clear();
        }
        tx.run(if keep { "COMMIT" } else { "ROLLBACK" }, vec![]).await?;
        return Ok(());
    }
    for job in batch {
        let rings = tx.rings.len();
        tx.run("SAVEPOINT job", vec![]).await?;
        if !job.run(tx).await {
            tx.rings.truncate(rings);
            tx.run("ROLLBACK TO SAVEPOINT job", vec![]).await?;
        }
        tx.run("RELEASE SAVEPOINT job", vec![]).await?;
    }
    tx.run("COMMIT", vec![]).await?;
    Ok(())
}
