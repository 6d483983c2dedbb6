//! Messages: the rows of the one queue engine. SQS queues and the system's queues claim them by the same queries.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::queue::groups;
use crate::store::queue::ordered;
use crate::store::{Error, Row, Tx, Value, args};

pub use crate::store::queue::backlog::{Counts, counts, expire, in_flight, next_visible_at, peek, purge};
pub use crate::store::queue::claims::{Claim, Groups, Pace, Receipts, claim, claim_few};
pub use crate::store::queue::groups::{close_empty, delete_all as delete_groups, let_go, rest_until};
pub use crate::store::queue::handles::{
    DeletedInOrder, delete_in_order, delete_received, find_received, hide_received,
};
pub use crate::store::queue::ordered::{
    hold_free, hold_groups_of, move_to as move_in_order, redelay, remove as remove_in_order,
};
pub use crate::store::queue::spread::insert_each;

/// A message to add.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The id that its sender is told, a UUID.
    pub message_id: String,
    /// When it may first be received.
    pub visible_at: Timestamp,
    /// Its group: a tenant of a fair queue, the destination of a mail, or what keeps its order.
    pub group_id: Option<String>,
    /// What tells it from another in a queue that keeps order. With it, the message keeps the order of its group.
    pub deduplication_id: Option<String>,
    /// Who sent it: an account id.
    pub sender: Option<String>,
    /// JSON: its message attributes.
    pub attributes: Option<String>,
    /// SQS's AWSTraceHeader.
    pub trace_header: Option<String>,
    /// The message itself.
    pub body: String,
}

impl NewMessage {
    /// How its group matters: the column `grouped`.
    fn grouped(&self) -> i64 {
        match (&self.deduplication_id, &self.group_id) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        }
    }
}

/// A message that somebody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its place in the store.
    pub id: i64,
    /// Names this claim: later changes hold only while the row still carries it.
    pub receipt: i64,
    /// It was given out as often as it may be: it was claimed to be taken away, and this does not count as a receive. For as
    /// long as that takes it is hidden from everybody.
    pub spent: bool,
    /// How often it has been received, this time included if it is given out.
    pub receive_count: u32,
    /// How often it had been received when it was moved into this queue.
    pub receives_before: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// See [`NewMessage::message_id`].
    pub message_id: String,
    /// See [`NewMessage::group_id`].
    pub group_id: Option<String>,
    /// See [`NewMessage::deduplication_id`].
    pub deduplication_id: Option<String>,
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

impl Claimed {
    /// A row that a claim gives.
    pub(in crate::store) fn taken(row: &Row) -> Result<Self, Error> {
        Ok(Self { spent: row.flag("spent")?, ..Self::read(row)? })
    }

    pub(in crate::store) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.int("id")?,
            receipt: row.int("receipt")?,
            spent: false,
            receive_count: row.count("receive_count")?,
            receives_before: row.count("receives_before")?,
            sent_at: row.time("sent_at")?,
            first_received_at: row.time("first_received_at")?,
            message_id: row.text("message_id")?,
            group_id: row.opt_text("group_id")?,
            deduplication_id: row.opt_text("deduplication_id")?,
            sender: row.opt_text("sender")?,
            dead_letter_source: row.opt_text("dead_letter_source")?,
            attributes: row.opt_text("attributes")?,
            trace_header: row.opt_text("trace_header")?,
            body: row.text("body")?,
        })
    }
}

/// Rows in one INSERT. A few fixed sizes, so that the statements stay prepared.
const INSERT_SIZES: [usize; 5] = [64, 16, 8, 4, 1];
const INSERT_COLUMNS: usize = 11;

/// Adds messages and wakes who waits for them, once the transaction is durable. Those that keep the order of their
/// group are for [`insert_in_order`].
pub async fn insert(tx: &mut Tx, queue_id: i64, messages: &[NewMessage]) -> Result<(), Error> {
    let now = tx.now();
    for chunk in chunks(messages) {
        tx.run(AssertSqlSafe(insert_sql(chunk.len(), "")), insert_args(queue_id, now, chunk)).await?;
    }
    let groups = groups_of(messages);
    if !groups.is_empty() {
        groups::open(tx, queue_id, &groups).await?;
    }
    tx.added(queue_id, messages.len());
    Ok(())
}

