//! Looks into the store that many callers begin at once: while one is under way the next ones gather, and share one.
//!
//! Nobody waits for company, and no task runs: of those who wait, one looks for all.
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::store::Error;

/// Looks for what belongs to several keys.
pub trait Reads: Send + Sync {
    /// What a caller asks for.
    type Key: Send + Sync;
    /// What it gets.
    type Found: Send;

    /// What there is for each key, in their order.
    ///
    /// # Errors
    /// When the store fails, or what there is for one of them cannot be read: then each is tried alone.
    fn read(&self, keys: &[Self::Key]) -> impl Future<Output = Result<Vec<Self::Found>, Error>> + Send;
}

type Waiting<R> = (<R as Reads>::Key, oneshot::Sender<Result<<R as Reads>::Found, Error>>);

/// Callers who share looks.
pub struct Gather<R: Reads> {
    reads: R,
    at_once: usize,
    waiting: Mutex<Vec<Waiting<R>>>,
    /// Held by who looks for all.
    turn: tokio::sync::Mutex<()>,
}

impl<R: Reads> Gather<R> {
    /// Looks for at most `at_once` keys at a time.
    pub fn new(reads: R, at_once: usize) -> Self {
        Self { reads, at_once, waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// What there is for `key`.
    ///
    /// # Errors
    /// When the store fails, or whoever looked for this caller too was cut off.
    pub async fn get(&self, key: R::Key) -> Result<R::Found, Error> {
        let (reply, mut answer) = oneshot::channel();
        self.waiting().push((key, reply));
        let _turn = tokio::select! {
            biased;
            answer = &mut answer => return answer.unwrap_or(Err(Error::Closed)),
            turn = self.turn.lock() => turn,
        };
        loop {
            match answer.try_recv() {
                Ok(answer) => return answer,
                Err(oneshot::error::TryRecvError::Closed) => return Err(Error::Closed),
                Err(oneshot::error::TryRecvError::Empty) => self.serve().await,
            }
        }
    }

    /// Looks for those who have waited longest.
    async fn serve(&self) {
        let some: Vec<Waiting<R>> = {
            let mut waiting = self.waiting();
            let count = waiting.len().min(self.at_once);
            waiting.drain(..count).collect()
        };
        let (keys, replies): (Vec<_>, Vec<_>) = some.into_iter().unzip();
        match self.reads.read(&keys).await {
            Ok(found) => replies.into_iter().zip(found).for_each(|(reply, found)| drop(reply.send(Ok(found)))),
            // What is wrong with one must not keep the others from theirs.
            Err(error) if keys.len() > 1 => {
                tracing::warn!(%error, keys = keys.len(), "a shared look failed; each is tried alone");
                for (key, reply) in keys.iter().zip(replies) {
                    let found = self.reads.read(std::slice::from_ref(key)).await;
                    let found = found.and_then(|found| found.into_iter().next().ok_or(Error::Closed));
                    let _ = reply.send(found);
                }
            }
            Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waiting<R>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Doubles numbers; knows nothing of 13.
    #[derive(Default)]
    struct Doubles {
        looks: AtomicUsize,
    }

    impl Reads for Doubles {
        type Key = u32;
        type Found = u32;

        async fn read(&self, keys: &[u32]) -> Result<Vec<u32>, Error> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            // The others come while this one looks.
            tokio::task::yield_now().await;
            if keys.contains(&13) { Err(Error::Closed) } else { Ok(keys.iter().map(|key| key * 2).collect()) }
        }
    }

    #[tokio::test]
    async fn callers_who_come_together_share_looks_and_each_gets_its_own() {
        let gather = Gather::new(Doubles::default(), 10);
        let all = futures::future::join_all((20..60).map(|key| gather.get(key))).await;
        let found: Vec<u32> = all.into_iter().map(|found| found.expect("found")).collect();
        assert_eq!(found, (20..60).map(|key| key * 2).collect::<Vec<_>>());
        // The first looks alone; meanwhile the other 39 come.
        assert_eq!(gather.reads.looks.load(Ordering::Relaxed), 1 + 4);
        assert_eq!(gather.get(1).await.expect("found"), 2);
        let with_a_bad_one = futures::future::join_all([11, 12, 13, 14].map(|key| gather.get(key))).await;
        let found: Vec<Option<u32>> = with_a_bad_one.into_iter().map(Result::ok).collect();
        assert_eq!(found, [Some(22), Some(24), None, Some(28)]);
    }

    #[tokio::test]
    async fn who_leaves_does_not_hold_up_the_others() {
        let gather = Gather::new(Doubles::default(), 10);
        let mut first = Box::pin(gather.get(1));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(gather.get(2));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await.expect("found"), 4);
        assert_eq!(gather.get(3).await.expect("found"), 6);
    }
}
