//! The rows of queues, kept for a moment: every send and receive needs one, and they seldom change.
use std::sync::Arc;

use crate::base::Scope;
use crate::queues::{Error, Queue, Queues};
use crate::store::{Tx, queues};

/// What a row is kept by. A name holds no slash.
fn key(scope: &Scope, name: &str) -> String {
    let (account, region) = (scope.account.as_str(), scope.region.as_str());
    let mut key = String::with_capacity(account.len() + region.len() + name.len() + 2);
    for part in [account, "/", region, "/", name] {
        key.push_str(part);
    }
    key
}

/// Finds a queue inside a transaction.
pub(super) async fn find(tx: &mut Tx, scope: &Scope, name: &str) -> Result<Queue, Error> {
    let queue = queues::find(tx, &scope.account, &scope.region, name).await?;
    queue.ok_or_else(|| Error::QueueMissing(name.to_owned()))
}

impl Queues {
    /// A queue's row, at most a second old.
    pub(super) async fn queue(&self, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        self.rows.get_or_load(key(scope, name).as_str(), || self.read_queue(scope, name)).await
    }

    async fn read_queue(&self, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        let queue = Arc::new(find(&mut self.store.reader().await?, scope, name).await?);
        if queue.has_groups {
            self.remember_groups(queue.id);
        }
        Ok(queue)
    }

    /// The same inside a transaction. What the transaction reads is not kept: it may yet be undone.
    pub(super) async fn queue_in(&self, tx: &mut Tx, scope: &Scope, name: &str) -> Result<Arc<Queue>, Error> {
        match self.rows.get(key(scope, name).as_str()) {
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
        self.grouped.get_or(&queue_id, || ());
    }

    /// Whether a receive has to look for messages in groups.
    pub(super) fn has_groups(&self, queue: &Queue) -> bool {
        queue.has_groups || self.grouped.get(&queue.id).is_some()
    }
}
