//! Publications: what was published, kept once while delivery jobs still refer to it; and the attempts to deliver.
use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::{Error, Tx, Value, args};

/// Keeps what `remaining` delivery jobs refer to.
pub async fn insert(tx: &mut Tx, message_id: &str, content: &str, remaining: u32) -> Result<u64, Error> {
    let now = tx.now();
    tx.run(
        "INSERT INTO publications (message_id, content, remaining, created_at) VALUES ($1, $2, $3, $4)",
        args![message_id, content, remaining, now],
    )
    .await
}

/// Reads a publication. `None` when all its deliveries have ended.
pub async fn content(tx: &mut Tx, message_id: &str) -> Result<Option<String>, Error> {
    let row = tx.one("SELECT content FROM publications WHERE message_id = $1", args![message_id]).await?;
    row.map(|row| row.text("content")).transpose()
}

/// Notes that one delivery has ended, and takes the publication away with the last one.
pub async fn ended(tx: &mut Tx, message_id: &str) -> Result<(), Error> {
    tx.run("UPDATE publications SET remaining = remaining - 1 WHERE message_id = $1", args![message_id]).await?;
    tx.run("DELETE FROM publications WHERE message_id = $1 AND remaining <= 0", args![message_id]).await?;
    Ok(())
}

/// Notes that some deliveries of each of these have ended, and takes those away whose last it was.
pub async fn ended_many(tx: &mut Tx, ended: &BTreeMap<String, i64>) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    for (message_id, deliveries) in ended {
        let sql = "UPDATE publications SET remaining = remaining - $2 WHERE message_id = $1";
        tx.run(sql, args![message_id, *deliveries]).await?;
    }
    let placeholders = placeholders(1, ended.len());
    let sql = format!("DELETE FROM publications WHERE message_id IN ({placeholders}) AND remaining <= 0");
    tx.run(AssertSqlSafe(sql), ended.keys().map(Value::from).collect()).await.map(drop)
}

/// Takes up to `limit` publications away that are older than `before`: nothing refers to them any more.
pub async fn expire(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, Error> {
    tx.run(
        "DELETE FROM publications WHERE message_id IN \
         (SELECT message_id FROM publications WHERE created_at < $1 LIMIT $2)",
        args![before, limit],
    )
    .await
}

/// One attempt to hand a message to an HTTP endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The last part of the subscription's ARN.
    pub subscription: String,
    /// The message's id.
    pub message_id: String,
    /// 1 for the first.
    pub attempt: u32,
    /// When it started.
    pub at: Timestamp,
    /// The HTTP status, when there was an answer.
    pub status: Option<u32>,
    /// How long it took.
    pub latency_micros: i64,
    /// `delivered`, or why it failed.
    pub outcome: String,
    /// The first bytes of the answer.
    pub answer: String,
}

/// Keeps an attempt.
pub async fn insert_attempt(tx: &mut Tx, attempt: &Attempt) -> Result<u64, Error> {
    tx.run(
        "INSERT INTO delivery_attempts (subscription, message_id, attempt, at, status, latency_micros, outcome, answer) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            &attempt.subscription,
            &attempt.message_id,
            attempt.attempt,
            attempt.at,
            attempt.status,
            attempt.latency_micros,
            &attempt.outcome,
            &attempt.answer
        ],
    )
    .await
}

/// The newest attempts of a subscription, newest first; `limit` at the most.
pub async fn attempts(tx: &mut Tx, subscription: &str, limit: u32) -> Result<Vec<Attempt>, Error> {
    // Index: delivery_attempts_by_subscription.
    let rows = tx
        .all(
            "SELECT * FROM delivery_attempts WHERE subscription = $1 ORDER BY at DESC, id DESC LIMIT $2",
            args![subscription, limit],
        )
        .await?;
    let read = |row: &crate::store::Row| {
        Ok(Attempt {
            subscription: row.text("subscription")?,
            message_id: row.text("message_id")?,
            attempt: row.count("attempt")?,
            at: row.time("at")?,
            status: row.opt_int("status")?.and_then(|status| u32::try_from(status).ok()),
            latency_micros: row.int("latency_micros")?,
            outcome: row.text("outcome")?,
            answer: row.text("answer")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Takes all attempts of a subscription away but the newest `keep`.
pub async fn trim_attempts(tx: &mut Tx, subscription: &str, keep: u32) -> Result<u64, Error> {
    tx.run(
        "DELETE FROM delivery_attempts WHERE subscription = $1 AND id <= \
         (SELECT id FROM delivery_attempts WHERE subscription = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
        args![subscription, keep],
    )
    .await
}

/// Takes up to `limit` attempts away that are older than `before`.
pub async fn expire_attempts(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, Error> {
    tx.run(
        "DELETE FROM delivery_attempts WHERE id IN (SELECT id FROM delivery_attempts WHERE at < $1 LIMIT $2)",
        args![before, limit],
    )
    .await
}
