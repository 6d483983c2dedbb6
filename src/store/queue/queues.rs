//! Queues: the rows that say how a queue behaves.
use serde::{Deserialize, Serialize};

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::engine::kept_table::KeptTable;
use crate::store::engine::rows::placeholders;
use crate::store::queue::adding::chunks;
use crate::store::{Error, Row, Tx, args};

pub(in crate::store) const QUEUES: KeptTable = KeptTable::new("queues");

/// A user's queue as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The number that its messages carry. Users' queues count from 1; the system's own are negative.
    pub id: i64,
    /// Owner.
    pub account: AccountId,
    /// Where it lives.
    pub region: Region,
    /// Unique within account and region.
    pub name: String,
    /// Changed together by SetQueueAttributes.
    pub settings: Settings,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an attribute was last changed.
    pub modified_at: Timestamp,
    /// When it was last purged.
    pub purged_at: Option<Timestamp>,
    /// Whether messages in groups waited there when it was read.
    pub has_groups: bool,
}

/// How a queue behaves. Times in seconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a received message stays hidden.
    pub visibility_timeout: u32,
    /// How long a new message stays hidden.
    pub delay: u32,
    /// How long a message is kept.
    pub retention: u32,
    /// The largest message, body and attributes together.
    pub message_size_max: u32,
    /// How long a receive waits for a message.
    pub receive_wait: u32,
    /// ARN of the queue that takes messages received too often.
    pub dead_letter_queue: Option<String>,
    /// How often a message is received before it moves there.
    pub receives_max: Option<u32>,
    /// JSON object: attributes that are kept for the user.
    pub attributes: String,
    /// What only a FIFO queue has.
    pub fifo: Option<Fifo>,
}

/// How a FIFO queue behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fifo {
    /// Whether a message without a deduplication id gets one from its body.
    pub content_based: bool,
    /// Whether two messages are the same only within a group.
    pub deduplicates_per_group: bool,
    /// What FifoThroughputLimit says. There is no limit here either way.
    pub limit_per_group: bool,
}

fn read(row: &Row) -> Result<Queue, Error> {
    Ok(Queue {
        id: row.int("id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        settings: Settings {
            visibility_timeout: row.count("visibility_timeout")?,
            delay: row.count("delay")?,
            retention: row.count("retention")?,
            message_size_max: row.count("message_size_max")?,
            receive_wait: row.count("receive_wait")?,
            dead_letter_queue: row.opt_text("dead_letter_queue")?,
            receives_max: row.opt_int("receives_max")?.and_then(|n| u32::try_from(n).ok()),
            attributes: row.text("attributes")?,
            fifo: row.opt_text("fifo")?.map(|json| serde_json::from_str(&json)).transpose().map_err(Error::corrupt)?,
        },
        created_at: row.time("created_at")?,
        modified_at: row.time("modified_at")?,
        purged_at: row.opt_time("purged_at")?,
        has_groups: row.flag("has_groups")?,
    })
}

/// Adds a queue with its tags, a JSON object, and gives its id. `None` when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    settings: &Settings,
    tags: &str,
) -> Result<Option<i64>, Error> {
    let now = tx.now();
    let s = settings;
    let rows = tx
        .touch_returning(
            &QUEUES,
            "INSERT INTO queues (account, region, name, visibility_timeout, delay, retention, message_size_max, \
             receive_wait, dead_letter_queue, receives_max, attributes, tags, created_at, modified_at, fifo) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14) \
             ON CONFLICT (account, region, name) DO NOTHING RETURNING id",
            args![
                account,
                region,
                name,
                s.visibility_timeout,
                s.delay,
                s.retention,
                s.message_size_max,
                s.receive_wait,
                s.dead_letter_queue.clone(),
                s.receives_max,
                &s.attributes,
                tags,
                now,
                fifo_json(s)?
            ],
        )
        .await?;
    rows.first().map(|row| row.int("id")).transpose()
}

fn fifo_json(settings: &Settings) -> Result<Option<String>, Error> {
    settings.fifo.map(|fifo| serde_json::to_string(&fifo)).transpose().map_err(Error::corrupt)
}

/// Finds a queue by its name.
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Option<Queue>, Error> {
    let row = tx
        .one(
            "SELECT q.*, CASE WHEN EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = q.id) THEN 1 ELSE 0 END \
             AS has_groups FROM queues q WHERE account = $1 AND region = $2 AND name = $3",
            args![account, region, name],
        )
        .await?;
    row.as_ref().map(read).transpose()
}

