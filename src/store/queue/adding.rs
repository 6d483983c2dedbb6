//! Messages that are added to a queue.
use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::placeholders;
use crate::store::queue::{groups, ordered};
use crate::store::{Error, Tx, Value, args};

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
    let row = |n: usize| format!("({})", placeholders(n * INSERT_COLUMNS + 1, INSERT_COLUMNS));
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
