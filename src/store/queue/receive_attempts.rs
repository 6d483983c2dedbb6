//! Receives that may be repeated under their ReceiveRequestAttemptId: which messages they gave.
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::queue::claimed::Claimed;
use crate::store::{Error, Tx, args};

/// A receive that was answered.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The receipt of its claim.
    pub receipt: i64,
    /// Until when it hid the messages.
    pub hidden_until: Timestamp,
    /// JSON: the rows of the messages.
    pub messages: String,
}

/// Finds a receive that has not expired.
pub async fn find(tx: &mut Tx, queue_id: i64, attempt_id: &str) -> Result<Option<Attempt>, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "SELECT receipt, hidden_until, messages FROM receive_attempts \
             WHERE queue_id = $1 AND attempt_id = $2 AND expires_at > $3",
            args![queue_id, attempt_id, now],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Attempt {
        receipt: row.int("receipt")?,
        hidden_until: row.time("hidden_until")?,
        messages: row.text("messages")?,
    }))
}

/// Notes a receive, in place of an earlier one of the same id.
pub async fn note(
    tx: &mut Tx,
    queue_id: i64,
    attempt_id: &str,
    attempt: &Attempt,
    expires_at: Timestamp,
) -> Result<(), Error> {
    tx.run(
        "INSERT INTO receive_attempts (queue_id, attempt_id, receipt, hidden_until, messages, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (queue_id, attempt_id) DO UPDATE SET receipt = excluded.receipt, \
         hidden_until = excluded.hidden_until, messages = excluded.messages, expires_at = excluded.expires_at",
        args![queue_id, attempt_id, attempt.receipt, attempt.hidden_until, &attempt.messages, expires_at],
    )
    .await
    .map(|_| ())
}

/// The messages of a receive that are still as it left them: in flight, not changed.
pub async fn untouched(tx: &mut Tx, queue_id: i64, attempt: &Attempt, ids: &[i64]) -> Result<Vec<Claimed>, Error> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let sql = format!(
        "SELECT * FROM messages WHERE queue_id = $1 AND receipt = $2 AND visible_at = $3 AND id IN ({}) ORDER BY id",
        placeholders(4, ids.len())
    );
    let mut values = args![queue_id, attempt.receipt, attempt.hidden_until];
    ids.iter().for_each(|id| values.extend(args![*id]));
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(Claimed::read).collect()
}

/// How many of these messages are there.
pub async fn count(tx: &mut Tx, queue_id: i64, ids: &[i64]) -> Result<usize, Error> {
    let sql =
        format!("SELECT COUNT(*) AS n FROM messages WHERE queue_id = $1 AND id IN ({})", placeholders(2, ids.len()));
    let mut values = args![queue_id];
    ids.iter().for_each(|id| values.extend(args![*id]));
    let row = tx.one(AssertSqlSafe(sql), values).await?;
    row.map_or(Ok(0), |row| row.count("n").map(|n| n as usize))
}

/// Forgets up to `limit` that have expired. Gives how many. Passes over those that somebody takes again just now.
pub async fn forget_expired(tx: &mut Tx, limit: u32) -> Result<u64, Error> {
    let now = tx.now();
    let sql = format!(
        "DELETE FROM receive_attempts WHERE (queue_id, attempt_id) IN (SELECT queue_id, attempt_id FROM receive_attempts WHERE expires_at <= $1 \
         ORDER BY expires_at LIMIT $2 {})",
        tx.engine().skip_locked()
    );
    tx.run(AssertSqlSafe(sql), args![now, limit]).await
}
