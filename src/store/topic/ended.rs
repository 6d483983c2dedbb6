//! Subscriptions and topics that were ended while messages were on their way: what is needed to deliver these.
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::topic::subscriptions::{self, Subscription};
use crate::store::topic::topics::{self, Topic};
use crate::store::{Error, Tx, args};

/// Where a walk through what was ended stands, by the time of the end and the id. `Place::default()` is the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    ended_at: i64,
    id: i64,
}

/// The columns of a subscription that are kept.
const KEPT: &str = "id, topic_id, uuid, owner, protocol, endpoint, state, raw, attributes, token, token_expires_at, \
                    authenticated, live, replay_status, replay_id, replay_after";

/// Keeps a topic that is about to be deleted, with its confirmed subscriptions.
pub async fn keep_topic(tx: &mut Tx, id: i64) -> Result<(), Error> {
    let now = tx.counting_now().await?;
    let sql = "INSERT INTO ended_topics (id, account, region, name, attributes, tags, ended_at) \
               SELECT id, account, region, name, attributes, tags, $1 FROM topics WHERE id = $2 \
               ON CONFLICT (id) DO NOTHING";
    tx.run(sql, args![now, id]).await?;
    keep_subscriptions(tx, "topic_id", id).await
}

/// Keeps a confirmed subscription that is about to be ended.
pub async fn keep_subscription(tx: &mut Tx, id: i64) -> Result<(), Error> {
    keep_subscriptions(tx, "id", id).await
}

async fn keep_subscriptions(tx: &mut Tx, column: &str, id: i64) -> Result<(), Error> {
    let now = tx.counting_now().await?;
    // They are held: who leaves by the link meanwhile must find what is kept, to take it away. One that was ended, restored and
    // is ended again is there already.
    let held = tx.engine().for_update();
    let sql = format!(
        "INSERT INTO ended_subscriptions ({KEPT}, ended_at) SELECT {KEPT}, $1 FROM subscriptions \
         WHERE {column} = $2 AND state = 1 {held} \
         ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, attributes = excluded.attributes, \
         raw = excluded.raw, live = excluded.live, authenticated = excluded.authenticated"
    );
    tx.run(AssertSqlSafe(sql), args![now, id]).await.map(drop)
}

/// A topic that was deleted, as it was.
pub async fn topic(tx: &mut Tx, id: i64) -> Result<Option<Topic>, Error> {
    let row = tx.one("SELECT * FROM ended_topics WHERE id = $1", args![id]).await?;
    row.as_ref().map(topics::read).transpose()
}

/// A subscription that was ended, as it was, by the last part of its ARN.
pub async fn subscription(tx: &mut Tx, uuid: &str) -> Result<Option<Subscription>, Error> {
    let row = tx.one("SELECT * FROM ended_subscriptions WHERE uuid = $1", args![uuid]).await?;
    row.as_ref().map(subscriptions::read).transpose()
}

/// Takes a subscription away that was ended: nothing that is on its way to it is delivered any more.
pub async fn discard(tx: &mut Tx, uuid: &str) -> Result<u64, Error> {
    tx.run("DELETE FROM ended_subscriptions WHERE uuid = $1", args![uuid]).await
}

/// The subscriptions of a topic that got what was published at `at` and were ended since, after the one with id `after`,
/// oldest first; `limit` at the most.
pub async fn subscribed(
    tx: &mut Tx,
    topic_id: i64,
    at: Timestamp,
    after: i64,
    limit: u32,
) -> Result<Vec<Subscription>, Error> {
    // Index: ended_subscriptions_by_topic.
    let sql = "SELECT * FROM ended_subscriptions WHERE topic_id = $1 AND id > $2 AND ended_at >= $3 AND live = 1 \
               ORDER BY id LIMIT $4";
    let rows = tx.all(sql, args![topic_id, after, at, limit]).await?;
    rows.iter().map(subscriptions::read).collect()
}

/// Looks at up to `limit` subscriptions that were ended before `before`, after `place`, from the oldest on. Gives the ids of
/// those of which no message is on its way any more: none waits in `queues`, and no fan-out of their topic is under way that was
/// begun before they ended; those that were ended before `anyway` are among them in any case. Gives too where to go on, if there
/// is more.
pub async fn settled(
    tx: &mut Tx,
    (before, anyway): (Timestamp, Timestamp),
    queues: [i64; 2],
    place: Place,
    limit: u32,
) -> Result<(Vec<i64>, Option<Place>), Error> {
    // Indexes: ended_subscriptions_by_age, fan_outs_by_topic, the key of message_groups.
    let sql = "SELECT e.id, e.ended_at, CAST(CASE WHEN e.ended_at < $2 OR \
               (NOT EXISTS (SELECT 1 FROM fan_outs f WHERE f.topic_id = e.topic_id AND f.created_at <= e.ended_at) \
               AND NOT EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = $3 AND g.group_id = e.uuid) \
               AND NOT EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = $4 AND g.group_id = e.uuid)) \
               THEN 1 ELSE 0 END AS BIGINT) AS settled FROM ended_subscriptions e \
               WHERE e.ended_at < $1 AND (e.ended_at, e.id) > ($5, $6) ORDER BY e.ended_at, e.id LIMIT $7";
    let [first, second] = queues;
    let rows = tx.all(sql, args![before, anyway, first, second, place.ended_at, place.id, limit]).await?;
    let next = match rows.last().filter(|_| rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX)) {
        Some(last) => Some(Place { ended_at: last.int("ended_at")?, id: last.int("id")? }),
        None => None,
    };
    let mut settled = Vec::new();
    for row in &rows {
        if row.flag("settled")? {
            settled.push(row.int("id")?);
        }
    }
    Ok((settled, next))
}

/// Forgets subscriptions that were ended before `before`. Gives how many rows went.
pub async fn forget(tx: &mut Tx, subscriptions: &[i64], before: Timestamp) -> Result<u64, Error> {
    if subscriptions.is_empty() {
        return Ok(0);
    }
    // Twice the condition: one may have been restored and ended again.
    let placeholders = placeholders(2, subscriptions.len());
    let sql = format!("DELETE FROM ended_subscriptions WHERE ended_at < $1 AND id IN ({placeholders})");
    let ids = subscriptions.iter().map(|id| (*id).into());
    tx.run(AssertSqlSafe(sql), std::iter::once(before.into()).chain(ids).collect()).await
}

/// Forgets up to `limit` topics that were deleted before `before`, of which no subscription is kept and no fan-out is under way;
/// those that were deleted before `anyway` in spite of a fan-out. Gives how many rows went.
pub async fn forget_topics(tx: &mut Tx, (before, anyway): (Timestamp, Timestamp), limit: u32) -> Result<u64, Error> {
    // A fan-out of the topic may be under way all the same, where nobody who is left to serve has ended.
    // Indexes: ended_topics_by_age, ended_subscriptions_by_topic, fan_outs_by_topic.
    let sql = "DELETE FROM ended_topics WHERE id IN (SELECT t.id FROM ended_topics t WHERE t.ended_at < $1 \
               AND NOT EXISTS (SELECT 1 FROM ended_subscriptions e WHERE e.topic_id = t.id) AND (t.ended_at < $2 \
               OR NOT EXISTS (SELECT 1 FROM fan_outs f WHERE f.topic_id = t.id AND f.created_at <= t.ended_at)) LIMIT $3)";
    tx.run(sql, args![before, anyway, limit]).await
}