/// Finds queues by their owners, regions and names, in few statements; those that are not there are left out. Ordered by
/// id, so that all who go through several queues do so in the same order.
pub async fn find_each(tx: &mut Tx, names: &[(AccountId, Region, String)]) -> Result<Vec<Queue>, Error> {
    let mut found = Vec::with_capacity(names.len());
    for chunk in chunks(names) {
        let row = |n: usize| format!("({})", placeholders(3 * n + 1, 3));
        let rows: Vec<String> = (0..chunk.len()).map(row).collect();
        let sql = format!(
            "SELECT q.*, CASE WHEN EXISTS (SELECT 1 FROM message_groups g WHERE g.queue_id = q.id) THEN 1 ELSE 0 END \
             AS has_groups FROM queues q WHERE (account, region, name) IN (VALUES {})",
            rows.join(", ")
        );
        let mut values = Vec::with_capacity(3 * chunk.len());
        chunk.iter().for_each(|(account, region, name)| values.extend(args![account, region, name]));
        for row in tx.all(AssertSqlSafe(sql), values).await? {
            found.push(read(&row)?);
        }
    }
    found.sort_by_key(|queue| queue.id);
    Ok(found)
}

/// Holds a queue that this transaction will change by what it reads: another change of it waits until the end.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let sql = "SELECT id FROM queues WHERE account = $1 AND region = $2 AND name = $3 FOR UPDATE";
    tx.lock(sql, args![account, region, name]).await
}

/// How many queues an account has in a region; counts up to `limit`.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region, limit: u32) -> Result<u32, Error> {
    // Index: the unique one of names.
    let sql = "SELECT COUNT(*) AS n FROM (SELECT 1 FROM queues WHERE account = $1 AND region = $2 LIMIT $3) AS found";
    tx.one(sql, args![account, region, limit]).await?.map_or(Ok(0), |row| row.count("n"))
}

/// Lists queues by name, after `after`, whose names start with `prefix`; `limit` at the most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    prefix: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT name FROM queues WHERE account = $1 AND region = $2 \
             AND substr(name, 1, CAST($3 AS INTEGER)) = $4 AND name > $5 ORDER BY name LIMIT $6",
            args![account, region, prefix.chars().count() as i64, prefix, after, limit],
        )
        .await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// Replaces how a queue behaves.
pub async fn update(tx: &mut Tx, id: i64, settings: &Settings) -> Result<u64, Error> {
    let now = tx.now();
    let s = settings;
    tx.change(
        &QUEUES,
        "UPDATE queues SET visibility_timeout = $1, delay = $2, retention = $3, message_size_max = $4, \
         receive_wait = $5, dead_letter_queue = $6, receives_max = $7, attributes = $8, modified_at = $9, fifo = $10 WHERE id = $11",
        args![
            s.visibility_timeout,
            s.delay,
            s.retention,
            s.message_size_max,
            s.receive_wait,
            s.dead_letter_queue.clone(),
            s.receives_max,
            &s.attributes,
            now,
            fifo_json(s)?,
            id
        ],
    )
    .await
}

/// Takes a queue away.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.change(&QUEUES, "DELETE FROM queues WHERE id = $1", args![id]).await
}

/// The queues whose dead-letter queue has this ARN, by name, after `after`; `limit` at the most.
pub async fn dead_letter_sources(tx: &mut Tx, target: &str, after: &str, limit: i64) -> Result<Vec<String>, Error> {
    let rows = tx
        .all(
            "SELECT name FROM queues WHERE dead_letter_queue = $1 AND name > $2 ORDER BY name LIMIT $3",
            args![target, after, limit],
        )
        .await?;
    rows.iter().map(|row| row.text("name")).collect()
}

/// Notes that the queue was purged at this time: what was sent until then is gone, and forgotten.
pub async fn set_purged(tx: &mut Tx, id: i64, at: Timestamp) -> Result<u64, Error> {
    tx.change(&QUEUES, "UPDATE queues SET purged_at = $1 WHERE id = $2", args![at, id]).await
}

/// Every queue's id and retention in seconds, for the sweep of expired messages.
pub async fn retentions(tx: &mut Tx) -> Result<Vec<(i64, u32)>, Error> {
    let rows = tx.all("SELECT id, retention FROM queues", vec![]).await?;
    rows.iter().map(|row| Ok((row.int("id")?, row.count("retention")?))).collect()
}

/// A queue's tags, a JSON object.
pub async fn tags(tx: &mut Tx, id: i64) -> Result<String, Error> {
    let row = tx.one("SELECT tags FROM queues WHERE id = $1", args![id]).await?;
    row.map_or_else(|| Ok("{}".to_owned()), |row| row.text("tags"))
}

/// Replaces a queue's tags.
pub async fn set_tags(tx: &mut Tx, id: i64, tags: &str) -> Result<u64, Error> {
    tx.touch(&QUEUES, "UPDATE queues SET tags = $1 WHERE id = $2", args![tags, id]).await
}
