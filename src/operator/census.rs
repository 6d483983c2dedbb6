//! How much waits in the queues, for metrics. Counting is bounded, and what was counted is kept for a while: who asks often, or
//! has millions of messages, costs the store no more.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::base::{AccountId, Clock, Instant, Region};
use crate::store::census::{self, Waiting};
use crate::store::messages::Counts;
use crate::store::{self, Store, Tx};
use crate::workers::SystemQueue;

/// The messages of a queue are counted up to this number.
pub const CAP: u32 = 100_000;
/// So many of the users' queues are told of: the largest ones.
pub const LARGEST: usize = 20;
/// How long what was counted is kept at the least.
const KEPT: Duration = Duration::from_secs(10);
/// And so many times as long as counting took: counting never takes more than a twentieth of the time.
const KEPT_FACTOR: u32 = 20;
/// So many users' queues, and messages in them, are counted in one go. Where there are more, the next go takes the next ones.
const QUEUES_AT_ONCE: usize = 200;
const MESSAGES_AT_ONCE: u32 = 500_000;
/// So many users' queues are remembered from one go to the next.
const KNOWN_MAX: usize = 10_000;

/// A system's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemCount {
    /// The queue.
    pub queue: SystemQueue,
    /// What waits in it.
    pub waiting: Waiting,
    /// How many of its jobs were given up and are kept.
    pub given_up: u32,
}

/// A user's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCount {
    /// Whose it is.
    pub account: AccountId,
    /// In which region.
    pub region: Region,
    /// Its name.
    pub name: String,
    /// Its messages.
    pub counts: Counts,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// The system's queues.
    pub system: Vec<SystemCount>,
    /// The largest of the users' queues, the largest first.
    pub largest: Vec<UserCount>,
}

/// How long who asks waits for a count at the most.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// What was counted is told for so long at the most while there is nothing newer.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// Counts what waits, in a task of its own: who asks and goes away does not make it begin anew, and a store that does not answer
/// keeps nobody. Cheap to clone; clones share what was counted.
#[derive(Clone)]
pub struct Census(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    /// Rung by who asks.
    asked: Notify,
    last: watch::Sender<Option<Last>>,
}

/// What was counted last.
#[derive(Clone)]
struct Last {
    /// `None` where the store did not answer.
    counted: Option<Arc<Counted>>,
    /// Until when it is good enough.
    until: Instant,
}

/// The way through the users' queues.
#[derive(Default)]
struct Walk {
    /// The last queue that was counted.
    after: i64,
    known: BTreeMap<i64, Counts>,
}

impl Census {
    /// Counts in this store, once [`Census::run`] does.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self(Arc::new(Inner { store, clock, asked: Notify::new(), last: watch::Sender::default() }))
    }

    /// Counts whenever somebody asks and what was counted is not good any more, until the stop begins.
    pub async fn run(self, stop: CancellationToken) {
        let (inner, mut walk) = (&*self.0, Walk::default());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = inner.asked.notified() => {}
            }
            if inner.good().is_some() {
                continue;
            }
            let began = inner.clock.instant();
            let counted = tokio::select! {
                () = stop.cancelled() => return,
                counted = count(&inner.store, &mut walk) => counted,
            };
            let ended = inner.clock.instant();
            let until = ended + KEPT.max(ended.since(began) * KEPT_FACTOR);
            let counted = match counted {
                Ok(counted) => Some(Arc::new(counted)),
                Err(error) => {
                    tracing::warn!(%error, "cannot count what waits in the queues");
                    None
                }
            };
            inner.last.send_replace(Some(Last { counted, until }));
        }
    }

    /// What was counted within the last seconds; who asks waits for a count two seconds at the most, and is told what was counted
    /// within the last minute then. `None` while the store does not answer.
    pub async fn look(&self) -> Option<Arc<Counted>> {
        let inner = &*self.0;
        let mut changes = inner.last.subscribe();
        if let Some(last) = inner.good() {
            return last.counted;
        }
        inner.asked.notify_one();
        let _ = inner.clock.timeout(WAIT_MAX, changes.changed()).await;
        let last = inner.last.borrow().clone()?;
        last.counted.filter(|_| inner.clock.instant() < last.until + TOLD_FOR)
    }
}

impl Inner {
    /// What was counted last, while it is good enough.
    fn good(&self) -> Option<Last> {
        self.last.borrow().clone().filter(|last| last.until > self.clock.instant())
    }
}

