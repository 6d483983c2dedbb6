//! Jobs of the system's queues, waiting or given up, for who looks for those of an account: whose a job is stands in its text only.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Timestamp};
use crate::store::engine::rows::placeholders;
use crate::store::queue::claim_ends::regroup;
use crate::store::queue::groups::close_empty;
use crate::store::{Error, Row, Tx, Value, args};

/// A job as it stands in its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the store.
    pub id: i64,
    /// Its place among the jobs of its part of the queue.
    pub place: Place,
    /// Whether it waits because it was put off: neither a worker holds it, nor has an attempt failed since.
    pub is_put_off: bool,
    /// What to do: JSON that the queue's worker understands.
    pub body: String,
}

/// A place in a part of a queue.
pub type Place = (Timestamp, i64);

/// A part of a queue: each has an index of its own. A query of both would go through all messages where one part is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Jobs in groups, in the order in which they were added. Index: messages_grouped_by_age.
    InGroups,
    /// The others, in the order in which they are visible. One that a worker takes up meanwhile is met again, or not at all.
    /// Index: messages_by_visibility.
    Others,
}

/// The jobs of a part of a queue after a place, in order; `limit` at the most.
pub async fn page(
    tx: &mut Tx,
    queue_id: i64,
    part: Part,
    after: Option<Place>,
    limit: u32,
) -> Result<Vec<Queued>, Error> {
    let (time, id) = after.unwrap_or((Timestamp::from_secs(0), 0));
    let (column, condition) = match part {
        Part::InGroups => ("sent_at", "grouped > 0"),
        Part::Others => ("visible_at", "grouped = 0"),
    };
    let sql = format!(
        "SELECT id, {column} AS time, visible_at, holder, why, body FROM messages WHERE queue_id = $1 AND {condition} \
         AND ({column}, id) > ($2, $3) ORDER BY {column}, id LIMIT $4"
    );
    let now = tx.now();
    let rows = tx.all(AssertSqlSafe(sql), args![queue_id, time, id, limit]).await?;
    let read = |row: &Row| {
        let waits = row.opt_text("holder")?.is_none() && row.opt_text("why")?.is_none();
        let id = row.int("id")?;
        Ok(Queued {
            id,
            place: (row.time("time")?, id),
            is_put_off: waits && row.time("visible_at")? > now,
            body: row.text("body")?,
        })
    };
    rows.iter().map(read).collect()
}

/// Those of the mails, sent or received, that are the account's.
pub async fn mails_of(tx: &mut Tx, account: &AccountId, mails: &[&str]) -> Result<HashSet<String>, Error> {
    those(tx, account, mails, |placeholders| {
        format!(
            "SELECT id FROM mails WHERE account = $1 AND id IN ({placeholders}) \
             UNION ALL SELECT id FROM inbound_mails WHERE account = $1 AND id IN ({placeholders})"
        )
    })
    .await
}

/// Those of the subscriptions, by the last part of their ARNs, whose topic is the account's.
pub async fn subscriptions_of(tx: &mut Tx, account: &AccountId, uuids: &[&str]) -> Result<HashSet<String>, Error> {
    those(tx, account, uuids, |placeholders| {
        format!(
            "SELECT s.uuid AS id FROM subscriptions s JOIN topics t ON t.id = s.topic_id \
             WHERE t.account = $1 AND s.uuid IN ({placeholders})"
        )
    })
    .await
}

/// Those of the fan-outs under way, by the ids of their messages, whose topic is the account's.
pub async fn fan_outs_of(tx: &mut Tx, account: &AccountId, messages: &[&str]) -> Result<HashSet<String>, Error> {
    those(tx, account, messages, |placeholders| {
        let of = |topics: &str| {
            format!(
                "SELECT f.message_id AS id FROM fan_outs f JOIN {topics} t ON t.id = f.topic_id \
                 WHERE t.account = $1 AND f.message_id IN ({placeholders})"
            )
        };
        format!("{} UNION ALL {}", of("topics"), of("ended_topics"))
    })
    .await
}

async fn those(
    tx: &mut Tx,
    account: &AccountId,
    ids: &[&str],
    sql: impl Fn(&str) -> String,
) -> Result<HashSet<String>, Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let values = std::iter::once(Value::from(account)).chain(ids.iter().map(|id| Value::from(*id))).collect();
    let rows = tx.all(AssertSqlSafe(sql(&placeholders(2, ids.len()))), values).await?;
    rows.iter().map(|row| row.text("id")).collect()
}

/// Takes jobs away, and the groups that they were the last of. Gives the ids of those that were there.
pub async fn delete(tx: &mut Tx, ids: &[i64]) -> Result<HashSet<i64>, Error> {
    // In the order in which all take them: two who take the same jobs must not wait for each other.
    let sql = format!(
        "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE id IN ({}) AND queue_id < 0 ORDER BY id {}) \
         RETURNING id, queue_id, group_id",
        placeholders(1, ids.len()),
        tx.engine().for_update()
    );
    let rows = tx.all(AssertSqlSafe(sql), ids.iter().map(|id| Value::from(*id)).collect()).await?;
    let (mut gone, mut left) = (HashSet::new(), BTreeMap::<i64, BTreeSet<String>>::new());
    for row in &rows {
        gone.insert(row.int("id")?);
        if let Some(group) = row.opt_text("group_id")? {
            left.entry(row.int("queue_id")?).or_default().insert(group);
        }
    }
    for (queue_id, groups) in left {
        close_empty(tx, queue_id, &groups.into_iter().collect::<Vec<_>>()).await?;
    }
    Ok(gone)
}

/// Makes jobs of a queue visible that were put off; gives how many.
pub async fn wake(tx: &mut Tx, queue_id: i64, ids: &[i64]) -> Result<usize, Error> {
    let now = tx.now();
    let sql = format!(
        "UPDATE messages SET visible_at = $1 WHERE id IN (SELECT id FROM messages WHERE id IN ({}) AND queue_id = $2 \
         AND holder IS NULL AND why IS NULL AND visible_at > $1 ORDER BY id {}) \
         RETURNING queue_id, group_id, grouped, visible_at",
        placeholders(3, ids.len()),
        tx.engine().skip_locked()
    );
    let values = args![now, queue_id].into_iter().chain(ids.iter().map(|id| Value::from(*id))).collect();
    let woken = tx.all(AssertSqlSafe(sql), values).await?;
    regroup(tx, &woken).await?;
    tx.ring(queue_id, woken.len());
    Ok(woken.len())
}
