//! What is forgotten with time: subscriptions that nobody confirmed, old attempts, publications that nothing refers to.
use std::time::Duration;

use crate::store::{self, ended, publications, subscriptions, throttles, topic_order};
use crate::topics::{Error, Topics, archive};
use crate::workers::SystemQueue;

/// How long attempts are kept for an operator to read.
const ATTEMPTS_KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How long a publication is kept at the most. Longer than a delivery is tried (23 days) and then waits among the dead
/// letters (14 days), so that a job that was given up can still be tried by hand.
const PUBLICATIONS_KEPT: Duration = Duration::from_secs(38 * 86_400);
/// How long windows of throttles and of questions are kept; none is longer than a day.
const WINDOWS_KEPT: Duration = Duration::from_secs(2 * 86_400);
/// How long a group of a FIFO topic is remembered that nobody publishes to: longer than any transaction lasts.
const GROUPS_KEPT: Duration = Duration::from_secs(3_600);
/// How long what was ended is kept at the least: longer than any transaction lasts that saw it before.
const ENDED_KEPT: Duration = Duration::from_secs(3_600);
/// How many rows of each kind go at a time, so that nobody waits long for the transaction.
const AT_ONCE: u32 = 500;

impl Topics {
    /// One round of the sweep. Gives how many rows went; when it is more than zero, another round may find more.
    pub async fn sweep(&self) -> Result<u64, Error> {
        // A search among what waits; nobody else waits for it.
        let settled: Result<Vec<i64>, store::Error> = self
            .store()
            .read(|tx| {
                Box::pin(async move {
                    let ages = (tx.now() - ENDED_KEPT, tx.now() - PUBLICATIONS_KEPT);
                    let queue = SystemQueue::TopicDelivery;
                    ended::settled(tx, ages, [queue.id(), queue.dead_letters_id()], AT_ONCE).await
                })
            })
            .await;
        let settled = settled?;
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    let subscriptions = subscriptions::expire(tx, AT_ONCE).await?;
                    let attempts = publications::expire_attempts(tx, now - ATTEMPTS_KEPT, AT_ONCE).await?;
                    let messages = publications::expire(tx, now - PUBLICATIONS_KEPT, AT_ONCE).await?;
                    let windows = throttles::expire(tx, now - WINDOWS_KEPT, AT_ONCE).await?;
                    let published = topic_order::forget(tx, now - GROUPS_KEPT, AT_ONCE).await?;
                    let archived = archive::sweep(tx).await?;
                    let ended = ended::forget(tx, &settled, now - ENDED_KEPT, AT_ONCE).await?;
                    Ok(subscriptions + attempts + messages + windows + published + archived + ended)
                })
            })
            .await
    }
}
