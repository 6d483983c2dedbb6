//! What may be done with a received message by a receipt that was given out for it.
use std::collections::BTreeSet;

use crate::base::Timestamp;
use crate::store::queue::claim_ends::regroup;
use crate::store::queue::claims::Receipts;
use crate::store::queue::groups::close_empty;
use crate::store::queue::ordered;
use crate::store::{Error, Tx, args};

/// Takes a message away, by any receipt that it was given out with. Gives the number of rows: 1 or 0. Those that keep the
/// order of their group are for [`delete_in_order`].
pub async fn delete_received(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64) -> Result<u64, Error> {
    let same = Receipts::Any.same("receipt", "CAST($3 AS BIGINT)");
    let sql = format!("DELETE FROM messages WHERE id = $1 AND queue_id = $2 AND {same} RETURNING group_id");
    let rows = tx.all(sqlx::AssertSqlSafe(sql), args![id, queue_id, receipt]).await?;
    for row in &rows {
        if let Some(group) = row.opt_text("group_id")? {
            close_empty(tx, queue_id, &[group]).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// How a delete in a queue that keeps order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedInOrder {
    /// It is gone now.
    Yes,
    /// It was gone before.
    Gone,
    /// It is there, but is not in flight under this receipt any more.
    Expired,
}

/// Takes a message away that keeps the order of its group, if it is in flight under this receipt. The group is held:
/// [`hold_groups_of`](ordered::hold_groups_of).
pub async fn delete_in_order(tx: &mut Tx, queue_id: i64, id: i64, receipt: i64) -> Result<DeletedInOrder, Error> {
    let Some(group) = ordered::group_of(tx, queue_id, id).await? else { return Ok(DeletedInOrder::Gone) };
    let now = tx.now();
    let sql = "DELETE FROM messages WHERE id = $1 AND queue_id = $2 AND receipt = $3 AND visible_at > $4";
    if tx.run(sql, args![id, queue_id, receipt, now]).await? == 0 {
        return Ok(DeletedInOrder::Expired);
    }
    ordered::refresh(tx, queue_id, &BTreeSet::from([group])).await?;
    Ok(DeletedInOrder::Yes)
}

/// What is known of a message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedAt {
    /// When it was received the last time; `None` for one that nobody has received in this queue.
    pub received_at: Option<Timestamp>,
    /// Until when it is hidden, or since when it is not.
    pub visible_at: Timestamp,
    /// Whether the receipt that was given is one of those that count.
    pub is_known: bool,
}

/// Finds a message of a queue, and whether `receipt` counts. `None` when it is gone.
pub async fn find_received(
    tx: &mut Tx,
    queue_id: i64,
    id: i64,
    receipt: i64,
    receipts: Receipts,
) -> Result<Option<ReceivedAt>, Error> {
    let same = receipts.same("receipt", "CAST($3 AS BIGINT)");
    let sql = format!(
        "SELECT received_at, visible_at, CASE WHEN {same} THEN 1 ELSE 0 END AS is_known FROM messages \
         WHERE id = $1 AND queue_id = $2"
    );
    let row = tx.one(sqlx::AssertSqlSafe(sql), args![id, queue_id, receipt]).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(ReceivedAt {
        received_at: row.opt_time("received_at")?,
        visible_at: row.time("visible_at")?,
        is_known: row.flag("is_known")?,
    }))
}

/// Hides a message until `at`, or shows it, if the receipt counts.
pub async fn hide_received(
    tx: &mut Tx,
    queue_id: i64,
    id: i64,
    receipt: i64,
    receipts: Receipts,
    at: Timestamp,
) -> Result<(), Error> {
    let same = receipts.same("receipt", "CAST($4 AS BIGINT)");
    let sql = format!(
        "UPDATE messages SET visible_at = $1 WHERE id = $2 AND queue_id = $3 AND {same} \
         RETURNING queue_id, group_id, grouped, visible_at"
    );
    let changed = tx.all(sqlx::AssertSqlSafe(sql), args![at, id, queue_id, receipt]).await?;
    regroup(tx, &changed).await?;
    tx.ring(queue_id, 1);
    Ok(())
}
