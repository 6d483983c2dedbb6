//! What was sent to queues that keep order, so that the same message is not taken twice. Outlives the messages.
use std::collections::{BTreeMap, HashSet};

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::{Error, Tx, args};

/// What makes two messages the same: the group, or nothing where the whole queue is the scope, and the id.
pub type Key = (String, String);

/// The message that was taken under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub message_id: String,
    /// Its row.
    pub message: i64,
}

const COLUMNS: &str = "queue_id, group_id, deduplication_id, message_id, message, expires_at";

/// Takes keys for new messages, by their message ids, and gives those that were taken before and have not expired.
/// At the most ten. Others who want one of them wait until this transaction ends. A purge of the queue forgets what was
/// taken before it: every key is known for the same time, so its end tells when it was taken.
pub async fn take(
    tx: &mut Tx,
    queue_id: i64,
    keys: &BTreeMap<Key, String>,
    expires_at: Timestamp,
) -> Result<BTreeMap<Key, Taken>, Error> {
    let now = tx.now();
    let row = |n: usize| format!("($1, {}, 0, $2)", placeholders(3 * n + 4, 3));
    let rows: Vec<String> = (0..keys.len()).map(row).collect();
    let sql = format!(
        "INSERT INTO deduplications ({COLUMNS}) VALUES {} ON CONFLICT (queue_id, group_id, deduplication_id) \
         DO UPDATE SET message_id = excluded.message_id, message = 0, expires_at = excluded.expires_at \
         WHERE deduplications.expires_at <= $3 \
         OR deduplications.expires_at <= (SELECT purged_at FROM queues WHERE id = $1) + ($2 - $3) \
         RETURNING group_id, deduplication_id",
        rows.join(", ")
    );
    let mut values = args![queue_id, expires_at, now];
    keys.iter().for_each(|((group, id), message)| values.extend(args![group, id, message]));
    let mut fresh = HashSet::new();
    for row in tx.all(AssertSqlSafe(sql), values).await? {
        fresh.insert((row.text("group_id")?, row.text("deduplication_id")?));
    }
    let mut taken = BTreeMap::new();
    for key in keys.keys().filter(|key| !fresh.contains(*key)) {
        let row = tx
            .one(
                "SELECT message_id, message FROM deduplications \
                 WHERE queue_id = $1 AND group_id = $2 AND deduplication_id = $3",
                args![queue_id, &key.0, &key.1],
            )
            .await?;
        let row = row.ok_or_else(|| Error::corrupt("a deduplication is gone while it is held"))?;
        taken.insert(key.clone(), Taken { message_id: row.text("message_id")?, message: row.int("message")? });
    }
    Ok(taken)
}

/// Notes the rows of the messages that were then added.
pub async fn note(tx: &mut Tx, queue_id: i64, rows: &[(Key, i64)]) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let row = |n: usize| format!("($1, {}, '', ${}, 0)", placeholders(3 * n + 2, 2), 3 * n + 4);
    let rows_given: Vec<String> = (0..rows.len()).map(row).collect();
    let sql = format!(
        "INSERT INTO deduplications ({COLUMNS}) VALUES {} ON CONFLICT (queue_id, group_id, deduplication_id) \
         DO UPDATE SET message = excluded.message",
        rows_given.join(", ")
    );
    let mut values = args![queue_id];
    rows.iter().for_each(|((group, id), message)| values.extend(args![group, id, *message]));
    tx.run(AssertSqlSafe(sql), values).await.map(|_| ())
}

/// Forgets up to `limit` that have expired. Gives how many. Passes over those that somebody takes again just now.
pub async fn forget_expired(tx: &mut Tx, limit: u32) -> Result<u64, Error> {
    let now = tx.now();
    let sql = format!(
        "DELETE FROM deduplications WHERE (queue_id, group_id, deduplication_id) IN (SELECT queue_id, group_id, deduplication_id FROM deduplications WHERE expires_at <= $1 \
         ORDER BY expires_at LIMIT $2 {})",
        tx.engine().skip_locked()
    );
    tx.run(AssertSqlSafe(sql), args![now, limit]).await
}
