//! Replays of subscriptions: how far each has come through its topic's archive.
use sqlx::AssertSqlSafe;

use crate::base::AccountId;
use crate::store::topic::subscriptions::{Subscription, read};
use crate::store::{Error, Tx, args};

/// The subscription with this id, locked until the transaction ends.
pub async fn lock(tx: &mut Tx, id: i64) -> Result<Option<Subscription>, Error> {
    let sql = format!("SELECT * FROM subscriptions WHERE id = $1 {}", tx.engine().for_update());
    let row = tx.one(AssertSqlSafe(sql), args![id]).await?;
    row.as_ref().map(read).transpose()
}

/// Begins a replay, in the place of one that is under way: nothing new is delivered until it ends.
pub async fn begin(tx: &mut Tx, id: i64, replay_id: &str, after: i64, status: &str) -> Result<u64, Error> {
    tx.run(
        "UPDATE subscriptions SET live = 0, replaying = 1, replay_status = $1, replay_id = $2, replay_after = $3 \
         WHERE id = $4",
        args![status, replay_id, after, id],
    )
    .await
}

/// Notes how far a replay has come.
pub async fn advance(tx: &mut Tx, id: i64, after: i64, status: &str) -> Result<u64, Error> {
    tx.run("UPDATE subscriptions SET replay_after = $1, replay_status = $2 WHERE id = $3", args![after, status, id])
        .await
}

/// Ends a replay, or forgets it with no status. `live` says whether new messages are delivered from now on.
pub async fn end(tx: &mut Tx, id: i64, live: bool, status: Option<&str>) -> Result<u64, Error> {
    tx.run(
        "UPDATE subscriptions SET live = $1, replaying = 0, replay_status = $2 WHERE id = $3",
        args![live, status, id],
    )
    .await
}

/// Subscriptions with a replay under way, after the one with id `after`, each with its owner; `limit` at the most.
pub async fn due(tx: &mut Tx, after: i64, limit: u32) -> Result<Vec<(i64, AccountId)>, Error> {
    // Index: subscriptions_replaying.
    let rows = tx
        .all(
            "SELECT id, owner FROM subscriptions WHERE replaying = 1 AND state = 1 AND id > $1 ORDER BY id LIMIT $2",
            args![after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((row.int("id")?, row.parsed("owner")?))).collect()
}

/// Ends all replays of a topic that are under way; new messages are delivered from now on.
pub async fn end_all(tx: &mut Tx, topic_id: i64, status: &str) -> Result<u64, Error> {
    tx.run(
        "UPDATE subscriptions SET live = 1, replaying = 0, replay_status = $1 WHERE topic_id = $2 AND replaying = 1",
        args![status, topic_id],
    )
    .await
}
