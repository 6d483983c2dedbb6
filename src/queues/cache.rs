//! The rows of queues, kept for a moment: every send and receive needs one, and they seldom change.
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Instant, Scope};
use crate::queues::manage::find;
use crate::queues::{Error, Queue, Queues};
use crate::store::Tx;

/// How long a row is good for that another node may have changed. What this node changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Enough for all queues that are in use; when there are more, all are read anew.
const ENTRIES_MAX: usize = 20_000;

/// The rows that this node has read. Cheap to ask.
#[derive(Default)]
pub(super) struct Cache {
    rows: Mutex<HashMap<Scope, HashMap<String, Entry>>>,
    /// Queues that were seen with messages in groups. Such a queue is looked through for them from then on.
    grouped: Mutex<HashSet<i64>>,
}

struct Entry {
    queue: Arc<Queue>,
    generation: u64,
    until: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queues {
    fn cached(&self, scope: &Scope, name: &str) -> Option<Arc<Queue>> {
        let rows = lock(&self.cache.rows);
        let entry = rows.get(scope)?.get(name)?;
        let good = entry.generation == self.store.settings_generation() && entry.until > self.clock.instant();
        good.then(|| entry.queue.clone())
    }

    /// A queue's row, at most a second old.
    pub(super) async fn queue(&self, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        if let Some(queue) = self.cached(scope, name) {
            return Ok(queue);
        }
        // Boxed, since it is large and rare, and would be a part of every call on a queue.
        Box::pin(self.read_queue(scope, name)).await
    }

    async fn read_queue(&self, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        // First the generation: a change between it and the read makes the entry stale, not wrong.
        let generation = self.store.settings_generation();
        let queue = Arc::new(find(&mut self.store.reader().await?, scope, name).await?);
        if queue.has_groups {
            self.remember_groups(queue.id);
        }
        let entry = Entry { queue: queue.clone(), generation, until: self.clock.instant() + GOOD_FOR };
        let mut rows = lock(&self.cache.rows);
        if rows.values().map(HashMap::len).sum::<usize>() >= ENTRIES_MAX {
            rows.clear();
        }
        rows.entry(scope.clone()).or_default().insert(name.to_owned(), entry);
        Ok(queue)
    }

    /// The same inside a transaction. What the transaction reads is not kept: it may yet be undone.
    pub(super) async fn queue_in(&self, tx: &mut Tx, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        match self.cached(scope, name) {
            Some(queue) => Ok(queue),
            None => find(tx, scope, name).await.map(Arc::new),
        }
    }

    /// Notes that a message in a group is about to be added. Call before, so that no receive overlooks it.
    pub(super) fn note_groups(&self, queue: &Queue) {
        if !queue.has_groups {
            self.remember_groups(queue.id);
        }
    }

    fn remember_groups(&self, queue_id: i64) {
        let mut grouped = lock(&self.cache.grouped);
        if grouped.len() < ENTRIES_MAX {
            grouped.insert(queue_id);
        }
    }

    /// Whether a receive has to look for messages in groups.
    pub(super) fn has_groups(&self, queue: &Queue) -> bool {
        queue.has_groups || lock(&self.cache.grouped).contains(&queue.id)
    }
}
