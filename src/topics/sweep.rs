//! What is forgotten with time: subscriptions that nobody confirmed, old attempts, publications that nothing refers to.
use std::time::Duration;

use crate::base::Timestamp;
use crate::store::ended::Place;
use crate::store::{self, Tx, ended, publications, subscriptions, throttles, topic_order};
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
    /// One sweep through all of it, a part at a time. Gives how many rows went.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let mut gone = self.sweep_ended().await?;
        loop {
            match self.sweep_part().await? {
                0 => return Ok(gone),
                some => gone += some,
            }
        }
    }

    /// Walks once through the subscriptions that were ended: what is still needed is looked at once, however much goes.
    async fn sweep_ended(&self) -> Result<u64, Error> {
        let (mut gone, mut place) = (0, Some(Place::default()));
        while let Some(from) = place {
            // A search among what waits; nobody else waits for it.
            let looked: Result<_, store::Error> = self
                .store()
                .read(|tx| {
                    Box::pin(async move {
                        let ages = ended_ages(tx).await?;
                        let queue = SystemQueue::TopicDelivery;
                        let queues = [queue.id(), queue.dead_letters_id()];
                        let (settled, next) = ended::settled(tx, ages, queues, from, AT_ONCE).await?;
                        Ok((ages.0, settled, next))
                    })
                })
                .await;
            let (before, settled, next) = looked?;
            if !settled.is_empty() {
                let went: Result<_, store::Error> = self
                    .store()
                    .write(move |tx| Box::pin(async move { ended::forget(tx, &settled, before).await }))
                    .await;
                gone += went?;
            }
            place = next;
        }
        Ok(gone)
    }

    async fn sweep_part(&self) -> Result<u64, Error> {
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
                    let ages = ended_ages(tx).await?;
                    let ended = ended::forget_topics(tx, ages, AT_ONCE).await?;
                    Ok(subscriptions + attempts + messages + windows + published + archived + ended)
                })
            })
            .await
    }
}

/// Before when something must have ended to be forgotten once nothing is on its way to it, and before when to be forgotten in any
/// case.
async fn ended_ages(tx: &mut Tx) -> Result<(Timestamp, Timestamp), store::Error> {
    let now = tx.counting_now().await?;
    Ok((now - ENDED_KEPT, now - PUBLICATIONS_KEPT))
}