/// Adds messages that keep the order of their group, and gives their row ids.
pub async fn insert_in_order(tx: &mut Tx, queue_id: i64, messages: &[NewMessage]) -> Result<Vec<i64>, Error> {
    let now = tx.now();
    ordered::open(tx, queue_id, &groups_of(messages)).await?;
    let mut ids = HashMap::new();
    for chunk in chunks(messages) {
        let sql = insert_sql(chunk.len(), "RETURNING id, message_id");
        for row in tx.all(AssertSqlSafe(sql), insert_args(queue_id, now, chunk)).await? {
            ids.insert(row.text("message_id")?, row.int("id")?);
        }
    }
    tx.added(queue_id, messages.len());
    let id = |m: &NewMessage| ids.get(&m.message_id).copied().ok_or_else(|| Error::corrupt("an insert gave no id"));
    messages.iter().map(id).collect()
}

pub(in crate::store) fn chunks<T>(messages: &[T]) -> Vec<&[T]> {
    let (mut chunks, mut rest) = (vec![], messages);
    for size in INSERT_SIZES {
        while rest.len() >= size {
            let (chunk, later) = rest.split_at(size);
            chunks.push(chunk);
            rest = later;
        }
    }
    chunks
}

/// The groups of new messages, with the time when the first of each is visible.
fn groups_of(messages: &[NewMessage]) -> BTreeMap<String, Timestamp> {
    let mut groups = BTreeMap::new();
    for message in messages {
        if let Some(group) = &message.group_id {
            let at = groups.entry(group.clone()).or_insert(message.visible_at);
            *at = (*at).min(message.visible_at);
        }
    }
    groups
}

pub(in crate::store) fn insert_sql(rows: usize, end: &str) -> String {
    let row = |n: usize| format!("({})", groups::marks(n * INSERT_COLUMNS + 1, INSERT_COLUMNS));
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO messages (queue_id, visible_at, sent_at, message_id, group_id, deduplication_id, grouped, sender, \
         attributes, trace_header, body) VALUES {} {end}",
        rows.join(", ")
    )
}

fn insert_args(queue_id: i64, now: Timestamp, messages: &[NewMessage]) -> Vec<Value> {
    messages.iter().flat_map(|message| row_args(queue_id, now, message)).collect()
}

pub(in crate::store) fn row_args(queue_id: i64, now: Timestamp, m: &NewMessage) -> Vec<Value> {
    args![
        queue_id,
        m.visible_at,
        now,
        &m.message_id,
        m.group_id.clone(),
        m.deduplication_id.clone(),
        m.grouped(),
        m.sender.clone(),
        m.attributes.clone(),
        m.trace_header.clone(),
        &m.body
    ]
}

/// What a change has to set right in the groups of the messages it changed.
pub(in crate::store) async fn regroup(tx: &mut Tx, rows: &[Row]) -> Result<(), Error> {
    let mut in_order: BTreeMap<i64, BTreeSet<String>> = BTreeMap::new();
    let mut in_turns: BTreeMap<i64, BTreeMap<String, Timestamp>> = BTreeMap::new();
    for row in rows {
        let (queue_id, group) = (row.int("queue_id")?, row.opt_text("group_id")?);
        match (row.int("grouped")?, group) {
            (2, Some(group)) => drop(in_order.entry(queue_id).or_default().insert(group)),
            (1, Some(group)) => {
                let (groups, at) = (in_turns.entry(queue_id).or_default(), row.time("visible_at")?);
                let first = groups.entry(group).or_insert(at);
                *first = (*first).min(at);
            }
            _ => {}
        }
    }
    for (queue_id, groups) in in_order {
        ordered::refresh(tx, queue_id, &groups).await?;
    }
    for (queue_id, groups) in in_turns {
        groups::open(tx, queue_id, &groups).await?;
    }
    Ok(())
}

