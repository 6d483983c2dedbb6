//! Messages: the rows of the one queue engine. SQS queues and the system's queues claim them by the same queries.
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::{Error, Row, Tx, Value, args};

/// A message to add.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The id that its sender is told, a UUID.
    pub message_id: String,
    /// When it may first be received.
    pub visible_at: Timestamp,
    /// Its group: a tenant of a fair queue, the destination of a mail.
    pub group_id: Option<String>,
    /// Who sent it: an account id.
    pub sender: Option<String>,
    /// JSON: its message attributes.
    pub attributes: Option<String>,
    /// SQS's AWSTraceHeader.
    pub trace_header: Option<String>,
    /// The message itself.
    pub body: String,
}

/// A message that somebody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its place in the store.
    pub id: i64,
    /// Names this claim: later changes hold only while the row still carries it.
    pub receipt: i64,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// See [`NewMessage::message_id`].
    pub message_id: String,
    /// See [`NewMessage::group_id`].
    pub group_id: Option<String>,
    /// See [`NewMessage::sender`].
    pub sender: Option<String>,
    /// ARN of the queue that it was moved from as a dead letter.
    pub dead_letter_source: Option<String>,
    /// See [`NewMessage::attributes`].
    pub attributes: Option<String>,
    /// See [`NewMessage::trace_header`].
    pub trace_header: Option<String>,
    /// See [`NewMessage::body`].
    pub body: String,
}

fn read(row: &Row) -> Result<Claimed, Error> {
    Ok(Claimed {
        id: row.int("id")?,
        receipt: row.int("receipt")?,
        receive_count: row.count("receive_count")?,
        sent_at: row.time("sent_at")?,
        first_received_at: row.time("first_received_at")?,
        message_id: row.text("message_id")?,
        group_id: row.opt_text("group_id")?,
        sender: row.opt_text("sender")?,
        dead_letter_source: row.opt_text("dead_letter_source")?,
        attributes: row.opt_text("attributes")?,
        trace_header: row.opt_text("trace_header")?,
        body: row.text("body")?,
    })
}

/// Rows in one INSERT. A few fixed sizes, so that the statements stay prepared.
const INSERT_SIZES: [usize; 5] = [64, 16, 8, 4, 1];
const INSERT_COLUMNS: usize = 9;

/// Adds messages and wakes who waits for them, once the transaction is durable.
pub async fn insert(tx: &mut Tx, queue_id: i64, messages: &[NewMessage]) -> Result<(), Error> {
    let now = tx.now();
    let mut rest = messages;
    for size in INSERT_SIZES {
        while rest.len() >= size {
            let (now_in, later) = rest.split_at(size);
            rest = later;
            tx.run(AssertSqlSafe(insert_sql(size)), insert_args(queue_id, now, now_in)).await?;
        }
    }
    tx.ring(queue_id, messages.len());
    Ok(())
}

fn insert_sql(rows: usize) -> String {
    let row = |n: usize| {
        let marks: Vec<String> = (1..=INSERT_COLUMNS).map(|c| format!("${}", n * INSERT_COLUMNS + c)).collect();
        format!("({})", marks.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO messages (queue_id, visible_at, sent_at, message_id, group_id, sender, attributes, trace_header, \
         body) VALUES {}",
        rows.join(", ")
    )
}

fn insert_args(queue_id: i64, now: Timestamp, messages: &[NewMessage]) -> Vec<Value> {
    let row = |m: &NewMessage| {
        args![
            queue_id,
            m.visible_at,
            now,
            &m.message_id,
            m.group_id.clone(),
            m.sender.clone(),
            m.attributes.clone(),
            m.trace_header.clone(),
            &m.body
        ]
    };
    messages.iter().flat_map(row).collect()
}

/// How to claim.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// From which queue.
    pub queue_id: i64,
    /// At the most so many.
    pub limit: u32,
    /// Until when the claimed messages stay hidden.
    pub hidden_until: Timestamp,
    /// What the receipt of this claim is.
    pub receipt: i64,
    /// The node that claims for a worker of its own.
    pub holder: Option<&'a str>,
}

