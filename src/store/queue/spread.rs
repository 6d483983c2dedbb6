//! One message for each of many queues, in few statements: the fan-out of a topic.
use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::queue::adding::{NewMessage, chunks, insert_sql, row_args};
use crate::store::queue::groups;
use crate::store::{Error, Tx};

/// Adds messages, each to a queue, and wakes who waits for them, once the transaction is durable. None of them keeps the
/// order of its group.
pub async fn insert_each(tx: &mut Tx, messages: &[(i64, NewMessage)]) -> Result<(), Error> {
    let now = tx.now();
    for chunk in chunks(messages) {
        let values = chunk.iter().flat_map(|(queue_id, message)| row_args(*queue_id, now, message)).collect();
        tx.run(AssertSqlSafe(insert_sql(chunk.len(), "")), values).await?;
    }
    let mut opened: BTreeMap<i64, BTreeMap<String, Timestamp>> = BTreeMap::new();
    for (queue_id, message) in messages {
        if let Some(group) = &message.group_id {
            let at = opened.entry(*queue_id).or_default().entry(group.clone()).or_insert(message.visible_at);
            *at = (*at).min(message.visible_at);
        }
    }
    for (queue_id, groups) in opened {
        groups::open(tx, queue_id, &groups).await?;
    }
    messages.iter().for_each(|(queue_id, _)| tx.added(*queue_id, 1));
    Ok(())
}
