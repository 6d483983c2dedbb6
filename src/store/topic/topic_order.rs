//! What keeps the messages of FIFO topics in order, and apart: groups, what was published lately, sequence numbers.
use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::{Error, Tx, args};

/// Takes groups of a topic for this transaction: others who publish to one of them wait until it ends. Call before the
/// message gets its sequence number, so that the numbers grow within a group in the order of the commits.
pub async fn hold_groups(tx: &mut Tx, topic_id: i64, groups: &BTreeSet<&str>) -> Result<(), Error> {
    // SQLite has one writer.
    if !tx.engine().has_other_writers() || groups.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let rows: Vec<String> = (0..groups.len()).map(|n| format!("($1, ${}, $2)", n + 3)).collect();
    let sql = format!(
        "INSERT INTO topic_groups (topic_id, group_id, used_at) VALUES {} ON CONFLICT (topic_id, group_id) \
         DO UPDATE SET used_at = excluded.used_at",
        rows.join(", ")
    );
    let mut values = args![topic_id, now];
    groups.iter().for_each(|group| values.extend(args![*group]));
    tx.run(AssertSqlSafe(sql), values).await.map(drop)
}

/// A message that was published, or one that was published before under the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub message_id: String,
    /// Its number: grows within a group.
    pub sequence: i64,
    /// Whether it is new.
    pub fresh: bool,
}

/// Takes a key, a group (empty where the whole topic is the scope) and a deduplication id, for a new message until
/// `expires_at`. Gives the message that has it: the new one, or one before it that has not expired.
pub async fn take(
    tx: &mut Tx,
    topic_id: i64,
    key: (&str, &str),
    message_id: &str,
    expires_at: Timestamp,
) -> Result<Taken, Error> {
    let (now, (group, id)) = (tx.now(), key);
    tx.run(
        "DELETE FROM topic_deduplications WHERE topic_id = $1 AND group_id = $2 AND deduplication_id = $3 \
         AND expires_at <= $4",
        args![topic_id, group, id, now],
    )
    .await?;
    let added = tx
        .one(
            "INSERT INTO topic_deduplications (topic_id, group_id, deduplication_id, message_id, expires_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (topic_id, group_id, deduplication_id) DO NOTHING \
             RETURNING sequence",
            args![topic_id, group, id, message_id, expires_at],
        )
        .await?;
    if let Some(row) = added {
        return Ok(Taken { message_id: message_id.to_owned(), sequence: row.int("sequence")?, fresh: true });
    }
    let there = tx
        .one(
            "SELECT message_id, sequence FROM topic_deduplications \
             WHERE topic_id = $1 AND group_id = $2 AND deduplication_id = $3",
            args![topic_id, group, id],
        )
        .await?;
    let row = there.ok_or_else(|| Error::corrupt("a deduplication is gone while it is held"))?;
    Ok(Taken { message_id: row.text("message_id")?, sequence: row.int("sequence")?, fresh: false })
}

/// Forgets up to `limit` of what has expired, and of the groups that nobody used since `unused_since`. Gives how many.
pub async fn forget(tx: &mut Tx, unused_since: Timestamp, limit: u32) -> Result<u64, Error> {
    let now = tx.now();
    let expired =
        tx.all("SELECT sequence FROM topic_deduplications WHERE expires_at <= $1 LIMIT $2", args![now, limit]).await?;
    for lot in expired.chunks(100) {
        // Once more the time: the row is another one's where its key was taken again, and that one has not expired.
        let sql = format!(
            "DELETE FROM topic_deduplications WHERE expires_at <= $1 AND sequence IN ({})",
            placeholders(2, lot.len())
        );
        let mut values = args![now];
        for row in lot {
            values.extend(args![row.int("sequence")?]);
        }
        tx.run(AssertSqlSafe(sql), values).await?;
    }
    let groups = tx
        .run(
            "DELETE FROM topic_groups WHERE used_at < $1 AND (topic_id, group_id) IN \
             (SELECT topic_id, group_id FROM topic_groups WHERE used_at < $1 LIMIT $2)",
            args![unused_since, limit],
        )
        .await?;
    Ok(groups.max(expired.len() as u64))
}