/// Takes a message away, if it still carries this receipt. Gives the number of rows: 1 or 0. Those that keep the order
/// of their group are for [`delete_in_order`].
pub async fn delete(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64) -> Result<u64, Error> {
    let rows = tx
        .all(
            "DELETE FROM messages WHERE id = $1 AND queue_id = $2 AND receipt = $3 RETURNING group_id",
            args![id, queue_id, receipt],
        )
        .await?;
    for row in &rows {
        if let Some(group) = row.opt_text("group_id")? {
            groups::close_empty(tx, queue_id, &[group]).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// Takes a message away that is claimed but must not be given out: it is too old.
pub async fn drop_claimed(tx: &mut Tx, queue_id: i64, message: &Claimed) -> Result<(), Error> {
    if message.deduplication_id.is_none() {
        delete(tx, queue_id, message.id, message.receipt).await?;
        return Ok(());
    }
    tx.run("DELETE FROM messages WHERE id = $1", args![message.id]).await?;
    ordered::refresh(tx, queue_id, &message.group_id.iter().cloned().collect()).await
}

/// Hides a message until `at`, if it still carries this receipt. Gives the number of rows: 1 or 0.
pub async fn set_visible_at(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64, at: Timestamp) -> Result<u64, Error> {
    let changed = tx
        .all(
            "UPDATE messages SET visible_at = $1 WHERE id = $2 AND queue_id = $3 AND receipt = $4 \
             RETURNING queue_id, group_id, grouped, visible_at",
            args![at, id, queue_id, receipt],
        )
        .await?;
    regroup(tx, &changed).await?;
    tx.ring(queue_id, 1);
    Ok(changed.len() as u64)
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
    let released = tx
        .all(
            "UPDATE messages SET visible_at = $1, holder = NULL, why = $2, receive_count = receive_count - $3, \
             receipt = 0 WHERE id = $4 AND receipt = $5 RETURNING queue_id, group_id, grouped, visible_at",
            args![at, why, !counted, id, receipt],
        )
        .await?;
    regroup(tx, &released).await?;
    Ok(released.len() as u64)
}

/// Moves a message to another queue, where it is visible at once. Those that keep the order of their group are for
/// [`move_in_order`].
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
        .all(
            "UPDATE messages SET queue_id = $1, visible_at = $2, receipt = 0, holder = NULL, dead_letter_source = $3, \
             why = $4 WHERE id = $5 AND receipt = $6 RETURNING queue_id, group_id, grouped, visible_at",
            args![queue_id, now, source, why, id, receipt],
        )
        .await?;
    regroup(tx, &moved).await?;
    tx.ring(queue_id, 1);
    Ok(moved.len() as u64)
}

/// Moves a message to a dead-letter queue, where it is visible at once and its receives count from 0. It was claimed to be
/// taken away: [`Claimed::spent`]. Nothing happens when somebody has claimed it since.
pub async fn move_dead(tx: &mut Tx, message: &Claimed, queue_id: i64, source: &str, why: &str) -> Result<(), Error> {
    let now = tx.now();
    let moved = tx
        .all(
            "UPDATE messages SET queue_id = $1, visible_at = $2, receipt = 0, holder = NULL, dead_letter_source = $3, \
             why = $4, receives_before = receive_count WHERE id = $5 AND receipt = $6 \
             RETURNING queue_id, group_id, grouped, visible_at",
            args![queue_id, now, source, why, message.id, message.receipt],
        )
        .await?;
    regroup(tx, &moved).await?;
    tx.ring(queue_id, moved.len());
    Ok(())
}

/// Gives a message out after all that was claimed to be taken away, and hides it until `at`. `None` when somebody has claimed
/// it since.
pub async fn keep_spent(tx: &mut Tx, message: Claimed, at: Timestamp) -> Result<Option<Claimed>, Error> {
    let kept = tx
        .all(
            "UPDATE messages SET visible_at = $1, receive_count = receive_count + 1 WHERE id = $2 AND receipt = $3 \
             RETURNING queue_id, group_id, grouped, visible_at",
            args![at, message.id, message.receipt],
        )
        .await?;
    regroup(tx, &kept).await?;
    let kept = !kept.is_empty();
    Ok(kept.then(|| Claimed { receive_count: message.receive_count + 1, spent: false, ..message }))
}

/// Keeps a worker's claim: hides the message until `until`, if it still carries this receipt.
pub async fn renew(tx: &mut Tx, id: i64, receipt: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run("UPDATE messages SET visible_at = $1 WHERE id = $2 AND receipt = $3", args![until, id, receipt]).await
}

/// Gives back what a node held when it died: visible at once, the attempt not counted. `None` means every holder.
pub async fn release_held(tx: &mut Tx, queue_id: i64, holder: Option<&str>) -> Result<u64, Error> {
    let now = tx.now();
    let released = tx
        .all(
            "UPDATE messages SET visible_at = $1, receive_count = receive_count - 1, receipt = 0, holder = NULL \
             WHERE queue_id = $2 AND visible_at > $1 AND holder IS NOT NULL AND (holder = $3 OR $3 IS NULL) \
             RETURNING queue_id, group_id, grouped, visible_at",
            args![now, queue_id, holder],
        )
        .await?;
    regroup(tx, &released).await?;
    tx.ring(queue_id, released.len());
    Ok(released.len() as u64)
}
