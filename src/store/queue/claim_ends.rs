//! What becomes of a message that was claimed: it goes, it is hidden longer, it comes back, or it moves to another queue.
use std::collections::{BTreeMap, BTreeSet};

use crate::base::Timestamp;
use crate::store::engine::batch::{Batch, Statement, parts};
use crate::store::queue::claimed::Claimed;
use crate::store::queue::{groups, ordered};
use crate::store::{Error, Row, Tx, args};

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
/// of their group are for [`delete_in_order`](crate::store::messages::delete_in_order).
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
/// [`move_in_order`](crate::store::messages::move_in_order).
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

/// How many claims one statement renews at the most.
const RENEWED_AT_ONCE: usize = 2_048;

/// Keeps workers' claims, given by row and receipt: hides each message until `until` that still carries its receipt. Gives how many
/// were kept. One statement for some two thousand.
///
/// # Errors
/// When the store fails.
pub async fn renew(tx: &mut Tx, claims: &[(i64, i64)], until: Timestamp) -> Result<u64, Error> {
    let engine = tx.engine();
    let sql = format!(
        "WITH ?, held AS (SELECT m.id AS held_id FROM given {} messages m ON m.id = given.id AND m.receipt = given.receipt{}) \
         UPDATE messages SET visible_at = ? FROM held WHERE id = held_id",
        engine.join_in_order(),
        engine.lock_by_id("m")
    );
    let mut kept = 0;
    for some in claims.chunks(RENEWED_AT_ONCE) {
        let rows = some.iter().map(|(id, receipt)| args![*id, *receipt]);
        let given = Batch::of("given", &["id", "receipt"], rows).steady(engine);
        kept += tx.execute(Statement::of(engine, &sql, parts![given, until])?).await?;
    }
    Ok(kept)
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