/// Claims messages that are visible now, those that became visible first before others.
pub async fn claim(tx: &mut Tx, claim: Claim<'_>) -> Result<Vec<Claimed>, Error> {
    let now = tx.now();
    // Index: messages_by_visibility.
    let sql = format!(
        "UPDATE messages SET visible_at = $1, receipt = $2, holder = $3, received_at = $4, \
         receive_count = receive_count + 1, first_received_at = COALESCE(first_received_at, $4) \
         WHERE id IN (SELECT id FROM messages WHERE queue_id = $5 AND visible_at <= $4 \
         ORDER BY visible_at, id LIMIT $6 {}) RETURNING *",
        tx.engine().skip_locked()
    );
    let rows = tx
        .all(
            AssertSqlSafe(sql),
            args![claim.hidden_until, claim.receipt, claim.holder, now, claim.queue_id, claim.limit],
        )
        .await?;
    let mut claimed = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    // RETURNING promises no order; the order of sending is the best one to give.
    claimed.sort_by_key(|m| m.id);
    Ok(claimed)
}

/// Reads up to `limit` messages of a queue without claiming them, oldest first.
pub async fn peek(tx: &mut Tx, queue_id: i64, limit: u32) -> Result<Vec<Claimed>, Error> {
    let rows = tx
        .all(
            "SELECT id, 0 AS receipt, receive_count, sent_at, COALESCE(first_received_at, sent_at) AS first_received_at, \
             message_id, group_id, sender, dead_letter_source, attributes, trace_header, body \
             FROM messages WHERE queue_id = $1 ORDER BY visible_at, id LIMIT $2",
            args![queue_id, limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

/// Takes a message away, if it still carries this receipt. Gives the number of rows: 1 or 0.
pub async fn delete(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM messages WHERE id = $1 AND queue_id = $2 AND receipt = $3", args![id, queue_id, receipt]).await
}

/// Takes messages away that are claimed but must not be given out: they are too old.
pub async fn drop_claimed(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM messages WHERE id = $1", args![id]).await
}

/// When a message that carries this receipt and is in flight was received. `None` when it is not in flight.
pub async fn in_flight_since(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64) -> Result<Option<Timestamp>, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "SELECT received_at FROM messages WHERE id = $1 AND queue_id = $2 AND receipt = $3 AND visible_at > $4",
            args![id, queue_id, receipt, now],
        )
        .await?;
    row.map(|row| row.time("received_at")).transpose()
}

/// Hides a message until `at`, if it still carries this receipt. Gives the number of rows: 1 or 0.
pub async fn set_visible_at(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64, at: Timestamp) -> Result<u64, Error> {
    let changed = tx
        .run(
            "UPDATE messages SET visible_at = $1 WHERE id = $2 AND queue_id = $3 AND receipt = $4",
            args![at, id, queue_id, receipt],
        )
        .await?;
    tx.ring(queue_id, 1);
    Ok(changed)
}

/// Gives a worker's claim back: visible again at `at`. `counted` says whether this receive counts as an attempt.
pub async fn release(
    tx: &mut Tx,
    id: i64,
    receipt: i64,
    at: Timestamp,
    counted: bool,
    why: Option<&str>,
) -> Result<u64, Error> {
    tx.run(
        "UPDATE messages SET visible_at = $1, holder = NULL, why = $2, receive_count = receive_count - $3, receipt = 0 \
         WHERE id = $4 AND receipt = $5",
        args![at, why, !counted, id, receipt],
    )
    .await
}

/// Moves a message to another queue, where it is visible at once.
pub async fn move_to(
    tx: &mut Tx,
    id: i64,
    receipt: i64,
    queue_id: i64,
    source: Option<&str>,
    why: &str,
) -> Result<u64, Error> {
    let now = tx.now();
    let moved = tx
        .run(
            "UPDATE messages SET queue_id = $1, visible_at = $2, receipt = 0, holder = NULL, dead_letter_source = $3, \
             why = $4 WHERE id = $5 AND receipt = $6",
            args![queue_id, now, source, why, id, receipt],
        )
        .await?;
    tx.ring(queue_id, 1);
    Ok(moved)
}

/// Keeps a worker's claim: hides the message until `until`, if it still carries this receipt.
pub async fn renew(tx: &mut Tx, id: i64, receipt: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run("UPDATE messages SET visible_at = $1 WHERE id = $2 AND receipt = $3", args![until, id, receipt]).await
}

/// Gives back what a node held when it died: visible at once, the attempt not counted. `None` means every holder.
pub async fn release_held(tx: &mut Tx, queue_id: i64, holder: Option<&str>) -> Result<u64, Error> {
    let now = tx.now();
    let released = tx
        .run(
            "UPDATE messages SET visible_at = $1, receive_count = receive_count - 1, receipt = 0, holder = NULL \
             WHERE queue_id = $2 AND visible_at > $1 AND holder IS NOT NULL AND (holder = $3 OR $3 IS NULL)",
            args![now, queue_id, holder],
        )
        .await?;
    tx.ring(queue_id, usize::try_from(released).unwrap_or(1));
    Ok(released)
}

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

/// Counts the messages of a queue.
pub async fn counts(tx: &mut Tx, queue_id: i64) -> Result<Counts, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "SELECT COUNT(*) AS total, \
             CAST(COALESCE(SUM(CASE WHEN visible_at > $1 AND receipt <> 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS in_flight, \
             CAST(COALESCE(SUM(CASE WHEN visible_at > $1 AND receipt = 0 THEN 1 ELSE 0 END), 0) AS BIGINT) AS delayed \
             FROM messages WHERE queue_id = $2",
            args![now, queue_id],
        )
        .await?;
    let Some(row) = row else { return Ok(Counts::default()) };
    let (in_flight, delayed) = (row.count("in_flight")?, row.count("delayed")?);
    Ok(Counts { visible: row.count("total")?.saturating_sub(in_flight + delayed), in_flight, delayed })
}

