//! What waits in a queue as a whole: how much, until when, and what is too old.
use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::queue::claimed::Claimed;
use crate::store::queue::groups::close_empty;
use crate::store::queue::ordered;
use crate::store::{Error, Row, Tx, args};

/// The approximate numbers of SQS: what can be received now, what is in flight, what is delayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Visible now.
    pub visible: u32,
    /// Received and hidden.
    pub in_flight: u32,
    /// Never received, and hidden.
    pub delayed: u32,
}

/// Counts the messages of a queue. Walks an index over all of them.
pub async fn counts(tx: &mut Tx, queue_id: i64) -> Result<Counts, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "SELECT COUNT(*) AS total, \
             CAST(COALESCE(SUM(CASE WHEN visible_at > $1 AND receipt <> 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS in_flight, \
             CAST(COALESCE(SUM(CASE WHEN visible_at > $1 AND receipt = 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS delayed \
             FROM (SELECT visible_at, receipt FROM messages WHERE queue_id = $2 AND grouped = 0 \
             UNION ALL SELECT visible_at, receipt FROM messages WHERE queue_id = $2 AND grouped > 0) AS m",
            args![now, queue_id],
        )
        .await?;
    let Some(row) = row else { return Ok(Counts::default()) };
    let (in_flight, delayed) = (row.count("in_flight")?, row.count("delayed")?);
    Ok(Counts { visible: row.count("total")?.saturating_sub(in_flight + delayed), in_flight, delayed })
}

/// How many messages of a queue are in flight, counted up to `max`.
pub async fn in_flight(tx: &mut Tx, queue_id: i64, max: u32) -> Result<u32, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "SELECT COUNT(*) AS in_flight FROM (\
             SELECT * FROM (SELECT 1 AS one FROM messages WHERE queue_id = $1 AND grouped = 0 AND visible_at > $2 \
             AND receipt <> 0 LIMIT $3) AS u UNION ALL \
             SELECT * FROM (SELECT 1 AS one FROM messages WHERE queue_id = $1 AND grouped > 0 AND visible_at > $2 \
             AND receipt <> 0 LIMIT $3) AS g) AS m",
            args![queue_id, now, max],
        )
        .await?;
    row.map_or(Ok(0), |row| row.count("in_flight"))
}

/// When the next hidden message becomes visible, or the turn of the next group comes.
pub async fn next_visible_at(tx: &mut Tx, queue_id: i64) -> Result<Option<Timestamp>, Error> {
    let row = tx
        .one(
            "SELECT MIN(at) AS at FROM (SELECT MIN(visible_at) AS at FROM messages WHERE queue_id = $1 AND grouped = 0 \
             UNION ALL SELECT MIN(ready_at) AS at FROM message_groups WHERE queue_id = $1) AS next",
            args![queue_id],
        )
        .await?;
    row.map_or(Ok(None), |row| row.opt_time("at"))
}

/// Reads up to `limit` messages of a queue without claiming them, oldest first: as many as have `octets` together, or the first.
pub async fn peek(tx: &mut Tx, queue_id: i64, limit: u32, octets: u64) -> Result<Vec<Claimed>, Error> {
    const SIZES: &str = "id, sent_at, LENGTH(body) + COALESCE(LENGTH(attributes), 0) AS octets";
    let sizes = format!(
        "SELECT * FROM (SELECT * FROM (SELECT {SIZES} FROM messages WHERE queue_id = $1 AND grouped = 0 \
         ORDER BY visible_at, id LIMIT $2) AS u UNION ALL SELECT * FROM (SELECT {SIZES} FROM messages \
         WHERE queue_id = $1 AND grouped > 0 ORDER BY sent_at, id LIMIT $2) AS g) AS m ORDER BY sent_at, id LIMIT $2"
    );
    let (mut ids, mut size) = (Vec::new(), 0_u64);
    for row in tx.all(AssertSqlSafe(sizes), args![queue_id, limit]).await? {
        size = size.saturating_add(u64::try_from(row.int("octets")?).unwrap_or(0));
        if !ids.is_empty() && size > octets {
            break;
        }
        ids.push(row.int("id")?.to_string());
    }
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let sql = format!(
        "SELECT id, 0 AS receipt, receive_count, receives_before, sent_at, COALESCE(first_received_at, sent_at) AS \
         first_received_at, message_id, group_id, deduplication_id, sender, dead_letter_source, attributes, \
         trace_header, body FROM messages WHERE queue_id = $1 AND id IN ({}) ORDER BY sent_at, id",
        ids.join(", ")
    );
    tx.all(AssertSqlSafe(sql), args![queue_id]).await?.iter().map(Claimed::read).collect()
}

