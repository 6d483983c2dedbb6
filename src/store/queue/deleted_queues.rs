//! Deleted queues: their messages are still being taken away, and their names are not free at once.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::queue::queues::Queue;
use crate::store::{Error, Tx, args};

/// Notes that a queue is deleted now.
pub async fn insert(tx: &mut Tx, queue: &Queue) -> Result<u64, Error> {
    let now = tx.now();
    tx.run(
        // Another node may have deleted it at the same time.
        "INSERT INTO deleted_queues (queue_id, deleted_at, account, region, name) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (queue_id) DO NOTHING",
        args![queue.id, now, &queue.account, &queue.region, &queue.name],
    )
    .await
}

/// Whether a queue of this name was deleted after `since`.
pub async fn any_since(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    since: Timestamp,
) -> Result<bool, Error> {
    let row = tx
        .one(
            "SELECT queue_id FROM deleted_queues \
             WHERE account = $1 AND region = $2 AND name = $3 AND deleted_at > $4 LIMIT 1",
            args![account, region, name, since],
        )
        .await?;
    Ok(row.is_some())
}

/// Deleted queues whose messages may still be there, up to 1,000, those deleted first before others.
pub async fn list(tx: &mut Tx) -> Result<Vec<i64>, Error> {
    let rows = tx.all("SELECT queue_id FROM deleted_queues ORDER BY deleted_at LIMIT 1000", vec![]).await?;
    rows.iter().map(|row| row.int("queue_id")).collect()
}

/// The messages of this deleted queue are gone. It is forgotten if it was deleted before `before`: a send that found the
/// queue may commit after the deletion, and its messages are to be taken away too.
pub async fn forget(tx: &mut Tx, id: i64, before: Timestamp) -> Result<u64, Error> {
    tx.run("DELETE FROM deleted_queues WHERE queue_id = $1 AND deleted_at < $2", args![id, before]).await
}