async fn count(store: &Store, walk: &mut Walk) -> Result<Counted, store::Error> {
    let mut system = vec![];
    for queue in SystemQueue::ALL {
        let tx = &mut store.reader().await?;
        let waiting = census::waiting(tx, queue.id(), CAP).await?;
        let given_up = total(&census::waiting(tx, queue.dead_letters_id(), CAP).await?.counts);
        system.push(SystemCount { queue, waiting, given_up });
    }
    let tx = &mut store.reader().await?;
    walk.go_on(tx, QUEUES_AT_ONCE).await?;
    Ok(Counted { system, largest: walk.largest(tx).await? })
}

fn total(counts: &Counts) -> u32 {
    counts.visible.saturating_add(counts.in_flight).saturating_add(counts.delayed)
}

impl Walk {
    /// Counts the next `at_once` queues that have messages; once around at the most.
    async fn go_on(&mut self, tx: &mut Tx, at_once: usize) -> Result<(), store::Error> {
        let (began_at, mut around, mut messages) = (self.after, false, 0_u32);
        for _ in 0..at_once {
            let next = census::next_queue(tx, self.after).await?;
            // What lies between has no messages any more.
            self.known.retain(|id, _| *id <= self.after || next.is_some_and(|next| *id >= next));
            let Some(id) = next else {
                if around || began_at == 0 {
                    self.after = 0;
                    return Ok(());
                }
                (self.after, around) = (0, true);
                continue;
            };
            let counts = census::waiting(tx, id, CAP).await?.counts;
            self.after = id;
            self.known.insert(id, counts);
            messages = messages.saturating_add(total(&counts));
            if messages >= MESSAGES_AT_ONCE || (around && id >= began_at) {
                break;
            }
        }
        self.forget_small();
        Ok(())
    }

    fn forget_small(&mut self) {
        if self.known.len() > KNOWN_MAX {
            let mut sizes: Vec<u32> = self.known.values().map(total).collect();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            let least = sizes.get(LARGEST * 10).copied().unwrap_or_default();
            self.known.retain(|_, counts| total(counts) > least);
        }
    }

    async fn largest(&self, tx: &mut Tx) -> Result<Vec<UserCount>, store::Error> {
        let mut all: Vec<(i64, Counts)> = self.known.iter().map(|(id, counts)| (*id, *counts)).collect();
        all.sort_by_key(|(id, counts)| (std::cmp::Reverse(total(counts)), *id));
        all.truncate(LARGEST);
        let ids: Vec<i64> = all.iter().map(|(id, _)| *id).collect();
        let mut names = census::names(tx, &ids).await?;
        let told = |(id, counts)| {
            let (account, region, name) = names.remove(&id)?;
            Some(UserCount { account, region, name, counts })
        };
        Ok(all.into_iter().filter_map(told).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Timestamp, ids};
    use crate::store::Database;
    use crate::store::messages::{self, NewMessage};

    async fn send(store: &Store, queue_id: i64, count: usize) {
        let message = NewMessage {
            message_id: ids::uuid(),
            visible_at: Timestamp::from_secs(1),
            group_id: (queue_id % 2 == 0).then(|| "g".to_owned()),
            deduplication_id: None,
            sender: None,
            attributes: None,
            trace_header: None,
            body: "x".to_owned(),
        };
        let all = vec![message; count];
        let sent: Result<(), store::Error> =
            store.write(move |tx| Box::pin(async move { messages::insert(tx, queue_id, &all).await })).await;
        sent.expect("sent");
    }

    #[tokio::test]
    async fn many_queues_are_counted_in_turn_and_those_that_are_empty_are_forgotten() {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::manual(Timestamp::from_secs(1));
        let store = Store::open(&Database::Sqlite(dir.path().join("db")), clock).await.expect("a store");
        for queue in 1..=5_u32 {
            send(&store, queue.into(), queue as usize).await;
        }
        let mut walk = Walk::default();
        let sizes = |walk: &Walk| walk.known.iter().map(|(id, counts)| (*id, total(counts))).collect::<Vec<_>>();
        let go = async |walk: &mut Walk| walk.go_on(&mut store.reader().await?, 2).await;
        go(&mut walk).await.expect("counted");
        assert_eq!(sizes(&walk), [(1, 1), (2, 2)]);
        for _ in 0..2 {
            go(&mut walk).await.expect("counted");
        }
        assert_eq!(sizes(&walk), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
        let gone: Result<u64, store::Error> = store
            .write(|tx| Box::pin(async move { messages::purge(tx, 2, Timestamp::from_secs(1), 9, false).await }))
            .await;
        assert_eq!(gone.expect("purged"), 2);
        send(&store, 3, 1).await;
        for _ in 0..3 {
            go(&mut walk).await.expect("counted");
        }
        assert_eq!(sizes(&walk), [(1, 1), (3, 4), (4, 4), (5, 5)]);
    }
}