/// When the next hidden message becomes visible.
pub async fn next_visible_at(tx: &mut Tx, queue_id: i64) -> Result<Option<Timestamp>, Error> {
    let row = tx.one("SELECT MIN(visible_at) AS at FROM messages WHERE queue_id = $1", args![queue_id]).await?;
    row.map_or(Ok(None), |row| row.opt_time("at"))
}

/// Takes up to `limit` of a queue's messages away that are not newer than `before`. Gives how many. With `pass_over`
/// those that another transaction holds are left: who waits for several may meet one who waits for him.
pub async fn purge(tx: &mut Tx, queue_id: i64, before: Timestamp, limit: u32, pass_over: bool) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM messages WHERE queue_id = $1 AND id IN (SELECT id FROM messages WHERE queue_id = $1 \
         AND sent_at <= $2 LIMIT $3 {})",
        if pass_over { tx.engine().skip_locked() } else { "" }
    );
    tx.run(AssertSqlSafe(sql), args![queue_id, before, limit]).await
}

/// Takes up to `limit` messages away that nobody has touched since `before`. Gives how many.
pub async fn expire(tx: &mut Tx, queue_id: i64, before: Timestamp, limit: u32) -> Result<u64, Error> {
    // Whoever holds a row just now has touched it.
    let sql = format!(
        "DELETE FROM messages WHERE queue_id = $1 AND id IN (SELECT id FROM messages WHERE queue_id = $1 \
         AND visible_at < $2 LIMIT $3 {})",
        tx.engine().skip_locked()
    );
    tx.run(AssertSqlSafe(sql), args![queue_id, before, limit]).await
}
