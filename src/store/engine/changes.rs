//! Changes: what callers have the lanes write, and wait for.
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::store::engine::jobs::{Change, Job};
use crate::store::engine::merged::{Kind, One};
use crate::store::{Error, Store, Tx};

impl Store {
    /// Runs `work` in one transaction and returns once it is durable. When `work` fails, nothing of it is kept. The
    /// transaction may be shared with other callers' work, so `work` awaits nothing but the transaction.
    pub async fn write<F, T, E>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, change) = prepared(work);
        self.doors.change(change).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The same for what nobody waits for at the other end of a connection. On SQLite, whose one writer takes turns, only a few
    /// of these go into a commit: however many come at once, a caller's change is not behind all of them.
    ///
    /// # Errors
    /// As for [`Store::write`].
    pub async fn write_behind<F, T, E>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (answer, change) = prepared(work);
        self.doors.change_behind(change).await?;
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Hands in a value of a kind that many callers bring, and returns once its change is durable. Where it adds to what is
    /// stored, the caller asks [`Store::check_room`] first, and once: who is let through to try a full disk is so once.
    pub(in crate::store) async fn hand_in<K: Kind>(&self, value: K::Value) -> Result<K::Answer, Error> {
        let (reply, answer) = oneshot::channel();
        self.doors.value(One::<K> { value, reply }).await?;
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

/// What a change is answered by, and the change as a lane takes it.
fn prepared<F, T, E>(work: F) -> (oneshot::Receiver<Result<T, E>>, Box<dyn Job>)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (answer, Box::new(Change { work: Some(work), result: None, reply }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::oneshot;

    use crate::base::Clock;
    use crate::store::{Database, Error, Store};

    #[tokio::test]
    async fn a_callers_change_is_not_behind_a_crowd_of_outcomes() {
        let dir = tempfile::tempdir().expect("a folder");
        let database = Database::Sqlite(dir.path().join("test.db"));
        let store = Store::open(&database, Clock::system()).await.expect("a store");
        let (done, crowd) = (Arc::new(AtomicUsize::new(0)), 500);
        // The writer is at work, so that all of it gathers.
        let (go, wait) = oneshot::channel::<()>();
        let (begun, begins) = oneshot::channel::<()>();
        let first = store.write(move |_| {
            Box::pin(async move {
                let _ = begun.send(());
                wait.await.map_err(|_| Error::Closed)
            })
        });
        let outcomes = join_all((0..crowd).map(|_| {
            let done = done.clone();
            store.write_behind(move |_| {
                Box::pin(async move {
                    done.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, Error>(())
                })
            })
        }));
        let (first, outcomes, ()) = tokio::join!(first, outcomes, async {
            begins.await.expect("it begins");
            let seen = done.clone();
            let caller = store.write(move |_| Box::pin(async move { Ok::<_, Error>(seen.load(Ordering::Relaxed)) }));
            let mut caller = std::pin::pin!(caller);
            assert!(futures::poll!(&mut caller).is_pending());
            go.send(()).expect("it waits");
            let before = caller.await.expect("written");
            assert!(before < 100, "{before} outcomes of {crowd} went before");
        });
        assert!(first.is_ok() && outcomes.iter().all(Result::is_ok));
        assert_eq!(done.load(Ordering::Relaxed), crowd);
    }
}