/// Takes up to `limit` of a queue's messages away that are not newer than `before`. Gives how many. With `pass_over`
/// those that another transaction holds are left: who waits for several may meet one who waits for him.
pub async fn purge(tx: &mut Tx, queue_id: i64, before: Timestamp, limit: u32, pass_over: bool) -> Result<u64, Error> {
    let how = if pass_over { tx.engine().skip_locked() } else { "" };
    let sql = format!(
        "DELETE FROM messages WHERE queue_id = $1 AND id IN (SELECT id FROM messages WHERE queue_id = $1 \
         AND grouped = 0 AND sent_at <= $2 LIMIT $3 {how})"
    );
    let gone = tx.run(AssertSqlSafe(sql), args![queue_id, before, limit]).await?;
    let rest = limit.saturating_sub(u32::try_from(gone).unwrap_or(limit));
    Ok(gone + remove_grouped(tx, queue_id, before, rest, how).await?)
}

/// Takes up to `limit` messages away that are older than `before`. Gives how many.
pub async fn expire(tx: &mut Tx, queue_id: i64, before: Timestamp, limit: u32) -> Result<u64, Error> {
    // A message in no group that nobody has touched since then; one that was touched is dropped when it is claimed.
    // Whoever holds a row just now has touched it.
    let how = tx.engine().skip_locked();
    let sql = format!(
        "DELETE FROM messages WHERE queue_id = $1 AND id IN (SELECT id FROM messages WHERE queue_id = $1 \
         AND grouped = 0 AND visible_at < $2 LIMIT $3 {how})"
    );
    let gone = tx.run(AssertSqlSafe(sql), args![queue_id, before, limit]).await?;
    let rest = limit.saturating_sub(u32::try_from(gone).unwrap_or(limit));
    let older = before - Duration::from_micros(1);
    Ok(gone + remove_grouped(tx, queue_id, older, rest, how).await?)
}

/// So many are removed in one statement.
const AT_ONCE: usize = 500;

/// Index: messages_grouped_by_age.
async fn remove_grouped(tx: &mut Tx, queue_id: i64, before: Timestamp, limit: u32, how: &str) -> Result<u64, Error> {
    if limit == 0 {
        return Ok(0);
    }
    let rows = tx
        .all(
            "SELECT id, group_id, grouped FROM messages WHERE queue_id = $1 AND grouped > 0 AND sent_at <= $2 \
             ORDER BY sent_at, id LIMIT $3",
            args![queue_id, before, limit],
        )
        .await?;
    let of_kind = |kind: i64| {
        let group = |row: &Row| Ok((row.int("grouped")? == kind).then_some(row.opt_text("group_id")?).flatten());
        let groups = rows.iter().map(group).collect::<Result<Vec<_>, Error>>()?;
        Ok::<BTreeSet<String>, Error>(groups.into_iter().flatten().collect())
    };
    let (turns, order) = (of_kind(1)?, of_kind(2)?);
    ordered::hold(tx, queue_id, &order).await?;
    let mut gone = 0;
    for chunk in rows.chunks(AT_ONCE) {
        let sql = format!(
            "DELETE FROM messages WHERE queue_id = $1 AND id IN (SELECT id FROM messages WHERE id IN ({}) {how})",
            placeholders(2, chunk.len())
        );
        let mut values = args![queue_id];
        for row in chunk {
            values.extend(args![row.int("id")?]);
        }
        gone += tx.run(AssertSqlSafe(sql), values).await?;
    }
    ordered::refresh(tx, queue_id, &order).await?;
    close_empty(tx, queue_id, &turns.into_iter().collect::<Vec<_>>()).await?;
    Ok(gone)
}

/// A job as it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Not before this time.
    pub visible_at: Timestamp,
    /// Whether a worker holds it.
    pub held: bool,
    /// The reason of its last move.
    pub why: Option<String>,
}

/// The message of a group with this very body. Goes through the group (index `messages_of_group`): for people, not for workers.
pub async fn find(tx: &mut Tx, queue_id: i64, group: &str, body: &str) -> Result<Option<Waiting>, Error> {
    let sql = "SELECT visible_at, holder, why FROM messages WHERE queue_id = $1 AND group_id = $2 AND grouped = 1 \
               AND body = $3 LIMIT 1";
    let row = tx.one(sql, args![queue_id, group, body]).await?;
    let read = |row: Row| {
        let held = row.opt_text("holder")?.is_some();
        Ok(Waiting { visible_at: row.time("visible_at")?, held, why: row.opt_text("why")? })
    };
    row.map(read).transpose()
}
