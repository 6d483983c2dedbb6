//! How much waits in queues, counted within bounds: for metrics, which are asked for often and of all queues.
use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::engine::rows::placeholders;
use crate::store::queue::backlog::Counts;
use crate::store::{Error, Row, Tx, Value, args};

/// What waits in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many messages there are in each state.
    pub counts: Counts,
    /// When the oldest one was added.
    pub oldest: Option<Timestamp>,
}

/// Counts the messages of a queue, up to `cap`: of those in groups the oldest ones, of the others those that are visible first.
pub async fn waiting(tx: &mut Tx, queue_id: i64, cap: u32) -> Result<Waiting, Error> {
    let now = tx.now();
    // Indexes: messages_grouped_by_age, messages_by_visibility.
    let part = |condition: &str, order: &str| {
        format!(
            "SELECT * FROM (SELECT visible_at, receipt, sent_at FROM messages WHERE queue_id = $2 AND {condition} \
             ORDER BY {order} LIMIT $3) AS part"
        )
    };
    let sum = |condition: &str| {
        format!("CAST(COALESCE(SUM(CASE WHEN visible_at > $1 AND {condition} THEN 1 ELSE 0 END), 0) AS BIGINT)")
    };
    let sql = format!(
        "SELECT COUNT(*) AS total, {} AS in_flight, {} AS hidden, MIN(sent_at) AS oldest FROM \
         (SELECT * FROM ({} UNION ALL {}) AS parts LIMIT $3) AS m",
        sum("receipt <> 0"),
        sum("receipt = 0"),
        part("grouped > 0", "sent_at, id"),
        part("grouped = 0", "visible_at, id")
    );
    let Some(row) = tx.one(AssertSqlSafe(sql), args![now, queue_id, cap]).await? else { return Ok(Waiting::default()) };
    let (in_flight, delayed) = (row.count("in_flight")?, row.count("hidden")?);
    let visible = row.count("total")?.saturating_sub(in_flight + delayed);
    Ok(Waiting { counts: Counts { visible, in_flight, delayed }, oldest: row.opt_time("oldest")? })
}

/// The first queue after `after` that has messages.
pub async fn next_queue(tx: &mut Tx, after: i64) -> Result<Option<i64>, Error> {
    // Indexes: messages_by_visibility, messages_grouped_by_age.
    let part = |condition: &str| {
        format!(
            "SELECT * FROM (SELECT queue_id FROM messages WHERE {condition} AND queue_id > $1 ORDER BY queue_id LIMIT 1) \
             AS part"
        )
    };
    let sql = format!(
        "SELECT MIN(queue_id) AS queue_id FROM ({} UNION ALL {}) AS parts",
        part("grouped > 0"),
        part("grouped = 0")
    );
    tx.one(AssertSqlSafe(sql), args![after]).await?.map_or(Ok(None), |row| row.opt_int("queue_id"))
}

/// Whose queues these are, and their names. Those that are deleted are not among them.
pub async fn names(tx: &mut Tx, ids: &[i64]) -> Result<HashMap<i64, (AccountId, Region, String)>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!("SELECT id, account, region, name FROM queues WHERE id IN ({})", placeholders(1, ids.len()));
    let rows = tx.all(AssertSqlSafe(sql), ids.iter().map(|id| Value::from(*id)).collect()).await?;
    let name = |row: &Row| Ok((row.int("id")?, (row.parsed("account")?, row.parsed("region")?, row.text("name")?)));
    rows.iter().map(name).collect()
}
