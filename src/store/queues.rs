//! Queues: the rows that say how a queue behaves.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::dialect::Engine;
use crate::store::{Error, Row, Tx, args};

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
        },
        created_at: row.time("created_at")?,
        modified_at: row.time("modified_at")?,
        purged_at: row.opt_time("purged_at")?,
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
    let row = tx
        .one(
            "INSERT INTO queues (account, region, name, visibility_timeout, delay, retention, message_size_max, \
             receive_wait, dead_letter_queue, receives_max, attributes, tags, created_at, modified_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) \
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
                now
            ],
        )
        .await?;
    row.map(|row| row.int("id")).transpose()
}

/// Finds a queue by its name.
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Option<Queue>, Error> {
    let row = tx
        .one("SELECT * FROM queues WHERE account = $1 AND region = $2 AND name = $3", args![account, region, name])
        .await?;
    row.as_ref().map(read).transpose()
}

/// Holds a queue that this transaction will change by what it reads: another change of it waits until the end.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    // SQLite has one writer.
    if tx.engine() == Engine::Postgres {
        let sql = "SELECT id FROM queues WHERE account = $1 AND region = $2 AND name = $3 FOR UPDATE";
        tx.one(sql, args![account, region, name]).await?;
    }
    Ok(())
}

/// Lists queues by name, after `after`, whose names start with `prefix`; `limit` at the most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    prefix: &str,
    after: &str,
    limit: u32,
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
    tx.run(
        "UPDATE queues SET visibility_timeout = $1, delay = $2, retention = $3, message_size_max = $4, \
         receive_wait = $5, dead_letter_queue = $6, receives_max = $7, attributes = $8, modified_at = $9 WHERE id = $10",
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
            id
        ],
    )
    .await
}

/// Takes a queue away, and notes that its messages are to be taken away too.
pub async fn delete(tx: &mut Tx, queue: &Queue) -> Result<(), Error> {
    let now = tx.now();
    tx.run("DELETE FROM queues WHERE id = $1", args![queue.id]).await?;
    // Another node may have deleted it at the same time.
    let sql = "INSERT INTO deleted_queues (queue_id, deleted_at) VALUES ($1, $2) ON CONFLICT (queue_id) DO NOTHING";
    tx.run(sql, args![queue.id, now]).await?;
    Ok(())
}

/// Deleted queues whose messages may still be there.
pub async fn deleted(tx: &mut Tx) -> Result<Vec<i64>, Error> {
    let rows = tx.all("SELECT queue_id FROM deleted_queues ORDER BY deleted_at LIMIT 1000", vec![]).await?;
    rows.iter().map(|row| row.int("queue_id")).collect()
}

/// The messages of this deleted queue are gone. It is forgotten if it was deleted before `before`: a send that found the
/// queue may commit after the deletion, and its messages are to be taken away too.
pub async fn forget_deleted(tx: &mut Tx, id: i64, before: Timestamp) -> Result<u64, Error> {
    tx.run("DELETE FROM deleted_queues WHERE queue_id = $1 AND deleted_at < $2", args![id, before]).await
}

/// Notes that the queue was purged now.
pub async fn set_purged(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    let now = tx.now();
    tx.run("UPDATE queues SET purged_at = $1 WHERE id = $2", args![now, id]).await
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
    tx.run("UPDATE queues SET tags = $1 WHERE id = $2", args![tags, id]).await
}
